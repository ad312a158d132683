"""Pods that wait for a card: they cost what they were admitted with, and hold up nobody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from hami_admission.wire import keys
from tests import build
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.load import admitted
from tests.cluster.product import SETTINGS, a_quota, node_annotations
from tests.cluster.test_placement import placed
from tests.cluster.test_quota import create, shows

if TYPE_CHECKING:
    from tests.cluster.product import Product

Json = dict[str, Any]

MANY = 700
"""More than had room among the charges in flight when those that wait were among them."""


def whole(namespace: str, name: str) -> Json:
    """It asks for a whole card, and nobody looks for one: what waits is meant here."""
    container = build.container(limits=build.gpu(1))
    gates = [{"name": "example.com/later"}]
    return build.pod_json(container, name=name, namespace=namespace, schedulingGates=gates)


async def no_holds(api: Api, namespace: str) -> bool:
    """Is nothing in flight?"""
    (quota,) = await api.list(KINDS["ResourceQuota"].path(namespace))
    return keys.QUOTA_HOLDS not in quota["metadata"].get("annotations", {})


async def card(api: Api, name: str, memory_mib: int) -> None:
    """A node with one card of that size, for pods that have its label."""
    notes = node_annotations(name, 1, memory_mib=memory_mib)
    await api.add_node(name, annotations=notes, extra={"nvidia.com/gpu": "10"})


@pytest.mark.timeout(300)
@pytest.mark.probe(5)
async def test_hundreds_that_wait_leave_room_for_more_and_cost_what_they_did(
    product: Product, api: Api, namespace: str
) -> None:
    await card(api, "large", 40001)
    await api.apply(a_quota(namespace, gpu=10_000, gpumem=100_000_000))
    await shows(api, namespace, gpu=0, gpumem=0)
    path = KINDS["Pod"].path(namespace)
    gate = asyncio.Semaphore(20)

    async def one(number: int) -> None:
        async with gate:
            assert await admitted(api, whole(namespace, f"w-{number}"))

    await asyncio.gather(*(one(number) for number in range(MANY)))
    await shows(api, namespace, gpu=MANY, gpumem=MANY * 40001)
    await wait(lambda: no_holds(api, namespace), "what was seen is in flight no more")
    # Neither a smaller card nor a start of ours makes them cheaper, nor does the larger one's end
    # make them dearer.
    await card(api, "small", 10000)
    made = await create(api, whole(namespace, "later"))
    noted = made["metadata"]["annotations"][keys.ADMITTED_AMOUNTS]
    assert noted == "nvidia.com/gpu=1,nvidia.com/gpucores=100,nvidia.com/gpumem=10000"
    product.stop()
    await product.ensure(api)
    await shows(api, namespace, gpu=MANY + 1, gpumem=MANY * 40001 + 10000)
    await api.delete(f"{path}/w-0")
    await shows(api, namespace, gpu=MANY, gpumem=(MANY - 1) * 40001 + 10000)
    patch = {"metadata": {"annotations": {keys.ADMITTED_AMOUNTS: "nvidia.com/gpu=1"}}}
    with pytest.raises(ApiFailure, match="leave these as they are"):
        await api.patch(f"{path}/w-1", patch)


async def test_what_its_user_notes_is_written_anew(
    product: Product, api: Api, namespace: str
) -> None:
    await card(api, "n1", 40000)
    await api.apply(a_quota(namespace, gpu=10, gpumem=100_000))
    await shows(api, namespace, gpu=0, gpumem=0)
    pod = whole(namespace, "p")
    pod["metadata"]["annotations"] = {keys.ADMITTED_AMOUNTS: "nvidia.com/gpu=1,nvidia.com/gpumem=1"}
    await create(api, pod)
    await shows(api, namespace, gpu=1, gpumem=40000)


@pytest.mark.probe(8)
async def test_defaults_that_change_while_a_pod_waits_change_nothing_for_it(
    product: Product, api: Api, namespace: str
) -> None:
    await card(api, "n1", 40000)
    await api.apply(a_quota(namespace, gpu=10, gpumem=100_000))
    await shows(api, namespace, gpu=0, gpumem=0)
    await create(api, whole(namespace, "before"))
    await shows(api, namespace, gpu=1, gpumem=40000)
    product.stop()
    await product.start(told=f"{SETTINGS}nvidia: {{defaultMemory: 5000}}\n")
    await product.ensure(api)
    try:
        await create(api, whole(namespace, "after"))
        await shows(api, namespace, gpu=2, gpumem=45000)
        path = KINDS["Pod"].path(namespace, "before")
        await api.patch(path, {"spec": {"schedulingGates": None}})
        pod = await placed(api, namespace, "before")
        assert ",NVIDIA,40000,100:" in pod["metadata"]["annotations"][keys.NVIDIA_ALLOCATED]
        await shows(api, namespace, gpu=2, gpumem=45000)
    finally:
        product.stop()
