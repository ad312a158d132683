"""Connections that are slow, silent or many: each has a bound, and the others are served."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import uvloop
from aiohttp import web

from hami_admission.control import app, connection, http, listener
from tests.control.rig import POST, Rig, a_context, careless, ended, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize("sent", [b"", b"POST /echo HT", b"POST /echo HTTP/1.1\r\nHost: x\r\n"])
async def test_who_asks_nothing_is_cut_off(rig: Rig, sent: bytes) -> None:
    await rig.start()
    reader, writer = await rig.connect()
    writer.write(sent)
    await ended(reader, writer)
    assert b" 200 " in await rig.post(b"x")


@pytest.mark.virtual_time(False)  # the system gives it up, by its own clock
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


async def test_a_handshake_that_does_not_end_is_ended(rig: Rig) -> None:
    await rig.start(a_context())
    connections = [await rig.connect() for _ in range(50)]
    begun = time.monotonic()
    for reader, writer in connections:
        await ended(reader, writer)
    assert time.monotonic() - begun >= 0.3


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


async def asked_once(rig: Rig) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that its client keeps."""
    reader, writer = await rig.connect()
    writer.write(POST % 1 + b"x")
    assert (await reader.readuntil(b"\r\n\r\n1")).startswith(b"HTTP/1.1 200 ")
    return reader, writer


async def test_idle_connections_are_closed_one_after_another(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks on one that still stands is answered, in the middle of our end."""
    monkeypatch.setattr(http, "PARTING_PAUSE", 0.2)
    monkeypatch.setattr(http, "PARTING_SECONDS", 9.0)
    await rig.start(grace=5.0)
    (first, *others, (reader, writer)) = [await asked_once(rig) for _ in range(4)]
    await asyncio.sleep(2 * connection.QUIET_SECONDS)
    stopping = asyncio.create_task(rig.server.stop())
    await ended(*first)
    writer.write(POST % 1 + b"x")
    head = await reader.readuntil(b"\r\n\r\n1")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"Connection: close" in head
    for each in (*others, (reader, writer)):
        await ended(*each)
    await stopping


async def test_what_has_come_when_we_end_is_answered(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body still under way, a handler still at work."""
    monkeypatch.setattr(http, "BODY_SECONDS", 5.0)
    await rig.start(grace=5.0)
    half, asked = [await asked_once(rig) for _ in range(2)]
    rig.gate.clear()
    half[1].write(POST % 2 + b"x")
    asked[1].write(POST % 1 + b"x")
    await until(lambda: len(rig.entered) == 3)
    await asyncio.sleep(2 * connection.QUIET_SECONDS)
    stopping = asyncio.create_task(rig.server.stop())
    await asyncio.sleep(0.3)
    half[1].write(b"y")
    rig.gate.set()
    for (reader, writer), length in ((half, b"2"), (asked, b"1")):
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n" + length)
        assert head.startswith(b"HTTP/1.1 200 ")
        await ended(reader, writer)
    await stopping


async def test_more_connections_than_allowed_are_closed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "MOST_CONNECTIONS", 3)
    await rig.start()
    held = [await rig.connect() for _ in range(3)]
    await asyncio.sleep(0.05)
    begun = time.monotonic()
    await ended(*await rig.connect())
    assert time.monotonic() - begun < 0.3, "not because it asked nothing"
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
def uncollected() -> Iterator[None]:
    """The garbage collector does not run."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.virtual_time(False)  # uvloop waits by a clock of its own
@pytest.mark.usefixtures("uncollected")
def test_a_failed_handshake_leaves_nothing_for_the_collector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the loop that the process has; the standard library's leaves garbage of its own."""
    monkeypatch.setattr(http, "HEADER_SECONDS", 0.5)

    def protocols() -> int:
        return sum(isinstance(each, web.RequestHandler) for each in gc.get_objects())

    async def failing() -> None:
        rig = Rig()
        await rig.start(a_context())
        before = protocols()
        held = [await rig.connect() for _ in range(3)]
        await until(lambda: protocols() == before + 3)
        for reader, writer in held:
            writer.write(b"no handshake" * 10)
            await ended(reader, writer)
        await until(lambda: protocols() == before)
        await rig.server.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(failing())


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
