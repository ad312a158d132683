"""Who may send reviews, on the real API server: by its address, by ranges, by a certificate."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio

from tests import build
from tests.cluster.api import ApiFailure, wait
from tests.cluster.credentials import Authority
from tests.cluster.kinds import KINDS
from tests.cluster.node_machine import ip
from tests.cluster.product import ADDRESS, SETTINGS, a_quota, call, charged, manifests
from tests.cluster.test_doctor import Doctor
from tests.cluster.test_hostile_input import review

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from tests.cluster.api import Api
    from tests.cluster.product import Product

    Restart = Callable[..., Awaitable[None]]

API_SERVER, STRANGER = "192.0.2.1", "127.5.6.7"
"""An EndpointSlice takes no address of 127.0.0.0/8, so connections to us come from another here."""

SLICE = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {
        "name": "kubernetes",
        "namespace": "default",
        "labels": {"kubernetes.io/service-name": "kubernetes"},
    },
    "addressType": "IPv4",
    "endpoints": [{"addresses": [API_SERVER]}],
    "ports": [{"name": "https", "port": 443, "protocol": "TCP"}],
}


@pytest.fixture(scope="module")
def from_elsewhere(own_network: None) -> Iterator[None]:
    """Who connects to the Service's address and names none of his own does so from API_SERVER."""
    route = ("local", f"{ADDRESS}/32", "dev", "lo", "table", "local")
    ip("address", "add", f"{API_SERVER}/32", "dev", "lo")
    ip("route", "add", *route, "src", API_SERVER)
    yield
    ip("route", "del", *route)
    ip("address", "del", f"{API_SERVER}/32", "dev", "lo")


@pytest_asyncio.fixture
async def restart(product: Product, from_elsewhere: None) -> AsyncIterator[Restart]:
    """Our process anew, with further settings; at the end it has none."""

    async def anew(told: str = "", *, wait_ready: bool = True) -> None:
        product.kill()
        await product.start(told=SETTINGS + told, wait_ready=wait_ready)

    yield anew
    await anew()


async def ask(path: str = "/mutate", body: bytes = b"", **how: Any) -> tuple[int, bytes]:
    """A made-up review, past the API server."""
    return await call("POST", path, body or review(), **how)


async def created(api: Api, namespace: str) -> bool:
    """Do the API server's reviews come through, and is the pod rewritten?"""
    pod = build.pod_json(build.container(limits=build.gpu(1)), name="p", namespace=namespace)
    made = await api.create(KINDS["Pod"].path(namespace), pod, dryRun="All")
    return bool(made["spec"]["schedulerName"] == "hami-scheduler")


async def test_reviews_of_the_api_servers_address_and_of_no_other(
    restart: Restart, api: Api, namespace: str
) -> None:
    rights = manifests("senders.yaml")
    await api.apply(SLICE)
    await restart("reviewSenders: api-server\n", wait_ready=False)

    async def unready() -> bool:
        try:
            status, answer = await call("GET", "/readyz")
        except aiohttp.ClientError:
            return False
        return status == 503 and json.loads(answer)["missing"] == ["addresses of the API server"]

    await wait(unready, "nobody may read the slice")
    status, answer = await ask()
    assert (status, answer) == (503, b"the API server's addresses are not known yet\n")
    for each in rights:
        await api.apply(each, namespace="default")

    async def ready() -> bool:
        return (await call("GET", "/readyz", source=STRANGER))[0] == 200

    await wait(ready, "the slice is read")
    await wait(lambda: created(api, namespace), "reviews come through")
    assert (await ask())[0] == 200
    await _strangers(api, namespace)
    before = await counter("hami_admission_api_failures", "404")
    await api.delete(KINDS["EndpointSlice"].path("default", "kubernetes"))

    async def missed() -> bool:
        return await counter("hami_admission_api_failures", "404") > before

    await wait(missed, "the slice is not found")
    assert await created(api, namespace), "what was read last holds"
    for each in rights:
        await api.delete(KINDS[each["kind"]].path("default", each["metadata"]["name"]))


async def _strangers(api: Api, namespace: str) -> None:
    """Are told so, and counted, and charge nothing; what is no review is answered as ever."""
    await api.apply(a_quota(namespace, gpu=8))
    path = KINDS["ResourceQuota"].path(namespace, "quota")

    async def counted() -> bool:
        return bool(charged(await api.get(path)))

    await wait(counted, "the quota is counted")
    words = b"reviews are taken from whom reviewSenders names, and 127.5.6.7 is not among them\n"
    pod = build.pod_json(
        build.container(limits=build.gpu(1)), name="p", namespace=namespace, uid="u"
    )
    made_up = review(object=pod, namespace=namespace)
    for route in ("/mutate", "/webhook", "/validate"):
        assert await ask(route, made_up, source=STRANGER) == (403, words)
    assert charged(await api.get(path)) == {"gpu": 0}
    assert (await call("GET", "/healthz", source=STRANGER))[0] == 200
    assert (await call("POST", "/filter", source=STRANGER))[0] == 400
    assert await counter("hami_admission_refused_senders", "address") == 3


async def counter(name: str, result: str) -> float:
    """One of our counters, 0 where it has not begun."""
    url = f"http://{ADDRESS}:9395/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        text = await answer.text()
    found = re.search(rf'^{name}_total{{result="{result}"}} (.+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0


async def test_ranges_that_leave_the_api_server_out_are_told_of(
    restart: Restart, api: Api, product: Product, namespace: str
) -> None:
    """Its user reads the address that was not named, and ``doctor`` what to do."""
    await restart('reviewSenders: ["127.0.0.0/8"]\n')
    assert (await ask(source=STRANGER))[0] == 200

    async def told() -> str:
        try:
            await created(api, namespace)
        except ApiFailure as failure:
            return failure.message
        return ""

    message = await wait(told, "refused")
    assert 'failed calling webhook "mutate.hami.io"' in message
    assert f"whom reviewSenders names, and {API_SERVER} is not among them" in message
    code, findings = await Doctor(product.plane, namespace)()
    trial = next(each for each in findings if each["check"] == "trial")
    assert (code, trial["level"]) == (1, "problem")
    assert "set reviewSenders to the ranges" in trial["do"]
    await restart(f'reviewSenders: ["{API_SERVER}/32"]\n')
    await wait(lambda: created(api, namespace), "reviews come through")
    assert (await ask(source=STRANGER))[0] == 403


async def test_reviews_with_the_certificate_that_the_api_server_shows(
    restart: Restart, api: Api, product: Product, namespace: str, tmp_path: Path
) -> None:
    clients, other = product.plane.clients, Authority(tmp_path)
    await restart(f"reviewAuthority: {clients.file}\n")
    await wait(lambda: created(api, namespace), "reviews come through")
    status, answer = await ask()
    assert status == 403
    assert answer == b"reviews are taken from who shows a client certificate of reviewAuthority\n"
    assert (await ask(shown=clients.issue("somebody", ["somebody"])))[0] == 200
    with pytest.raises(aiohttp.ClientError):
        await ask(shown=other.issue("stranger", ["stranger"]))
    # Neither the kubelet nor kube-scheduler shows one.
    assert (await call("GET", "/readyz"))[0] == 200
    assert (await call("POST", "/filter", source=STRANGER))[0] == 400
