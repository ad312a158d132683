"""A server whose handlers do as the test says, and clients of it that write what they like."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hami_admission.certificates import authority, context
from hami_admission.control.http import Reply, Route, Server

if TYPE_CHECKING:
    from collections.abc import Callable

POST = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


ESTABLISHED = "01"
"""The state of a connection in /proc/net/tcp."""


class Rig:
    """A server whose handler waits at a gate; ``entered`` are the sizes that it was asked with."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.metered: list[int] = []
        self.entered: list[int] = []
        self.server = Server({})
        self.port = 0

    async def echo(self, body: bytes) -> Reply:
        self.entered.append(len(body))
        await self.gate.wait()
        return Reply(b"%d" % len(body))

    async def slow(self, body: bytes) -> Reply:
        await asyncio.sleep(0.4)
        return await self.echo(body)

    async def long(self, _: bytes) -> Reply:
        return Reply(b"x" * 20_000_000)

    async def start(self, tls: ssl.SSLContext | None = None, *, grace: float = 0.1) -> None:
        routes = {
            ("POST", "/echo"): Route(self.echo, 1 << 20),
            ("POST", "/near"): Route(self.echo, 1 << 20, local=True),
            ("GET", "/echo"): Route(self.echo),
            ("GET", "/long"): Route(self.long),
            ("POST", "/slow"): Route(self.slow, 1 << 20, seconds=0.5),
        }
        self.server = Server(routes, lambda _, status, __: self.metered.append(status), grace=grace)
        self.port = await self.server.start("127.0.0.1", 0, tls)

    @property
    def connections(self) -> int:
        """That the other ends of are open, as the system sees it."""
        return sum(
            line.split()[1:4:2] == [f"0100007F:{self.port:04X}", ESTABLISHED]
            for line in Path("/proc/net/tcp").read_text().splitlines()
        )

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def post(self, body: bytes, head: bytes = POST) -> bytes:
        """The whole answer; ``head`` is that of the request."""
        reader, writer = await self.connect()
        writer.write(head % len(body) + body)
        async with asyncio.timeout(5):
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
            answer += await reader.readexactly(length)
        writer.close()
        return answer


def a_context() -> ssl.SSLContext:
    """With a certificate."""
    tls = context.create()
    context.load(tls, authority.create(("127.0.0.1",), datetime.now(UTC)))
    return tls


def careless() -> ssl.SSLContext:
    """For a client who knows whom it talks to."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


async def until(check: Callable[[], bool]) -> None:
    """It becomes true within seconds."""
    async with asyncio.timeout(5):
        while not check():  # noqa: ASYNC110 - of another's state, which tells nobody
            await asyncio.sleep(0.01)


async def ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The other side closes, in an orderly way or not."""
    with suppress(ConnectionResetError):
        async with asyncio.timeout(5):
            assert await reader.read() == b""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
