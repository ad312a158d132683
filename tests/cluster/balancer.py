"""What a Service does, as a process: passes connections on to the replicas that are ready.

``python -m tests.cluster.balancer HOST:PORT BACKEND:PORT…``. Readiness is asked for as a kubelet
does; a replica that refuses a connection is passed over, as one whose container has ended is when
kube-proxy has heard of it. Connections that stand are left alone, as kube-proxy leaves them.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
import sys

import aiohttp
import uvloop

PERIOD_SECONDS, TIMEOUT_SECONDS = 0.5, 1.0


class Balancer:
    """Round robin over ``backends``, those that are ready first."""

    def __init__(self, backends: list[str]) -> None:
        self._backends = backends
        self._ready: set[str] = set()
        self._turn = itertools.count()
        self._open: set[asyncio.Task[None]] = set()

    async def probe(self, backend: str) -> None:
        """For ever, as a readiness probe with a threshold of one."""
        careless = ssl.create_default_context()
        careless.check_hostname = False
        careless.verify_mode = ssl.CERT_NONE
        limit = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=limit) as session:
            while True:
                ready = False
                with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                    answer = await session.get(f"https://{backend}/readyz", ssl=careless)
                    await answer.read()
                    ready = answer.status == 200
                (self._ready.add if ready else self._ready.discard)(backend)
                await asyncio.sleep(PERIOD_SECONDS)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            there = await self._connect()
            if there is not None:
                back = asyncio.create_task(copy(there[0], writer))
                await copy(reader, there[1])
                await back
        finally:
            writer.close()
            self._open.discard(task)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        turn = next(self._turn)
        ready = [each for each in self._backends if each in self._ready]
        for step in range(len(ready)):
            host, _, port = ready[(turn + step) % len(ready)].rpartition(":")
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(host, int(port))
        return None


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on what is read, until there is no more."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


async def main(listen: str, *backends: str) -> None:
    """Until it is killed."""
    balancer = Balancer(list(backends))
    host, _, port = listen.rpartition(":")
    server = await asyncio.start_server(balancer.serve, host, int(port), backlog=1024)
    async with server, asyncio.TaskGroup() as tasks:
        for backend in backends:
            tasks.create_task(balancer.probe(backend))


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
