"""Annotations of a decision that an account of device plugins damages: its card stays taken."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.cluster.api import Api, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import ADDRESS, node_annotations
from tests.cluster.test_doctor import Doctor
from tests.cluster.test_placement import placed
from tests.cluster.test_quota import create, gpu_pod
from tests.cluster.test_waiting import told

if TYPE_CHECKING:
    from tests.cluster.product import Product

ALLOCATED = "hami.io/vgpu-devices-allocated"
SEEN = "hami.io/env-0.nvidia-visible-devices"


async def write(product: Product, namespace: str, text: str) -> None:
    """The annotation of the pod ``runs``, as a device plugin."""
    plane = product.plane
    async with Api(plane.url, plane.ca_file, plane.token("plugin")) as plugin:
        patch = {"metadata": {"annotations": {ALLOCATED: text}}}
        await plugin.patch(KINDS["Pod"].path(namespace, "runs"), patch)


async def says(api: Api, namespace: str, words: str, reason: str, pod: str) -> None:
    """Wait for an event of the pod with these words."""

    async def ask() -> bool:
        return any(words in each["message"] for each in await told(api, namespace, reason, pod))

    await wait(ask, f"{reason}: {words}", 40)


async def damaged(number: int) -> None:
    """Wait until the metric counts so many pods."""

    async def ask() -> bool:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{ADDRESS}:9395/metrics") as answer,
        ):
            return f"hami_admission_damaged_pods {number}.0" in await answer.text()

    await wait(ask, f"{number} damaged", 40)


@pytest.mark.probe(7)
async def test_a_damaged_pod_keeps_its_card_until_it_is_put_right(
    product: Product, api: Api, namespace: str
) -> None:
    notes = node_annotations("n1", 2)
    await api.add_node("n1", annotations=notes, extra={"nvidia.com/gpu": "20"})
    await create(api, gpu_pod(namespace, "runs", memory=60000))
    annotations = (await placed(api, namespace, "runs"))["metadata"]["annotations"]
    right, card = annotations[ALLOCATED], annotations[SEEN]
    (other,) = {"GPU-n1-0", "GPU-n1-1"} - {card}
    await write(product, namespace, right.replace(",60000,", ",many,"))
    await says(api, namespace, "it keeps what it was seen to hold", "CardsUnreadable", "runs")
    await damaged(1)
    # A process that starts has not seen it as it was.
    assert product.process is not None
    await asyncio.to_thread(product.process.stop)
    await product.ensure(api)
    await says(api, namespace, f"nobody else is given {card}", "CardsUnreadable", "runs")
    await damaged(1)
    await create(api, gpu_pod(namespace, "small", memory=1000))
    small = await placed(api, namespace, "small")
    assert small["metadata"]["annotations"][SEEN] == other
    await create(api, gpu_pod(namespace, "two", count=2, memory=1000))
    await says(api, namespace, "1 node CardUseUnknown(n1)", "FilteringFailed", "two")
    # Nothing of it names a card.
    await write(product, namespace, "none")
    await says(api, namespace, "no such card of node n1 is given", "CardsUnreadable", "runs")
    await create(api, gpu_pod(namespace, "one", memory=1000))
    await says(api, namespace, "1 node CardUseUnknown(n1)", "FilteringFailed", "one")
    found = await Doctor(product.plane, namespace).finds("placed pods", "no such card of node n1")
    assert found
    await write(product, namespace, right)
    await damaged(0)
    for name in ("one", "two"):
        await placed(api, namespace, name)
