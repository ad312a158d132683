"""What users see of the placement on the real kube-scheduler, and how the process ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests import build
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import Product, node_annotations

Json = dict[str, Any]


async def node(api: Api, name: str, cards: int = 2) -> None:
    """A node with cards, labelled with its name."""
    notes = node_annotations(name, cards)
    await api.add_node(name, annotations=notes, extra={"nvidia.com/gpu": "20"})


async def placed(api: Api, namespace: str, name: str) -> Json:
    """The pod, once it has a node."""

    async def ask() -> Json:
        pod: Json = await api.get(KINDS["Pod"].path(namespace, name))
        return pod if pod["spec"].get("nodeName") else {}

    return await wait(ask, f"{name} bound")


def gpu_pod(name: str, **fields: Any) -> Json:
    """A pod with a share of a card."""
    amounts = fields.pop("amounts", build.gpu(1, memory=8000))
    return build.pod_json(build.container(limits=amounts), name=name, **fields)


@pytest.mark.usefixtures("product")
async def test_the_reasons_of_every_card_stand_in_the_pods_event(api: Api, namespace: str) -> None:
    await node(api, "n1")
    pod = gpu_pod("large", namespace=namespace, amounts=build.gpu(1, memory=131072))
    await api.create(KINDS["Pod"].path(namespace), pod)

    async def told() -> str:
        events = (await api.get(KINDS["Event"].path(namespace)))["items"]
        failed = [each["message"] for each in events if each["reason"] == "FailedScheduling"]
        return failed[0] if failed else ""

    assert "2/2 CardInsufficientMemory" in await wait(told, "event of the refusal")


@pytest.mark.usefixtures("product")
async def test_binpack_fills_a_node_and_spread_takes_the_other(api: Api, namespace: str) -> None:
    for name in ("n1", "n2"):
        await node(api, name)
    path = KINDS["Pod"].path(namespace)
    await api.create(path, gpu_pod("first", namespace=namespace))
    first = (await placed(api, namespace, "first"))["spec"]["nodeName"]
    await api.create(path, gpu_pod("second", namespace=namespace))
    assert (await placed(api, namespace, "second"))["spec"]["nodeName"] == first
    notes = {"hami.io/node-scheduler-policy": "spread"}
    await api.create(path, gpu_pod("third", namespace=namespace, annotations=notes))
    assert (await placed(api, namespace, "third"))["spec"]["nodeName"] != first


@pytest.mark.usefixtures("product")
async def test_the_replicas_of_a_workload_are_packed_as_single_pods_are(
    api: Api, namespace: str
) -> None:
    for name in ("n1", "n2", "n3"):
        await node(api, name)
    labels = {"app": "server"}
    template = gpu_pod("t", labels=labels)
    workload = {
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": "server", "namespace": namespace},
        "spec": {
            "replicas": 6, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
        },
    }  # fmt: skip
    service = {
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "server", "namespace": namespace},
        "spec": {"selector": labels, "ports": [{"port": 80}]},
    }  # fmt: skip
    await api.apply(service, workload)

    async def bound() -> list[str]:
        pods = await api.list(KINDS["Pod"].path(namespace))
        names = [each["spec"].get("nodeName", "") for each in pods]
        return names if len(names) == 6 and all(names) else []

    assert len(set(await wait(bound, "replicas bound"))) == 1


@pytest.mark.usefixtures("product")
async def test_a_node_that_the_user_prefers_wins_and_the_booking_follows(
    api: Api, namespace: str
) -> None:
    for name in ("n1", "n2"):
        await node(api, name)
    path = KINDS["Pod"].path(namespace)
    await api.create(path, gpu_pod("first", namespace=namespace))
    first = (await placed(api, namespace, "first"))["spec"]["nodeName"]
    (other,) = {"n1", "n2"} - {first}
    term = {"key": "kubernetes.io/hostname", "operator": "In", "values": [other]}
    preferred = [{"weight": 100, "preference": {"matchExpressions": [term]}}]
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    await api.create(path, gpu_pod("second", namespace=namespace, affinity=affinity))
    second = await placed(api, namespace, "second")
    assert second["spec"]["nodeName"] == other
    notes = second["metadata"]["annotations"]
    assert notes["hami.io/vgpu-node"] == other
    assert notes["hami.io/env-0.nvidia-visible-devices"].startswith(f"GPU-{other}-")


@pytest.mark.usefixtures("product")
async def test_opting_out_does_not_open_the_cards(api: Api, namespace: str) -> None:
    path = KINDS["Pod"].path(namespace)
    label = {"hami.io/webhook": "ignore"}
    with pytest.raises(ApiFailure, match="was not rewritten, because it or its namespace has"):
        await api.create(path, gpu_pod("out", namespace=namespace, labels=label))
    await api.create(path, build.pod_json(build.container(), namespace=namespace, labels=label))


async def test_asked_to_stop_the_process_ends_in_order(product: Product) -> None:
    process = product.process
    assert process is not None
    await asyncio.to_thread(process.stop)
    assert process.returncode == 0
    assert "stopped" in process.tail(3)
