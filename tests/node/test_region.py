"""The usage region in every layout (facts/node.md 2.4), told in C's terms and read in ours."""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.node import region
from hami_admission.node.region import Card, Process, Unreadable, Used
from tests.node import regions
from tests.node.regions import GIB, VERSIONS, Busy0, Busy1, Process0, Process1, Region0, Region1

if TYPE_CHECKING:
    from collections.abc import Callable

OFFSETS: dict[str, tuple[Any, int]] = {
    "1.x, version": (Region1.major_version, 4),
    "1.x, owner": (Region1.owner_pid, 16),
    "1.x, number of cards": (Region1.device_num, 56),
    "1.x, names of cards": (Region1.uuids, 64),
    "1.x, memory limits": (Region1.limit, 1600),
    "1.x, core limits": (Region1.sm_limit, 1728),
    "1.x, processes": (Region1.procs, 1856),
    "1.x, number of processes": (Region1.proc_num, 2008896),
    "1.x, switch": (Region1.utilization_switch, 2008900),
    "1.x, recent kernel": (Region1.recent_kernel, 2008904),
    "1.x, priority": (Region1.priority, 2008908),
    "1.x, last kernel": (Region1.last_kernel_time, 2008912),
    "1.x, second semaphore": (Region1.sem_postinit, 2008920),
    "1.x, a process's memory as the driver says": (Process1.monitorused, 1032),
    "1.x, a process's utilisation": (Process1.device_util, 1160),
    "1.x, a process's status": (Process1.status, 1928),
    "1.x, a process's sequence": (Process1.seqlock, 1936),
    "0, semaphore": (Region0.sem, 16),
    "0, number of cards": (Region0.device_num, 48),
    "0, names of cards": (Region0.uuids, 56),
    "0, memory limits": (Region0.limit, 1592),
    "0, core limits": (Region0.sm_limit, 1720),
    "0, processes": (Region0.procs, 1848),
    "0, number of processes": (Region0.proc_num, 1197880),
    "0, priority": (Region0.priority, 1197892),
    "0, a process's memory as the driver says": (Process0.monitorused, 648),
    "0, a process's utilisation": (Process0.device_util, 776),
    "0, a process's status": (Process0.status, 1160),
}


@pytest.mark.parametrize("sentence", OFFSETS)
def test_what_the_tests_write_lies_where_the_facts_say(sentence: str) -> None:
    field, offset = OFFSETS[sentence]
    assert field.offset == offset


SIZES = {Region0: 1197896, Region1: 2008952, Process0: 1168, Process1: 1960, Busy0: 24, Busy1: 48}


@pytest.mark.parametrize("kind", SIZES)
def test_and_is_as_long(kind: type[ctypes.LittleEndianStructure]) -> None:
    assert ctypes.sizeof(kind) == SIZES[kind]


def full(version: tuple[int, int]) -> Any:
    """Sixteen cards, 1024 processes, every number another one."""
    made = regions.new(version, tuple(f"GPU-{position}" for position in range(16)))
    for position in range(16):
        made.limit[position] = 1000 + position
        made.sm_limit[position] = 50 + position
    for number in range(1024):
        process = regions.join(made, number + 1, host_pid=number + 5000)
        process.status = number % 3
        for position in range(16):
            base = (number * 16 + position) * 10
            used = process.used[position]
            used.context, used.module, used.data = base, base + 1, base + 2
            used.offset, used.total = base + 3, base + 4
            process.monitorused[position] = base + 5
            busy = process.device_util[position]
            busy.dec, busy.enc, busy.sm = base + 6, base + 7, base + 8
    made.utilization_switch, made.recent_kernel, made.priority = 0, -1, 7
    if version[0]:
        made.last_kernel_time = 1_700_000_000
    return made


@pytest.mark.parametrize("version", VERSIONS)
def test_every_number_of_a_full_region(version: tuple[int, int]) -> None:
    found = region.read(regions.file(full(version)))
    assert found is not None
    assert found.version == version
    assert found.cards == tuple(Card(n, f"GPU-{n}", 1000 + n, 50 + n) for n in range(16))
    assert found.processes == tuple(
        Process(
            number + 1,
            number + 5000,
            number % 3,
            False,
            tuple(
                Used(base, base + 1, base + 2, base + 4, base + 5, base + 8)
                for base in range(number * 160, number * 160 + 160, 10)
            ),
        )
        for number in range(1024)
    )
    assert (found.utilization_switch, found.recent_kernel, found.priority) == (0, -1, 7)
    assert found.last_kernel == (1_700_000_000 if version[0] else None)


def test_longer_and_newer_files_are_read() -> None:
    """An edge reads READ_BYTES at most; a minor version keeps what was there."""
    made = regions.new((1, 3))
    expected = region.read(regions.file(made))
    assert expected is not None
    assert expected.version == (1, 3)
    assert region.read(regions.file(made) + b"x" * 4096) == expected
    assert region.read(regions.file(made)[: region.READ_BYTES]) == expected


def patched(name: str, value: object) -> bytes:
    made = regions.new()
    setattr(made, name, value)
    return regions.file(made)


NOT_YET = {
    "a file that was just created": b"",
    "zeros up to the end": bytes(2008953),
    "zeros up to the end, version 0": bytes(1197897),
    "everything but the flag, which comes last": patched("initialized_flag", 0),
}


@pytest.mark.parametrize("sentence", NOT_YET)
def test_not_yet_laid_out(sentence: str) -> None:
    assert region.read(NOT_YET[sentence]) is None


