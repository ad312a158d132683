"""Pods that find no room: what they are told, and that room is given away at once."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests import build
from tests.cluster.api import Api, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import ADDRESS, a_quota, call, node_annotations
from tests.cluster.test_placement import gpu_pod, node, placed
from tests.cluster.test_quota import shows

if TYPE_CHECKING:
    from tests.cluster.control_plane import ControlPlane

Json = dict[str, Any]
WHOLE = build.gpu(1)


async def told(api: Api, namespace: str, reason: str, pod: str) -> list[Json]:
    """The Events of a pod with that reason."""
    return [
        each
        for each in await api.list(KINDS["Event"].path(namespace))
        if each["reason"] == reason and each["involvedObject"]["name"] == pod
    ]


async def create(api: Api, namespace: str, name: str, amounts: Json, **fields: Any) -> None:
    pod = gpu_pod(name, namespace=namespace, amounts=amounts, **fields)
    await api.create(KINDS["Pod"].path(namespace), pod)


async def refused(api: Api, namespace: str, name: str) -> None:
    """Wait until kube-scheduler was told no."""

    async def ask() -> bool:
        pod = await api.get(KINDS["Pod"].path(namespace, name))
        conditions = pod.get("status", {}).get("conditions", [])
        return any(each["type"] == "PodScheduled" for each in conditions)

    await wait(ask, f"{name} refused")


@pytest.mark.usefixtures("product")
async def test_success_is_told_with_node_and_score(api: Api, namespace: str) -> None:
    await node(api, "n1")
    await create(api, namespace, "p", build.gpu(1, memory=8000))
    (filtered,) = await wait(lambda: told(api, namespace, "FilteringSucceed", "p"), "told")
    assert filtered["message"] == "find fit node(n1), 0 nodes not fit, 1 node fit(n1:0.00)"
    (bound,) = await wait(lambda: told(api, namespace, "BindingSucceed", "p"), "told")
    assert bound["message"] == (f"Successfully binding node [n1] to {namespace}/p, score 0.00")
    assert filtered["type"] == bound["type"] == "Normal"


@pytest.mark.usefixtures("product")
async def test_a_refusal_is_one_event_however_often_it_happens(api: Api, namespace: str) -> None:
    await node(api, "n1")
    await create(api, namespace, "large", build.gpu(1, memory=131072))
    await wait(lambda: told(api, namespace, "FilteringFailed", "large"), "told")
    for n in range(5):  # each makes kube-scheduler ask again
        await api.patch(
            KINDS["Node"].path(name="n1"), {"metadata": {"annotations": {"note": str(n)}}}
        )
        await asyncio.sleep(0.3)

    async def counted() -> Json:
        (event,) = await told(api, namespace, "FilteringFailed", "large")
        return event if event["count"] > 1 else {}

    event = await wait(counted, "the event counted up", 20)
    assert event["type"] == "Warning"
    assert event["message"] == (
        "no available node, 1 node does not meet: 1 node CardInsufficientMemory(n1)"
    )


@pytest.mark.pain(9)
@pytest.mark.usefixtures("product")
async def test_a_freed_card_is_given_to_the_pod_that_waits(api: Api, namespace: str) -> None:
    await node(api, "n1", cards=1)
    path = KINDS["Pod"].path(namespace)
    await create(api, namespace, "holds-0", WHOLE)
    await placed(api, namespace, "holds-0")
    for n in range(5):
        await create(api, namespace, f"holds-{n + 1}", WHOLE)
        await refused(api, namespace, f"holds-{n + 1}")
        begun = time.monotonic()
        await api.delete(f"{path}/holds-{n}", gracePeriodSeconds=0)
        await placed(api, namespace, f"holds-{n + 1}")
        assert time.monotonic() - begun < 5  # five minutes without a wake; benchmarks say how long


@pytest.mark.usefixtures("product")
async def test_a_card_that_is_put_back_into_service_wakes(api: Api, namespace: str) -> None:
    await node(api, "n1", cards=1)
    path = KINDS["Node"].path(name="n1")
    await api.patch(path, {"metadata": {"annotations": {"hami.io/device-cordon": "GPU-n1-0"}}})
    await asyncio.sleep(0.5)
    await create(api, namespace, "p", WHOLE)
    await refused(api, namespace, "p")
    (event,) = await wait(lambda: told(api, namespace, "FilteringFailed", "p"), "told")
    assert "CardCordoned" in event["message"]
    await api.patch(path, {"metadata": {"annotations": {"hami.io/device-cordon": None}}})
    await placed(api, namespace, "p")


@pytest.mark.usefixtures("product")
async def test_a_quota_that_is_raised_wakes(api: Api, namespace: str) -> None:
    """Of that kube-scheduler knows nothing; it asks again because a node's annotation changes."""
    for name, size in (("small", 16384), ("large", 81920)):
        notes = node_annotations(name, 1, memory_mib=size)
        await api.add_node(name, annotations=notes, extra={"nvidia.com/gpu": "10"})
    await api.apply(a_quota(namespace, gpumem=10_000))
    await shows(api, namespace, gpumem=0)
    # Half of the small card may enter; on the large one it is too much.
    chosen = {"nodeSelector": {"kubernetes.io/hostname": "large"}}
    await create(api, namespace, "p", build.gpu(1, percent=50), **chosen)
    await refused(api, namespace, "p")
    (event,) = await wait(lambda: told(api, namespace, "FilteringFailed", "p"), "told")
    assert "ResourceQuotaNotFit" in event["message"]
    quota = KINDS["ResourceQuota"].path(namespace, "quota")
    await api.patch(quota, {"spec": {"hard": {"limits.nvidia.com/gpumem": "50000"}}})
    await placed(api, namespace, "p")
    annotations = (await api.get(KINDS["Node"].path(name="large")))["metadata"]["annotations"]
    others = (await api.get(KINDS["Node"].path(name="small")))["metadata"]["annotations"]
    assert "hami.io/wake" in {*annotations, *others}
    await shows(api, namespace, gpumem=40960)


