"""Many large reviews at once, as a process: the test's own loop stays free to look on.

``python -m tests.cluster.flood HOST:PORT REQUESTS CONNECTIONS FILE…``: each file is a body, sent to
the path that its name says (``mutate.json`` to ``/mutate``), in turns. Prints one JSON object; see
`Outcome`.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import msgspec
import uvloop

STEP = 1 << 17
"""Bytes that are written at a time."""

HUNG_SECONDS = 30.0
"""Whoever has no answer then has none."""


class Outcome(msgspec.Struct):
    """What became of the requests."""

    answers: dict[str, int]
    """By path and status; ``later`` for a 503 that says when to come again, and words for those
    that got no answer."""
    slowest: float
    """Seconds, of those that were answered; from the first byte of the request."""
    seconds: float
    """All of them."""


class Flood:
    """Takes one request after the other from ``turns``, on any number of connections."""

    def __init__(self, host: str, port: int, bodies: dict[str, bytes], requests: int) -> None:
        self._where = host, port
        self._careless = ssl.create_default_context()
        self._careless.check_hostname = False
        self._careless.verify_mode = ssl.CERT_NONE
        self._turns = itertools.islice(itertools.cycle(bodies.items()), requests)
        self.answers: Counter[str] = Counter()
        self.slowest = 0.0

    async def run(self) -> None:
        """One connection; another when that is closed."""
        way: _Way | None = None
        for path, body in self._turns:
            if way is None:
                way = await _Way.open(*self._where, self._careless)
            begun = time.monotonic()
            try:
                async with asyncio.timeout(HUNG_SECONDS):
                    answer = await way.ask(path, body)
            except TimeoutError:
                answer = "hung"
            except (OSError, EOFError) as error:
                answer = type(error).__name__
            else:
                self.slowest = max(self.slowest, time.monotonic() - begun)
            self.answers[f"{path} {answer}"] += 1
            if not way.lasts:
                await way.close()
                way = None
        if way is not None:
            await way.close()


class _Way:
    """A connection, which ``lasts`` until one of both sides has had enough."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.lasts = True

    @classmethod
    async def open(cls, host: str, port: int, tls: ssl.SSLContext) -> _Way:
        return cls(*await asyncio.open_connection(host, port, ssl=tls))

    async def ask(self, path: str, body: bytes) -> str:
        """The status; the answer may come before the body has been sent."""
        self.lasts = False
        sending = asyncio.create_task(self._send(path, body))
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode().lower().split("\r\n")
            fields = dict(line.split(": ", 1) for line in lines if line)
            await self._reader.readexactly(int(fields["content-length"]))
        finally:
            sent = sending.done()
            sending.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await sending
        self.lasts = sent and fields.get("connection") != "close"
        status = first.split()[1]
        return "later" if status == "503" and "retry-after" in fields else status

    async def _send(self, path: str, body: bytes) -> None:
        self._writer.write(
            f"POST /{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        view = memoryview(body)
        for start in range(0, len(body), STEP):
            self._writer.write(view[start : start + STEP])
            await self._writer.drain()

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await self._writer.wait_closed()


async def main(where: str, requests: str, connections: str, *files: str) -> None:
    """All requests, then what became of them."""
    host, _, port = where.rpartition(":")
    flood = Flood(host, int(port), _bodies(files), int(requests))
    begun = time.monotonic()
    await asyncio.gather(*(flood.run() for _ in range(int(connections))))
    outcome = Outcome(dict(flood.answers), flood.slowest, time.monotonic() - begun)
    sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")


def _bodies(files: tuple[str, ...]) -> dict[str, bytes]:
    return {Path(file).stem: Path(file).read_bytes() for file in files}


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
