"""Keeps plugins registered at the kubelet: at its start, whenever it starts anew, and when another
plugin took a resource of ours."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from hami_admission.agent.plugin import VERSION, Plugin
from hami_admission.agent.protocol import deviceplugin_pb2 as v1beta1

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

FOLDER = Path("/var/lib/kubelet/device-plugins")
SOCKET = "kubelet.sock"

LOOK_SECONDS = 0.1
"""Between looks at the sockets: a pod that is bound while a restarted kubelet does not know us yet
fails for good."""

RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.2, 10.0
REGISTER_SECONDS = 5.0

Identity = tuple[int, int]
"""Inode and time of change of a socket: a new socket may get the inode of the old one."""


class Kubelet:
    """``run`` goes on for ever; ``again`` has all plugins registered once more.

    Sockets begin with the name of their ``maker``, so that those of others stay.
    """

    def __init__(self, folder: Path, plugins: Sequence[Plugin], maker: str = "hami") -> None:
        self._folder = folder
        self._maker = maker
        self._plugins = plugins
        self._again = False
        self.registrations = 0

    def again(self) -> None:
        """Somebody else has registered what is ours."""
        self._again = True

    async def run(self) -> None:
        """Register, and register anew when the kubelet is another one."""
        pause = RETRY_SECONDS
        while True:
            kubelet = _identity(self._folder / SOCKET)
            try:
                if kubelet is None:
                    await asyncio.sleep(LOOK_SECONDS)
                    continue
                await self._register()
            except (grpc.aio.AioRpcError, OSError, RuntimeError) as error:
                log.warning("not registered at the kubelet", extra={"error": _said(error)})
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_RETRY_SECONDS)
                continue
            pause = RETRY_SECONDS
            await self._until_changed(kubelet)

    async def stop(self) -> None:
        """Take the plugins away."""
        for plugin in self._plugins:
            await plugin.stop()
            self._socket(plugin).unlink(missing_ok=True)

    def _socket(self, plugin: Plugin) -> Path:
        return self._folder / f"{self._maker}-{plugin.resource.replace('/', '-')}.sock"

    async def _register(self) -> None:
        """A kubelet that starts empties the folder, so all sockets are made anew."""
        self._again = False
        for plugin in self._plugins:
            socket = self._socket(plugin)
            await plugin.serve(socket)
            request = v1beta1.RegisterRequest(
                version=VERSION,
                endpoint=socket.name,
                resource_name=plugin.resource,
                options=plugin.options,
            )
            async with grpc.aio.insecure_channel(f"unix:{self._folder / SOCKET}") as channel:
                register = channel.unary_unary(
                    "/v1beta1.Registration/Register",
                    v1beta1.RegisterRequest.SerializeToString,
                    v1beta1.Empty.FromString,
                )
                await register(request, timeout=REGISTER_SECONDS, wait_for_ready=True)
            log.info("registered at the kubelet", extra={"resource": plugin.resource})
            self.registrations += 1

    async def _until_changed(self, kubelet: Identity) -> None:
        while not self._again:
            if _identity(self._folder / SOCKET) != kubelet:
                return
            if any(_identity(self._socket(plugin)) is None for plugin in self._plugins):
                return
            await asyncio.sleep(LOOK_SECONDS)


def _identity(socket: Path) -> Identity | None:
    try:
        found = socket.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_ctime_ns)


def _said(error: BaseException) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return str(error) or type(error).__name__