@pytest.mark.pain(8)
@pytest.mark.usefixtures("product")
async def test_forty_pods_of_one_job_share_a_node(api: Api, namespace: str) -> None:
    await node(api, "n1", cards=8)
    path = KINDS["Pod"].path(namespace)
    amounts = build.gpu(1, memory=8000)
    pods = [gpu_pod(f"p-{n}", namespace=namespace, amounts=amounts) for n in range(40)]
    await asyncio.gather(*(api.create(path, pod) for pod in pods))

    async def bound() -> list[Json]:
        found = await api.list(path)
        return found if all(each["spec"].get("nodeName") for each in found) else []

    found = await wait(bound, "40 pods bound")
    cards = [
        each["metadata"]["annotations"]["hami.io/env-0.nvidia-visible-devices"] for each in found
    ]
    assert {card: cards.count(card) for card in set(cards)} == {f"GPU-n1-{n}": 5 for n in range(8)}


@pytest.mark.pain(8)
@pytest.mark.usefixtures("product")
async def test_a_thousand_pods_that_fit_nowhere_do_not_stand_in_the_way(
    api: Api, namespace: str
) -> None:
    await node(api, "n1", cards=1)
    path = KINDS["Pod"].path(namespace)
    gate = asyncio.Semaphore(100)

    async def one(number: int) -> None:
        async with gate:
            amounts = build.gpu(1, memory=131072)
            await api.create(path, gpu_pod(f"w-{number}", namespace=namespace, amounts=amounts))

    await asyncio.gather(*(one(number) for number in range(1000)))
    await refused(api, namespace, "w-999")
    await create(api, namespace, "fits", build.gpu(1, memory=8000))
    await placed(api, namespace, "fits")


@pytest.mark.usefixtures("product")
async def test_the_state_can_be_asked_for_and_explained(
    api: Api, control_plane: ControlPlane, namespace: str
) -> None:
    await node(api, "n1", cards=1)
    secret = [{"name": "PASSWORD", "value": "hunter2"}]
    pod = build.pod_json(
        build.container(limits=build.gpu(2, memory=1000), env=secret), name="waits",
        namespace=namespace,
    )  # fmt: skip
    await api.create(KINDS["Pod"].path(namespace), pod)
    await refused(api, namespace, "waits")
    status, body = await call("GET", "/snapshot")
    assert status == 200
    assert b"hunter2" not in body
    command = ["-m", "hami_admission", "explain", f"{namespace}/waits", "-o", "json"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, "--server", f"https://{ADDRESS}:443",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    found = json.loads(out)
    assert (process.returncode, found["state"]) == (1, "refused")
    assert found["changes"] == [
        {"what": "nvidia.com/gpu", "asked": "2", "enough": "at most 1", "node": "n1"}
    ]


@pytest.mark.usefixtures("product")
async def test_metrics_have_a_port_of_their_own(api: Api, namespace: str) -> None:
    await node(api, "n1", cards=1)
    await create(api, namespace, "p", build.gpu(1, memory=8000))
    await placed(api, namespace, "p")
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{ADDRESS}:9395/metrics") as answer,
    ):
        text = await answer.text()
    for words in (
        'hami_admission_request_duration_seconds_count{route="/filter",status="200"}',
        'hami_gpu_memory_limit_bytes{device_index="0",device_type="NVIDIA A100-SXM4-80GB"',
        "hami_admission_events_total",
    ):
        assert words in text
