"""Who has which devices, by the kubelet's own word (PodResources v1)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import msgspec

from hami_admission.agent.protocol import podresources_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Sequence

SOCKET = Path("/var/lib/kubelet/pod-resources/kubelet.sock")
ASK_SECONDS = 5.0

ATTEMPTS, AGAIN_SECONDS = 5, 0.3
"""Where containers wait: the kubelet answers at most a hundred questions a second, of all who ask
(pkg/kubelet/apis/podresources, DefaultPodResourcesQPS)."""

_ANEW = (("grpc.use_local_subchannel_pool", 1),)
"""Otherwise a channel waits out what another has failed at before: the kubelet that was there."""


class Holding(msgspec.Struct, frozen=True):
    """The devices of one resource that a container has."""

    namespace: str
    pod: str
    container: str
    resource: str
    devices: frozenset[str]


class Unanswered(Exception):
    """The kubelet did not say; the message is its reason."""


class PodResources:
    """Asks anew each time: a kubelet that has restarted is another one."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._asking = asyncio.Lock()
        self._tickets = 0
        self._covered = 0
        self._last: list[Holding] = []

    async def holdings(self) -> list[Holding]:
        """What is given out; raises Unanswered."""
        answer: v1.ListPodResourcesResponse = await self._ask(
            "List", v1.ListPodResourcesRequest(), v1.ListPodResourcesResponse
        )
        return [
            Holding(pod.namespace, pod.name, container.name, *each)
            for pod in answer.pod_resources
            for container in pod.containers
            for each in _by_resource(container.devices)
        ]

    async def fresh(self) -> list[Holding]:
        """What is given out at some moment from now on; raises Unanswered.

        Who comes while a question is on its way shares the next one: forty pods that start at once
        are no forty questions.
        """
        self._tickets += 1
        mine = self._tickets
        async with self._asking:
            if self._covered < mine:
                covers = self._tickets
                self._last = await self._patiently()
                self._covered = covers
            return self._last

    async def _patiently(self) -> list[Holding]:
        for _ in range(ATTEMPTS - 1):
            with suppress(Unanswered):
                return await self.holdings()
            await asyncio.sleep(AGAIN_SECONDS)
        return await self.holdings()

    async def allocatable(self, resource: str) -> frozenset[str]:
        """The device ids of a resource that the kubelet gives out; raises Unanswered."""
        answer: v1.AllocatableResourcesResponse = await self._ask(
            "GetAllocatableResources",
            v1.AllocatableResourcesRequest(),
            v1.AllocatableResourcesResponse,
        )
        return dict(_by_resource(answer.devices)).get(resource, frozenset())

    async def _ask(self, method: str, request: Any, response: Any) -> Any:
        try:
            async with grpc.aio.insecure_channel(f"unix:{self._socket}", options=_ANEW) as channel:
                call = channel.unary_unary(
                    f"/v1.PodResourcesLister/{method}",
                    type(request).SerializeToString,
                    response.FromString,
                )
                return await call(request, timeout=ASK_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise Unanswered(f"{method}: {error.code().name}: {error.details()}") from error


def _by_resource(devices: Sequence[v1.ContainerDevices]) -> list[tuple[str, frozenset[str]]]:
    """The kubelet lists the devices of one resource in several parts, one for each NUMA node."""
    found: dict[str, set[str]] = {}
    for each in devices:
        found.setdefault(each.resource_name, set()).update(each.device_ids)
    return [(resource, frozenset(ids)) for resource, ids in found.items()]
