"""A device plugin without an agent, and the kubelet's view of who has what."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hami_admission.agent.kubelet import Kubelet
from hami_admission.agent.plugin import Plugin
from hami_admission.agent.podresources import PodResources
from hami_admission.node.ids import Offer
from hami_admission.node.response import Response
from tests.cluster.api import wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from tests.cluster.node_rig import NodeRig

Owner = tuple[str, str, str]
"""Namespace, pod, container."""


class Plain:
    """A container that gets devices finds their ids in ``DEVICES``."""

    def preferred(self, available: Sequence[str], must: Sequence[str], size: int) -> list[str]:
        """The first."""
        return [*must, *(each for each in available if each not in must)][:size]

    def allocate(self, devices: Sequence[str]) -> Response:
        """The ids as they were asked for."""
        return Response({"DEVICES": ",".join(sorted(devices))})

    async def objection(self, devices: Sequence[str]) -> str:
        """None."""
        return ""


@asynccontextmanager
async def offered(node: NodeRig, resource: str, devices: Sequence[str]) -> AsyncIterator[None]:
    """Serves a plugin for the resource, registered with the node's kubelet."""
    plugin = Plugin(resource, Plain())
    await plugin.offer([Offer(each, healthy=True) for each in devices])
    kubelet = Kubelet(node.device_plugins, [plugin], "other")
    task = asyncio.create_task(kubelet.run())
    try:
        await wait(_registered(kubelet), "registered at the kubelet")
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await kubelet.stop()


def _registered(kubelet: Kubelet) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return kubelet.registrations > 0

    return ask


async def allocated(node: NodeRig, resource: str) -> dict[Owner, list[str]]:
    """The ids of a resource that containers of the node hold, as the kubelet tells."""
    return {
        (each.namespace, each.pod, each.container): sorted(each.devices)
        for each in await PodResources(node.pod_resources).holdings()
        if each.resource == resource
    }