FOREIGN = {
    "a text": (b"hello\n", r"^6 bytes, not 1197896 nor 2008952 and more$"),
    "zeros, cut off": (bytes(4096), r"^4096 bytes"),
    "one byte less": (bytes(regions.new())[:-1], r"^2008951 bytes"),
    "one byte less, version 0": (bytes(regions.new((0, 0)))[:-1], r"^1197895 bytes"),
    "version 1, cut off behind the end of version 0": (bytes(regions.new())[:1500000], r"^15000"),
    "another flag": (patched("initialized_flag", 1), r"^begins with 1, not with 19920718$"),
    "the flag of the other byte order": (
        patched("initialized_flag", struct.unpack(">i", struct.pack("<i", 19920718))[0]),
        r"^begins with",
    ),
    "version 0 in a file of version 1": (patched("major_version", 0), r"^version 0.2, not 1.x$"),
    "version 2": (patched("major_version", 2), r"^version 2.2, not 1.x$"),
    "17 cards": (patched("device_num", 17), r"^17 cards, more than 16$"),
    "2**64 - 1 cards": (patched("device_num", 2**64 - 1), r"cards, more than 16$"),
    "1025 processes": (patched("proc_num", 1025), r"^1025 processes, not 0 to 1024$"),
    "fewer processes than none": (patched("proc_num", -1), r"^-1 processes"),
}


@pytest.mark.parametrize("sentence", FOREIGN)
def test_foreign_and_cut_off(sentence: str) -> None:
    data, pattern = FOREIGN[sentence]
    with pytest.raises(Unreadable, match=pattern):
        region.read(data)


def named(text: bytes) -> Callable[[Any], None]:
    def change(made: Any) -> None:
        ctypes.memmove(ctypes.addressof(made.uuids[1]), text.ljust(96, b"\0"), 96)

    return change


NAMES = {
    "not there yet": (b"", None),
    "not ASCII": ("GPU-é".encode(), None),
    "not UTF-8": (b"GPU-\xff\xfe", None),
    "a line end": (b"GPU-1\n", None),
    "something behind the final zero": (b"GPU-1\0\xff\xff", "GPU-1"),
    "no final zero": (b"x" * 96, "x" * 96),
}


@pytest.mark.parametrize("sentence", NAMES)
def test_names_of_cards(sentence: str) -> None:
    """Cards without a proper name are left out; the others keep their positions."""
    text, expected = NAMES[sentence]
    made = regions.new(cards=("GPU-0", "", "GPU-2"))
    named(text)(made)
    found = region.read(regions.file(made))
    assert found is not None
    names = [(card.position, card.uuid) for card in found.cards]
    assert names == [(0, "GPU-0"), *([(1, expected)] if expected else []), (2, "GPU-2")]


def test_cards_that_the_library_has_not_named_yet() -> None:
    found = region.read(regions.file(regions.new(cards=())))
    assert found is not None
    assert (found.cards, found.processes) == ((), ())


def test_places_behind_the_number_of_processes_are_stale() -> None:
    """Who leaves is replaced by the last, whose own place keeps what it held."""
    made = regions.new()
    for pid in (1, 2, 3):
        regions.join(made, pid, data=pid * GIB)
    made.procs[0] = made.procs[2]
    made.proc_num = 2
    made.procs[2].used[0].total = GIB // 2  # what it had held
    found = region.read(regions.file(made))
    assert found is not None
    assert [(each.pid, each.used[0].total) for each in found.processes] == [
        (3, 3 * GIB),
        (2, 2 * GIB),
    ]
    # Read before the copy and after the number, or the other way round: nobody counts twice.
    made.proc_num = 3
    torn = region.read(regions.file(made))
    assert torn == found


def test_places_that_nobody_has_are_passed_over() -> None:
    made = regions.new()
    regions.join(made, 0, data=GIB)
    regions.join(made, -5, data=GIB)
    regions.join(made, 7, data=GIB)
    found = region.read(regions.file(made))
    assert found is not None
    assert [each.pid for each in found.processes] == [7]


def test_a_process_that_is_writing() -> None:
    """Only version 1.2 has a sequence; before, the same bytes mean nothing."""
    for version, expected in (((1, 1), False), ((1, 2), True)):
        made = regions.new(version)
        regions.join(made, 1).seqlock = 4
        regions.join(made, 2).seqlock = 7
        found = region.read(regions.file(made))
        assert found is not None
        assert [each.writing for each in found.processes] == [False, expected]
        assert found.writing is expected


def test_counters_that_went_below_zero_count_nothing() -> None:
    made = regions.new()
    process = regions.join(made, 1, data=GIB)
    process.used[0].data = 2**64 - GIB
    process.monitorused[0] = 2**64 - 1
    made.last_kernel_time = 2**64 - 1
    found = region.read(regions.file(made))
    assert found is not None
    assert found.processes[0].used == (Used(0, 0, 0, GIB, 0, 0),)
    assert found.last_kernel is None


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_written_changes_its_own_four_bytes(version: tuple[int, int]) -> None:
    made = full(version)
    data = regions.file(made)
    before = region.read(data)
    assert before is not None
    for write, changed in (
        (region.set_recent_kernel(before, region.BLOCKED), {"recent_kernel": -1}),
        (region.set_recent_kernel(before, 1), {"recent_kernel": 1}),
        (region.set_utilization_switch(before, 1), {"utilization_switch": 1}),
    ):
        assert (len(write.data), write.offset % 4) == (4, 0)
        after = data[: write.offset] + write.data + data[write.offset + 4 :]
        assert region.read(after) == msgspec.structs.replace(before, **changed)
