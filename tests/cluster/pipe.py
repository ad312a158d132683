"""A way for bytes from one address to another, as a process: stopped (SIGSTOP), it is a cut cable.

``python -m tests.cluster.pipe HOST:PORT TARGET:PORT``.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import cast

import uvloop


class Half(asyncio.Protocol):
    """One of the two connections of a way; passes on what it receives."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: Half | None = None
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass on what came before."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        for data in self._early:
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        """To the other side."""
        if self.other is not None:
            self.other.send(data)

    def connection_lost(self, _: Exception | None) -> None:
        """So is the other."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()

    def send(self, data: bytes) -> None:
        """Write, or keep until there is a connection."""
        if self.transport is None:
            self._early.append(data)
        else:
            self.transport.write(data)


class Entrance(Half):
    """The side that we listen on; opens the other when somebody comes."""

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__()
        self._target = target

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the way."""
        super().connection_made(transport)
        self.other = Half()
        self.other.other = self
        self._opening = asyncio.get_running_loop().create_task(self._open(self.other))

    async def _open(self, there: Half) -> None:
        with suppress(OSError):
            await asyncio.get_running_loop().create_connection(lambda: there, *self._target)
            return
        if self.transport is not None:
            self.transport.abort()


async def main(listen: str, target: str) -> None:
    """Until it is killed."""
    (host, _, port), (to, _, there) = listen.rpartition(":"), target.rpartition(":")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Entrance((to, int(there))), host, int(port))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
