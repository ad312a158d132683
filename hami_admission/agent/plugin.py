"""The kubelet's device plugin protocol, v1beta1: one resource, served on one socket.

Allocate holds up every pod of the node, accelerators or not, so it answers from memory alone.
"""

from __future__ import annotations

import asyncio
import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import grpc

from hami_admission.agent.protocol import deviceplugin_pb2 as v1beta1

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from hami_admission.node.ids import Offer
    from hami_admission.node.response import Response

log = logging.getLogger(__name__)

VERSION = "v1beta1"
HEALTHY, UNHEALTHY = "Healthy", "Unhealthy"


class Answers(Protocol):
    """Who knows what the kubelet is to be answered."""

    def preferred(self, available: Sequence[str], must: Sequence[str], size: int) -> list[str]:
        """Which of these device ids it had best take."""

    def allocate(self, devices: Sequence[str]) -> Response:
        """What a container with these device ids gets."""

    async def objection(self, devices: Sequence[str]) -> str:
        """Why the container with these device ids must not start; empty where it may."""


class Plugin:
    """Serves a resource; ``offer`` replaces what is offered."""

    def __init__(self, resource: str, answers: Answers) -> None:
        self.resource = resource
        self.options = v1beta1.DevicePluginOptions(
            pre_start_required=True, get_preferred_allocation_available=True
        )
        self.allocations = 0
        self.seconds = 0.0
        """Spent on answers that the kubelet waits for."""
        self._answers = answers
        self.offers: tuple[Offer, ...] = ()
        self._number = 0
        self._changed = asyncio.Condition()
        self._server: grpc.aio.Server | None = None

    @property
    def ids(self) -> frozenset[str]:
        """The device ids that are offered."""
        return frozenset(each.id for each in self.offers)

    async def offer(self, offers: Sequence[Offer]) -> None:
        """What the node has now; told to the kubelet when it is something else than before."""
        if tuple(offers) == self.offers:
            return
        self.offers = tuple(offers)
        async with self._changed:
            self._number += 1
            self._changed.notify_all()

    async def serve(self, socket: Path) -> None:
        """Listen there, in place of where it was before."""
        await self.stop()
        socket.unlink(missing_ok=True)  # noqa: ASYNC240 - a folder in memory
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((self._handlers(),))
        server.add_insecure_port(f"unix:{socket}")
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """End what is asked and listen no more."""
        if self._server is not None:
            await self._server.stop(0.2)
            self._server = None

    def _handlers(self) -> grpc.GenericRpcHandler:
        def unary(method: Any, request: Any, response: Any) -> grpc.RpcMethodHandler[Any, Any]:
            return grpc.unary_unary_rpc_method_handler(
                method, request.FromString, response.SerializeToString
            )

        return grpc.method_handlers_generic_handler(
            "v1beta1.DevicePlugin",
            {
                "GetDevicePluginOptions": unary(
                    self._options, v1beta1.Empty, v1beta1.DevicePluginOptions
                ),
                "ListAndWatch": grpc.unary_stream_rpc_method_handler(
                    self._watch,
                    v1beta1.Empty.FromString,
                    v1beta1.ListAndWatchResponse.SerializeToString,
                ),
                "GetPreferredAllocation": unary(
                    self._preferred,
                    v1beta1.PreferredAllocationRequest,
                    v1beta1.PreferredAllocationResponse,
                ),
                "Allocate": unary(
                    self._allocate, v1beta1.AllocateRequest, v1beta1.AllocateResponse
                ),
                "PreStartContainer": unary(
                    self._starts,
                    v1beta1.PreStartContainerRequest,
                    v1beta1.PreStartContainerResponse,
                ),
            },
        )

    async def _options(self, request: Any, context: Any) -> v1beta1.DevicePluginOptions:
        return self.options

    async def _watch(
        self, request: Any, context: Any
    ) -> AsyncIterator[v1beta1.ListAndWatchResponse]:
        """The list, and again whenever it is another; until the kubelet goes away."""
        while True:
            number = self._number
            yield v1beta1.ListAndWatchResponse(devices=[_device(each) for each in self.offers])
            async with self._changed:
                while self._number == number:
                    await self._changed.wait()

    async def _preferred(
        self, request: v1beta1.PreferredAllocationRequest, context: Any
    ) -> v1beta1.PreferredAllocationResponse:
        begun = perf_counter()
        found = [
            self._answers.preferred(
                list(each.available_deviceIDs),
                list(each.must_include_deviceIDs),
                each.allocation_size,
            )
            for each in request.container_requests
        ]
        self.seconds += perf_counter() - begun
        return v1beta1.PreferredAllocationResponse(
            container_responses=[
                v1beta1.ContainerPreferredAllocationResponse(deviceIDs=each) for each in found
            ]
        )

    async def _allocate(
        self, request: v1beta1.AllocateRequest, context: Any
    ) -> v1beta1.AllocateResponse:
        begun = perf_counter()
        found = [
            _response(self._answers.allocate(list(each.devices_ids)))
            for each in request.container_requests
        ]
        self.allocations += len(found)
        self.seconds += perf_counter() - begun
        return v1beta1.AllocateResponse(container_responses=found)

    async def _starts(
        self, request: v1beta1.PreStartContainerRequest, context: Any
    ) -> v1beta1.PreStartContainerResponse:
        objection = await self._answers.objection(list(request.devices_ids))
        if objection:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, objection)
        return v1beta1.PreStartContainerResponse()


def _device(offer: Offer) -> v1beta1.Device:
    device = v1beta1.Device(ID=offer.id, health=HEALTHY if offer.healthy else UNHEALTHY)
    if offer.numa is not None:
        device.topology.nodes.add(ID=offer.numa)
    return device


def _response(found: Response) -> v1beta1.ContainerAllocateResponse:
    return v1beta1.ContainerAllocateResponse(
        envs=found.environment,
        mounts=[
            v1beta1.Mount(
                container_path=each.container, host_path=each.host, read_only=each.read_only
            )
            for each in found.mounts
        ],
        devices=[
            v1beta1.DeviceSpec(container_path=path, host_path=path, permissions="rw")
            for path in found.devices
        ],
        annotations=found.annotations,
        cdi_devices=[v1beta1.CDIDevice(name=name) for name in found.cdi],
    )
