"""What a hostile or clumsy user tries that takes but a moment; the rest has files of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from hami_admission.admission import changes
from tests import build
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import ADDRESS, a_quota, call, node_annotations
from tests.cluster.test_hostile_input import review
from tests.cluster.test_quota import create, shows

if TYPE_CHECKING:
    from tests.cluster.product import Product

Json = dict[str, Any]

MADE_UP = ("a/log", "../x", "%2e%2e/x", "../../../pods")


@pytest.mark.probe(2)
async def test_made_up_reviews_leave_nothing_that_lasts(
    product: Product, api: Api, namespace: str
) -> None:
    """Names that Kubernetes has not charge nothing; a name that nobody has is charged and ends."""
    await api.apply(a_quota(namespace, gpu=10, gpumem=10_000))
    await shows(api, namespace, gpu=0, gpumem=0)
    asked = product.plane.audit(from_now=True)
    for name in (*MADE_UP, "nobody"):
        for uid in ("", str(uuid.uuid4())):
            container = build.container(limits=build.gpu(1, memory=1000))
            made = build.pod_json(container, name=name, namespace=namespace, uid=uid)
            await call("POST", "/validate", review(object=await rewritten(made)))
    await shows(api, namespace, gpu=1, gpumem=1000)
    await shows(api, namespace, gpu=0, gpumem=0)
    pods = [each for each in asked.requests(resource="pods") if each["verb"] in {"get", "list"}]
    ours = [each for each in pods if "hami-admission" in each["user"]["username"]]
    assert {each["objectRef"].get("name") for each in ours if each["verb"] == "get"} <= {"nobody"}
    assert [each for each in ours if each["objectRef"].get("subresource")] == []


async def rewritten(pod: Json) -> Json:
    """As the mutating call leaves a pod of a name that Kubernetes has."""
    changed = {**pod, "metadata": {**pod["metadata"], "name": "p"}}
    _, body = await call("POST", "/mutate", review(object=changed))
    patch = json.loads(base64.b64decode(json.loads(body)["response"]["patch"]))
    after: Json = changes.apply(changed, patch)
    return {**after, "metadata": {**after["metadata"], "name": pod["metadata"]["name"]}}


@pytest.mark.probe(10)
async def test_one_card_on_two_nodes_is_told_of(product: Product, api: Api, namespace: str) -> None:
    notes = node_annotations("n1", 1)
    for name in ("n1", "n2"):
        await api.add_node(name, annotations=notes, extra={"nvidia.com/gpu": "10"})

    async def events() -> list[Json]:
        found = await api.list(KINDS["Event"].path("default"))
        return [each for each in found if each["reason"] == "CardOnTwoNodes"]

    found = await wait(events, "it is told of")
    assert {each["involvedObject"]["name"] for each in found} <= {"n1", "n2"}
    assert "GPU-n1-0" in found[0]["message"]


@pytest.mark.probe(11)
async def test_a_pod_of_too_many_containers_is_refused_in_words(
    product: Product, api: Api, namespace: str
) -> None:
    containers = [build.container(f"c{n}", build.gpu(1, memory=1)) for n in range(300)]
    with pytest.raises(ApiFailure, match="more than 256 containers in one pod") as refused:
        await create(api, build.pod_json(*containers, name="many", namespace=namespace))
    assert "failed calling webhook" not in refused.value.message


@pytest.mark.probe(11)
async def test_what_is_no_http_is_one_line_without_what_its_sender_wrote(
    product: Product,
) -> None:
    """One that a log would show as something else, and one of a version that is not served."""
    assert product.process is not None
    careless = ssl.create_default_context()
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    for text in (b"\x1b[31mGET nonsense\r\n\r\n", b"GET /healthz\r\n\r\n"):
        reader, writer = await asyncio.open_connection(ADDRESS, 443, ssl=careless)
        writer.write(text)
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        assert b"python" not in answer.lower()
    log = product.process.tail(30)
    assert "nonsense" not in log
    assert "Traceback" not in log
