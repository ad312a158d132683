"""Clients that are slow, silent or many: each has a bound, and the others are served."""

from __future__ import annotations

import asyncio
import gc
import gzip
import resource
import socket
import ssl
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hami_admission.certificates import authority, context
from hami_admission.control import app, http, listener, memory
from hami_admission.control.http import Reply, Route, Server
from hami_admission.control.room import Room

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

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

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        routes = {
            ("POST", "/echo"): Route(self.echo, 1 << 20),
            ("POST", "/near"): Route(self.echo, 1 << 20, local=True),
            ("GET", "/echo"): Route(self.echo),
            ("GET", "/long"): Route(self.long),
            ("POST", "/slow"): Route(self.slow, 1 << 20, seconds=0.5),
        }
        self.server = Server(routes, lambda _, status, __: self.metered.append(status), grace=0.1)
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


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(http, "HEADER_SECONDS", 0.5)
    monkeypatch.setattr(http, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(http, "ROOM_SECONDS", 0.3)
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", 0.5)
    made = Rig()
    yield made
    await made.server.stop()


@pytest.mark.parametrize("sent", [b"", b"POST /echo HT", b"POST /echo HTTP/1.1\r\nHost: x\r\n"])
async def test_who_asks_nothing_is_cut_off(rig: Rig, sent: bytes) -> None:
    await rig.start()
    reader, writer = await rig.connect()
    writer.write(sent)
    await ended(reader, writer)
    assert b" 200 " in await rig.post(b"x")


async def test_a_body_that_does_not_come_is_not_waited_for(rig: Rig) -> None:
    await rig.start()
    reader, writer = await rig.connect()
    writer.write(POST % 10 + b"x")
    async with asyncio.timeout(5):
        assert b" 408 " in await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def test_a_body_and_its_answer_share_their_time(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of both has enough of it alone."""
    await rig.start()
    reader, writer = await rig.connect()
    writer.write(POST.replace(b"/echo", b"/slow") % 2 + b"x")
    await asyncio.sleep(0.25)
    writer.write(b"x")
    async with asyncio.timeout(5):
        assert b" 504 " in await reader.readuntil(b"\r\n\r\n")
        assert await reader.readline() == b"not answered within 0.5 s\n"
    assert not caplog.records
    writer.close()


async def test_who_goes_away_while_sending_is_no_failure_of_ours(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    await rig.start()
    _, writer = await rig.connect()
    writer.write(POST % 10 + b"x")
    await asyncio.sleep(0.1)  # until it is read
    writer.transport.abort()
    await until(lambda: bool(rig.metered))
    assert rig.metered == [http.GONE]
    assert not caplog.records


@pytest.mark.parametrize("secured", [False, True])
async def test_who_takes_nothing_of_an_answer_is_given_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, secured: bool
) -> None:
    monkeypatch.setattr(listener, "UNREAD_SECONDS", 0.5)
    await rig.start(a_context() if secured else None)
    tls = careless() if secured else None
    _, writer = await asyncio.open_connection("127.0.0.1", rig.port, ssl=tls, limit=1)
    writer.write(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(lambda: rig.metered == [200])
    assert rig.connections == 1
    await until(lambda: rig.connections == 0)
    writer.transport.abort()


async def test_a_compressed_body_is_not_inflated(rig: Rig) -> None:
    await rig.start()
    packed = gzip.compress(b"x" * 1_000_000)
    answer = await rig.post(packed, POST.replace(b"Host", b"Content-Encoding: gzip\r\nHost"))
    assert answer.endswith(b"\r\n\r\n%d" % len(packed))


async def test_a_handshake_that_does_not_end_is_ended(rig: Rig) -> None:
    await rig.start(a_context())
    connections = [await rig.connect() for _ in range(50)]
    begun = time.monotonic()
    for reader, writer in connections:
        await ended(reader, writer)
    assert time.monotonic() - begun >= 0.3


@pytest.fixture
async def full(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Two large bodies are answered when the gate opens, and there is no room for more."""
    for name, size in (("LARGE_BYTES", 250), ("SMALL_BYTES", 40), ("SMALL", 20)):
        monkeypatch.setattr(http, name, size)
    await rig.start()
    rig.gate.clear()
    return rig


async def fill(rig: Rig) -> list[asyncio.Task[bytes]]:
    """They are being answered."""
    tasks = [asyncio.create_task(rig.post(b"x" * 120)) for _ in range(2)]
    await until(lambda: rig.entered == [120, 120])
    return tasks


async def test_more_bodies_than_there_is_room_for_are_put_off_unread(full: Rig) -> None:
    waiting = await fill(full)
    refused = await full.post(b"x" * 100)
    assert b" 503 " in refused
    assert b"Retry-After: 1" in refused
    assert b"Connection: close" in refused
    full.gate.set()
    assert all(b" 200 " in each for each in await asyncio.gather(*waiting))
    assert full.entered == [120, 120]
    assert b" 200 " in await full.post(b"x" * 100)


async def test_room_that_comes_free_in_time_is_given_in_order(full: Rig) -> None:
    await fill(full)
    waiting = []
    for size in (101, 102, 103, 104):
        waiting.append(asyncio.create_task(full.post(b"x" * size)))
        await asyncio.sleep(0.02)
    full.gate.set()
    assert all(b" 200 " in each for each in await asyncio.gather(*waiting))
    assert full.entered == [120, 120, 101, 102, 103, 104]


async def test_large_bodies_are_not_overtaken() -> None:
    room, entered = Room(100), []
    await room.take(60, 1)
    await room.take(40, 1)

    async def enter(size: int) -> None:
        await room.take(size, 5)
        entered.append(size)

    large, less = asyncio.create_task(enter(80)), asyncio.create_task(enter(30))
    await asyncio.sleep(0)
    room.give_back(40)
    await asyncio.sleep(0.05)
    assert not entered
    room.give_back(60)
    await large
    assert entered == [80]
    room.give_back(80)
    await less


async def test_small_bodies_do_not_wait_for_large_ones(full: Rig) -> None:
    await fill(full)
    large = asyncio.create_task(full.post(b"x" * 100))
    small = [asyncio.create_task(full.post(b"x" * 20)) for _ in range(2)]
    await until(lambda: full.entered == [120, 120, 20, 20])
    assert b" 503 " in await full.post(b"x" * 20), "no more of them than there is room for"
    assert b" 503 " in await large
    full.gate.set()
    assert all(b" 200 " in each for each in await asyncio.gather(*small))


async def test_a_body_of_unknown_length_takes_the_room_of_the_longest(rig: Rig) -> None:
    places = http.LARGE_BYTES >> 20
    await rig.start()
    rig.gate.clear()
    chunked = POST.replace(b"Content-Length: %d", b"X: %d\r\nTransfer-Encoding: chunked")
    ways = [asyncio.create_task(rig.post(b"", chunked + b"1\r\nx\r\n0\r\n\r\n")) for _ in range(50)]
    await until(lambda: len(rig.metered) == 50 - places)
    assert set(rig.metered) == {503}
    rig.gate.set()
    answers = await asyncio.gather(*ways)
    assert sum(b" 200 " in each for each in answers) == places


async def test_a_flood_of_reviews_leaves_kube_scheduler_and_probes_their_way(full: Rig) -> None:
    await fill(full)
    small = [asyncio.create_task(full.post(b"x" * 20)) for _ in range(4)]
    await until(lambda: full.entered == [120, 120, 20, 20])
    near = asyncio.create_task(full.post(b"x" * 100, POST.replace(b"/echo", b"/near")))
    probe = asyncio.create_task(full.post(b"", b"GET /echo HTTP/1.1\r\nHost: x\r\nX: %d\r\n\r\n"))
    await until(lambda: sorted(full.entered) == [0, 20, 20, 100, 120, 120])
    assert not full.metered, "others still wait"
    full.gate.set()
    for each in await asyncio.gather(near, probe, *small[:2]):
        assert b" 200 " in each


async def test_who_goes_away_while_waiting_takes_no_room(full: Rig) -> None:
    tasks = await fill(full)
    reader, writer = await full.connect()
    writer.write(POST % 240 + b"x")
    await asyncio.sleep(0.05)
    writer.transport.abort()
    full.gate.set()
    await asyncio.gather(*tasks)
    assert b" 200 " in await full.post(b"x" * 240)
    assert not await reader.read()


async def test_after_a_crowd_memory_is_given_back_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(http, "CROWD_BYTES", 1000)
    monkeypatch.setattr(memory, "give_back", lambda: calls.append(1))
    await rig.start()
    await rig.post(b"x")
    await asyncio.sleep(1.2)  # a look, for which there is no reason
    assert not calls
    await rig.post(b"x" * 2000)
    await asyncio.sleep(2.2)
    assert calls == [1]


async def test_who_leaves_ends_each_connection_with_an_answer(rig: Rig) -> None:
    await rig.start()
    assert b"Connection: close" not in await rig.post(b"x")
    reader, writer = await rig.connect()
    rig.server.leave()
    writer.write(POST % 1 + b"x")
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head
    assert b"Connection: close" in head
    assert await reader.readexactly(1) == b"1"
    await ended(reader, writer)


async def test_more_connections_than_allowed_are_closed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "MOST_CONNECTIONS", 3)
    await rig.start()
    held = [await rig.connect() for _ in range(3)]
    await asyncio.sleep(0.05)
    reader, writer = await rig.connect()
    await ended(reader, writer)
    for _, each in held:
        each.close()
        with suppress(OSError):
            await each.wait_closed()
    await asyncio.sleep(0.1)
    assert b" 200 " in await rig.post(b"x")


async def test_handshakes_count_among_the_connections(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One too many is closed at once, before its handshake; when they end there is room again."""
    monkeypatch.setattr(listener, "MOST_CONNECTIONS", 3)
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", 2.0)
    await rig.start(a_context())
    held = [await rig.connect() for _ in range(3)]
    begun = time.monotonic()
    await ended(*await rig.connect())
    assert time.monotonic() - begun < 1
    for reader, writer in held:
        await ended(reader, writer)
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port, ssl=careless())
    writer.write(POST % 1 + b"x")
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    writer.close()


@pytest.fixture
def files() -> Iterator[tuple[int, int]]:
    """The limits of files that the process may have open; as before afterwards."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield limits
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_without_a_file_descriptor_connections_wait(
    rig: Rig,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    files: tuple[int, int],
) -> None:
    monkeypatch.setattr(listener, "NO_FILES_SECONDS", 0.1)
    await rig.start()
    client = socket.socket()
    with socket.socket() as probe:
        lowest = probe.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, files[1]))
    client.connect(("127.0.0.1", rig.port))
    await until(lambda: "connections not accepted" in caplog.text)
    resource.setrlimit(resource.RLIMIT_NOFILE, files)
    reader, writer = await asyncio.open_connection(sock=client)
    writer.write(POST % 1 + b"x")
    assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.close()


@pytest.mark.usefixtures("tuned")
def test_as_many_files_may_be_open_as_the_system_allows(files: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files[1] - 1, files[1]))
    app.tune()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (files[1], files[1])


@pytest.fixture
def tuned() -> Iterator[None]:
    """What else the process is tuned by, as before afterwards."""
    threshold, interval = gc.get_threshold(), sys.getswitchinterval()
    yield
    gc.set_threshold(*threshold)
    sys.setswitchinterval(interval)
