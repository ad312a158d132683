"""No bytes do worse than Unreadable, and what is read is within the bounds of the layout."""

from __future__ import annotations

import struct
from contextlib import suppress
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from hami_admission.node import region
from hami_admission.node.region import V0, V1, Layout, Region, Unreadable
from tests.budgets import times
from tests.node import regions


def in_use(version: tuple[int, int]) -> bytes:
    made = regions.new(version, ("GPU-a", "GPU-b"))
    for pid in (1, 2, 3):
        regions.join(made, pid, data=pid * regions.GIB, sm=pid)
    return regions.file(made)


FILES = {version: in_use(version) for version in regions.VERSIONS}
files = st.sampled_from(sorted(FILES)).map(FILES.__getitem__)
"""Whole files of every version, three processes on two cards."""


def boundaries(layout: Layout) -> set[int]:
    """Where one thing ends and the next begins."""
    inner = (0, 8, layout.driver, layout.busy, layout.status, layout.process_size)
    return {
        *(layout.devices, layout.uuids, layout.memory_limits, layout.core_limits),
        *(layout.processes + each for each in inner),
        *(layout.tail, layout.utilization_switch, layout.recent_kernel, layout.size),
    }


EDGES = sorted({0, 4, 8, 12, *boundaries(V0), *boundaries(V1)})
near = st.builds(int.__add__, st.sampled_from(EDGES), st.integers(-1, 1)).filter(lambda n: n >= 0)


def sound(found: Region) -> None:
    assert len(found.cards) <= region.MAX_CARDS
    assert len(found.processes) <= region.MAX_PROCESSES
    assert len({each.pid for each in found.processes}) == len(found.processes)
    for card in found.cards:
        assert card.uuid.isprintable()
        assert min(card.memory_limit, card.core_limit) >= 0
        for process in found.processes:
            used = process.used[card.position]
            assert min(used.context, used.module, used.data, used.total, used.driver, used.sm) >= 0
            assert used.total < 2**63


def attempt(data: bytes) -> Region | None:
    with suppress(Unreadable):
        found = region.read(data)
        if found is not None:
            sound(found)
        return found
    return None


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    assert attempt(data) is None


@given(
    st.sampled_from((V0, V1)),
    st.integers(0, 1),
    st.integers(0, 17),
    st.integers(-1, 1025),
    st.integers(),
)
@settings(max_examples=times(0.4), deadline=None)  # Two megabytes each.
def test_noise_of_the_right_length(
    layout: Layout, more: int, cards: int, processes: int, seed: int
) -> None:
    """As it is, and behind a beginning and counts that let it pass for a region."""
    noise = bytearray(Random(seed).randbytes(layout.size + more))
    attempt(bytes(noise))
    noise[:12] = struct.pack("<iii", region.MAGIC, 1, 2)
    noise[layout.devices : layout.devices + 8] = struct.pack("<Q", cards)
    noise[layout.tail : layout.tail + 4] = struct.pack("<i", processes)
    found = attempt(bytes(noise))
    assert (found is not None) == (cards <= 16 and 0 <= processes <= 1024)


@given(files, near)
@settings(deadline=None)
def test_cut_off_anywhere(data: bytes, length: int) -> None:
    """Less than all of it is never taken for a region with something on it."""
    whole = attempt(data)
    assert whole is not None
    found = attempt(data[:length])
    if length >= len(data) - 1:
        assert found == whole
    else:
        assert found is None or (found.cards, found.processes) == ((), ())


places = st.one_of(near, st.integers(0, V1.size))
patches = st.lists(st.tuples(places, st.binary(min_size=1, max_size=16)), min_size=1, max_size=8)


@given(files, patches)
@settings(max_examples=times(2), deadline=None)
def test_bytes_that_were_written_over(data: bytes, changes: list[tuple[int, bytes]]) -> None:
    changed = bytearray(data)
    for place, content in changes:
        if place + len(content) <= len(changed):
            changed[place : place + len(content)] = content
    attempt(bytes(changed))


@given(files, places, st.integers(0, 7))
@settings(max_examples=times(2), deadline=None)
def test_a_bit_that_was_flipped(data: bytes, place: int, bit: int) -> None:
    changed = bytearray(data)
    changed[min(place, len(data) - 1)] ^= 1 << bit
    attempt(bytes(changed))
