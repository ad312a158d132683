"""The kubelet's side of the device plugin protocol, to the letter, on sockets of a folder."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import grpc

from hami_admission.agent.protocol import deviceplugin_pb2 as v1beta1
from hami_admission.agent.protocol import podresources_pb2 as v1

if TYPE_CHECKING:
    from pathlib import Path


class StandIn:
    """Takes registrations, follows the lists, asks for devices. ``restart`` empties the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registered: list[v1beta1.RegisterRequest] = []
        self.lists: list[dict[str, str]] = []
        self.pods: list[v1.PodResources] = []
        self.foreign: list[str] = []
        self._arrived = asyncio.Condition()
        self._server: grpc.aio.Server | None = None
        self._following: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._serve()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def restart(self) -> None:
        """As a kubelet does it: another socket, and no sockets of plugins."""
        await self.stop()
        for path in self.folder.glob("*.sock"):
            path.unlink()
        await self._serve()

    async def stop(self) -> None:
        """End."""
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        self._following.clear()
        if self._server is not None:
            await self._server.stop(None)
        (self.folder / "kubelet.sock").unlink(missing_ok=True)

    async def heard(self, lists: int) -> dict[str, str]:
        """Health by device id, of the list with that number (the first is 1)."""
        async with asyncio.timeout(10), self._arrived:
            await self._arrived.wait_for(lambda: len(self.lists) >= lists)
        return self.lists[lists - 1]

    async def registrations(self, count: int) -> None:
        """Wait for so many."""
        async with asyncio.timeout(10), self._arrived:
            await self._arrived.wait_for(lambda: len(self.registered) >= count)

    async def ask(self, method: str, request: Any, answer: Any) -> Any:
        """One question to the plugin that registered last."""
        socket = self.folder / self.registered[-1].endpoint
        async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
            call = channel.unary_unary(
                f"/v1beta1.DevicePlugin/{method}",
                type(request).SerializeToString,
                answer.FromString,
            )
            return await call(request, timeout=5, wait_for_ready=True)

    async def preferred(self, available: list[str], size: int) -> list[str]:
        """GetPreferredAllocation for one container."""
        one = v1beta1.ContainerPreferredAllocationRequest(
            available_deviceIDs=available, allocation_size=size
        )
        answer = await self.ask(
            "GetPreferredAllocation",
            v1beta1.PreferredAllocationRequest(container_requests=[one]),
            v1beta1.PreferredAllocationResponse,
        )
        return list(answer.container_responses[0].deviceIDs)

    async def allocate(self, *devices: str) -> v1beta1.ContainerAllocateResponse:
        """Allocate for one container."""
        one = v1beta1.ContainerAllocateRequest(devices_ids=devices)
        answer: v1beta1.AllocateResponse = await self.ask(
            "Allocate",
            v1beta1.AllocateRequest(container_requests=[one]),
            v1beta1.AllocateResponse,
        )
        return answer.container_responses[0]

    async def start(self, *devices: str) -> str:
        """PreStartContainer; gives the error, if it is one."""
        try:
            await self.ask(
                "PreStartContainer",
                v1beta1.PreStartContainerRequest(devices_ids=devices),
                v1beta1.PreStartContainerResponse,
            )
        except grpc.aio.AioRpcError as error:
            return error.details() or ""
        return ""

    def has(self, pod: str, container: str, *devices: str) -> None:
        """From now on a pod of namespace team has these devices."""
        held = v1.ContainerDevices(resource_name="nvidia.com/gpu", device_ids=devices)
        self.pods.append(
            v1.PodResources(
                name=pod,
                namespace="team",
                containers=[v1.ContainerResources(name=container, devices=[held])],
            )
        )

    async def _serve(self) -> None:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((
            grpc.method_handlers_generic_handler(
                "v1beta1.Registration",
                {"Register": _unary(self._register, v1beta1.RegisterRequest, v1beta1.Empty)},
            ),
            grpc.method_handlers_generic_handler(
                "v1.PodResourcesLister",
                {
                    "List": _unary(
                        self._list, v1.ListPodResourcesRequest, v1.ListPodResourcesResponse
                    ),
                    "GetAllocatableResources": _unary(
                        self._allocatable,
                        v1.AllocatableResourcesRequest,
                        v1.AllocatableResourcesResponse,
                    ),
                },
            ),
        ))
        server.add_insecure_port(f"unix:{self.folder / 'kubelet.sock'}")
        await server.start()
        self._server = server

    async def _register(self, request: v1beta1.RegisterRequest, context: Any) -> v1beta1.Empty:
        self._following.append(asyncio.create_task(self._follow(request.endpoint)))
        async with self._arrived:
            self.registered.append(request)
            self._arrived.notify_all()
        return v1beta1.Empty()

    async def _follow(self, endpoint: str) -> None:
        async with grpc.aio.insecure_channel(f"unix:{self.folder / endpoint}") as channel:
            watch = channel.unary_stream(
                "/v1beta1.DevicePlugin/ListAndWatch",
                v1beta1.Empty.SerializeToString,
                v1beta1.ListAndWatchResponse.FromString,
            )
            with suppress(grpc.aio.AioRpcError):
                async for each in watch(v1beta1.Empty(), wait_for_ready=True):
                    await self._heard(each)

    async def _heard(self, told: v1beta1.ListAndWatchResponse) -> None:
        async with self._arrived:
            self.lists.append({device.ID: device.health for device in told.devices})
            self._arrived.notify_all()

    async def _list(self, request: Any, context: Any) -> v1.ListPodResourcesResponse:
        return v1.ListPodResourcesResponse(pod_resources=self.pods)

    async def _allocatable(self, request: Any, context: Any) -> v1.AllocatableResourcesResponse:
        known = self.foreign or list(self.lists[-1] if self.lists else ())
        devices = [v1.ContainerDevices(resource_name="nvidia.com/gpu", device_ids=[each])
                   for each in known]  # fmt: skip
        return v1.AllocatableResourcesResponse(devices=devices)


def _unary(method: Any, request: Any, answer: Any) -> Any:
    return grpc.unary_unary_rpc_method_handler(method, request.FromString, answer.SerializeToString)
