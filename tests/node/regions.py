"""Usage regions as the library's C compiler lays them out: told in C's own terms, by ctypes."""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_int32, c_uint32, c_uint64
from typing import Any

import msgspec

from hami_admission.node.region import V1, Card, Process, Region, Used, Write

MAGIC = 19920718
GIB = 1 << 30


class Semaphore(ctypes.LittleEndianStructure):
    """sem_t of glibc on 64 bits: 32 bytes, aligned as a long."""

    _fields_ = (("words", c_uint64 * 4),)


class Used0(ctypes.LittleEndianStructure):
    """Bytes by kind."""

    _fields_ = tuple((name, c_uint64) for name in ("context", "module", "data", "offset", "total"))


class Used1(ctypes.LittleEndianStructure):
    """With room for more."""

    _fields_ = (*Used0._fields_, ("unused", c_uint64 * 3))


class Busy0(ctypes.LittleEndianStructure):
    """Percent."""

    _fields_ = (("dec", c_uint64), ("enc", c_uint64), ("sm", c_uint64))


class Busy1(ctypes.LittleEndianStructure):
    """With room for more."""

    _fields_ = (*Busy0._fields_, ("unused", c_uint64 * 3))


class Process0(ctypes.LittleEndianStructure):
    """One process."""

    _fields_ = (
        ("pid", c_int32),
        ("hostpid", c_int32),
        ("used", Used0 * 16),
        ("monitorused", c_uint64 * 16),
        ("device_util", Busy0 * 16),
        ("status", c_int32),
    )


class Process1(ctypes.LittleEndianStructure):
    """One process, with its sequence."""

    _fields_ = (
        ("pid", c_int32),
        ("hostpid", c_int32),
        ("used", Used1 * 16),
        ("monitorused", c_uint64 * 16),
        ("device_util", Busy1 * 16),
        ("status", c_int32),
        ("seqlock", c_uint64),
        ("unused", c_uint64 * 2),
    )


class Uuid(ctypes.LittleEndianStructure):
    """A text with its final zero."""

    _fields_ = (("text", c_char * 96),)


_CARDS = (
    ("device_num", c_uint64),
    ("uuids", Uuid * 16),
    ("limit", c_uint64 * 16),
    ("sm_limit", c_uint64 * 16),
)
_TAIL = (
    ("proc_num", c_int32),
    ("utilization_switch", c_int32),
    ("recent_kernel", c_int32),
    ("priority", c_int32),
)


class Region0(ctypes.LittleEndianStructure):
    """Before there were versions."""

    _fields_ = (
        ("initialized_flag", c_int32),
        ("sm_init_flag", c_int32),
        ("owner_pid", c_uint32),
        ("sem", Semaphore),
        *_CARDS,
        ("procs", Process0 * 1024),
        *_TAIL,
    )


class Region1(ctypes.LittleEndianStructure):
    """Versions 1.1 and 1.2."""

    _fields_ = (
        ("initialized_flag", c_int32),
        ("major_version", c_uint32),
        ("minor_version", c_uint32),
        ("sm_init_flag", c_int32),
        ("owner_pid", c_uint64),
        ("sem", Semaphore),
        *_CARDS,
        ("procs", Process1 * 1024),
        *_TAIL,
        ("last_kernel_time", c_uint64),
        ("sem_postinit", Semaphore),
    )


VERSIONS = ((0, 0), (1, 1), (1, 2))


def new(version: tuple[int, int] = (1, 2), cards: tuple[str, ...] = ("GPU-a",), **tail: int) -> Any:
    """As the library leaves it after its start, with cards of 8 GiB and 30 percent."""
    made: Any = Region1() if version[0] else Region0()
    if version[0]:
        made.major_version, made.minor_version = version
    made.initialized_flag = MAGIC
    made.device_num = len(cards)
    made.utilization_switch, made.recent_kernel, made.priority = 1, 2, 1
    for position, uuid in enumerate(cards):
        made.uuids[position].text = uuid.encode()
        made.limit[position] = 8 * GIB
        made.sm_limit[position] = 30
    for name, value in tail.items():
        setattr(made, name, value)
    return made


def join(made: Any, pid: int, *, host_pid: int = 0, data: int = 0, sm: int = 0) -> Any:
    """One more process, with bytes and percent on each of the cards."""
    process = made.procs[made.proc_num]
    made.proc_num += 1
    process.pid, process.hostpid, process.status = pid, host_pid, 1
    for position in range(made.device_num):
        process.used[position].data = process.used[position].total = data
        process.device_util[position].sm = sm
    return process


def file(made: Any) -> bytes:
    """With the byte by which the library makes the file long enough."""
    return bytes(made) + b"\0"


NOW = 1_700_000_000


def task(
    priority: int = 1,
    *,
    recent: int = 0,
    switch: int = 0,
    ago: int | None = None,
    cards: tuple[str, ...] = ("GPU-a",),
    host_pids: tuple[int, ...] = (),
) -> Region:
    """A region as it is read: its last kernel so many seconds before NOW, nothing on the cards."""
    nothing = Used(0, 0, 0, 0, 0, 0)
    return Region(
        layout=V1,
        version=(1, 2),
        cards=tuple(Card(position, uuid, 0, 30) for position, uuid in enumerate(cards)),
        processes=tuple(
            Process(pid, host_pid, 1, False, (nothing,) * len(cards))
            for pid, host_pid in enumerate(host_pids, 1)
        ),
        utilization_switch=switch,
        recent_kernel=recent,
        priority=priority,
        last_kernel=None if ago is None else NOW - ago,
    )


def written(region: Region, writes: tuple[Write, ...]) -> Region:
    """The region afterwards."""
    for write in writes:
        name = {
            V1.recent_kernel: "recent_kernel",
            V1.utilization_switch: "utilization_switch",
        }[write.offset]
        region = msgspec.structs.replace(region, **{name: write.value})
    return region
