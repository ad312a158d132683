"""Nodes whose device plugins are of others: one pod at a time, under a lock (devices.md 1.5)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from hami_admission.wire import keys
from tests import build
from tests.cluster import hami
from tests.cluster.api import Api, wait
from tests.cluster.kinds import KINDS
from tests.cluster.others import running
from tests.cluster.product import node_annotations
from tests.cluster.test_placement import placed
from tests.cluster.test_quota import create, gpu_pod
from tests.cluster.test_waiting import told

if TYPE_CHECKING:
    from tests.cluster.product import Product

Json = dict[str, Any]


async def hami_node(api: Api, name: str, lock: str | None = None) -> None:
    """A node with eight cards and HAMi's device plugin."""
    notes = {**node_annotations(name), keys.NVIDIA_HANDSHAKE: hami.REPORTED}
    if lock is not None:
        notes[keys.NODE_LOCK] = lock
    await api.add_node(name, annotations=notes, extra={"nvidia.com/gpu": "80"})


def on(node: str, pod: Json) -> Json:
    """The pod, for that node alone."""
    pod["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node}
    return pod


async def served(api: Api, namespace: str, name: str) -> Json:
    """The pod, once the plugin has given it its cards."""

    async def ask() -> Json:
        pod: Json = await api.get(KINDS["Pod"].path(namespace, name))
        phase = pod["metadata"].get("annotations", {}).get(keys.BIND_PHASE)
        return pod if phase == keys.BIND_PHASE_SUCCESS else {}

    return await wait(ask, f"{name} served", 60)


def stamp() -> str:
    """Now, as locks have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_twenty_pods_of_one_node_are_handed_over_one_after_another(
    product: Product, api: Api, namespace: str
) -> None:
    for name in ("n1", "n2"):
        await hami_node(api, name)
    names = [f"p{n}" for n in range(20)]
    with running(product.plane, hami.plugin("n1", "n2")):
        await asyncio.gather(
            *(create(api, on("n1", gpu_pod(namespace, each, memory=4000))) for each in names)
        )
        await create(api, on("n2", gpu_pod(namespace, "elsewhere", memory=4000)))
        other = await served(api, namespace, "elsewhere")
        pods = await asyncio.gather(*(served(api, namespace, each) for each in names))
        await wait(lambda: unlocked(api, "n1"), "the plugin has taken the last lock away")
    assert other["spec"]["nodeName"] == "n2"
    for pod in pods:
        notes = pod["metadata"]["annotations"]
        assert pod["spec"]["nodeName"] == "n1"
        assert notes[keys.NVIDIA_TO_ALLOCATE] == ";"
        assert notes[keys.NVIDIA_ALLOCATED].endswith(",NVIDIA,4000,0:;")


async def unlocked(api: Api, name: str) -> bool:
    """Is the node free?"""
    node = await api.get(KINDS["Node"].path(name=name))
    return keys.NODE_LOCK not in node["metadata"]["annotations"]


async def test_who_holds_the_lock_is_waited_for_and_not_for_ever(
    product: Product, api: Api, namespace: str
) -> None:
    """Of HAMi's scheduler, which runs beside ours: its pod is there, and its lock is young."""
    await create(api, build.pod_json(build.container(), name="theirs", namespace=namespace))
    await hami_node(api, "n1", f"{stamp()},{namespace},theirs")
    with running(product.plane, hami.plugin("n1")):
        await create(api, on("n1", gpu_pod(namespace, "ours", memory=4000)))
        (event, *_) = await wait(
            lambda: told(api, namespace, "BindingFailed", "ours"), "it waits, and says so", 30
        )
        assert "node n1 is locked for its device plugin (hami.io/mutex.lock: " in event["message"]
        # Twenty seconds, in these tests, are as long as a plugin is believed.
        await served(api, namespace, "ours")


async def test_a_plugin_that_dies_with_the_lock_holds_up_no_other_node(
    product: Product, api: Api, namespace: str
) -> None:
    for name in ("n1", "n2"):
        await hami_node(api, name)
    with running(product.plane, hami.plugin("n2")):
        await create(api, on("n1", gpu_pod(namespace, "first", memory=4000)))
        first = await placed(api, namespace, "first")
        assert first["metadata"]["annotations"][keys.BIND_PHASE] == keys.BIND_PHASE_ALLOCATING
        await create(api, on("n1", gpu_pod(namespace, "second", memory=4000)))
        await create(api, on("n2", gpu_pod(namespace, "elsewhere", memory=4000)))
        await served(api, namespace, "elsewhere")
        second = await api.get(KINDS["Pod"].path(namespace, "second"))
        assert "nodeName" not in second["spec"]
        await wait(lambda: _bound(api, namespace, "second"), "the lock is given up", 60)
    node = await api.get(KINDS["Node"].path(name="n1"))
    assert node["metadata"]["annotations"][keys.NODE_LOCK].endswith(f",{namespace},second")


async def _bound(api: Api, namespace: str, name: str) -> bool:
    pod = await api.get(KINDS["Pod"].path(namespace, name))
    return "nodeName" in pod["spec"]


@pytest.mark.usefixtures("product")
async def test_a_node_of_our_agent_needs_no_lock(api: Api, namespace: str) -> None:
    await api.add_node("n1", annotations=node_annotations("n1"), extra={"nvidia.com/gpu": "80"})
    await create(api, gpu_pod(namespace, "p", memory=4000))
    pod = await placed(api, namespace, "p")
    assert pod["metadata"]["annotations"][keys.BIND_PHASE] == keys.BIND_PHASE_SUCCESS
    node = await api.get(KINDS["Node"].path(name="n1"))
    assert keys.NODE_LOCK not in node["metadata"]["annotations"]
