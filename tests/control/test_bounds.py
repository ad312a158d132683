"""Bodies that are slow, large, many or broken: each has a bound, and the others are served."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

import pytest

from hami_admission.control import http, memory
from hami_admission.control.room import Room
from tests.control.rig import POST, until

if TYPE_CHECKING:
    from tests.control.rig import Rig

pytestmark = pytest.mark.virtual_time


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


async def test_a_compressed_body_is_not_inflated(rig: Rig) -> None:
    await rig.start()
    packed = gzip.compress(b"x" * 1_000_000)
    answer = await rig.post(packed, POST.replace(b"Host", b"Content-Encoding: gzip\r\nHost"))
    assert answer.endswith(b"\r\n\r\n%d" % len(packed))


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
