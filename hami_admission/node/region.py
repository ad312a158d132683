"""The usage region that the isolation library shares with us: one file for each container.

Layouts of facts/node.md 2.4, all little-endian: version 0 (before there were versions), 1.1 and
1.2. Up to 16 cards and 1024 processes; a text for each card, then arrays by the card's position.
The file is writable by who runs in the container: nothing in it is trusted, and an edge should read
it, not map it (who may write to a file may cut it off under a mapping).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = 19920718
MAX_CARDS = 16
MAX_PROCESSES = 1024

BLOCKED = -1
"""Of ``recent_kernel``: the library holds launches back, looking again once a second."""

LAUNCHED = 2
"""Of ``recent_kernel``: what the library writes at a launch that it limits."""

_WORD = struct.Struct("<i")
_HEAD = struct.Struct("<iii")
_PAIR = struct.Struct("<ii")
_TAIL = struct.Struct("<iiii")
_LONG = struct.Struct("<Q")
_CARDS = struct.Struct(f"<{MAX_CARDS}Q")
_USED = struct.Struct("<QQQQQ")
_BUSY = struct.Struct("<QQQ")

_UUID_BYTES = 96
_SEQUENCE = 1936
"""Where a process of version 1.2 has its sequence, odd while its counters are written."""


class Unreadable(ValueError):
    """The bytes are no region that we know; the message says why."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Where things lie: bytes from the start of the file, in a process from the process's start."""

    size: int
    devices: int
    uuids: int
    memory_limits: int
    core_limits: int
    processes: int
    tail: int
    process_size: int
    used_size: int
    driver: int
    busy: int
    busy_size: int
    status: int

    @property
    def utilization_switch(self) -> int:
        """Behind the number of processes."""
        return self.tail + 4

    @property
    def recent_kernel(self) -> int:
        """Behind the switch; then comes the priority."""
        return self.tail + 8


V0 = Layout(
    size=1_197_896,
    devices=48,
    uuids=56,
    memory_limits=1592,
    core_limits=1720,
    processes=1848,
    tail=1_197_880,
    process_size=1168,
    used_size=40,
    driver=648,
    busy=776,
    busy_size=24,
    status=1160,
)
V1 = Layout(
    size=2_008_952,
    devices=56,
    uuids=64,
    memory_limits=1600,
    core_limits=1728,
    processes=1856,
    tail=2_008_896,
    process_size=1960,
    used_size=64,
    driver=1032,
    busy=1160,
    busy_size=48,
    status=1928,
)

READ_BYTES = V1.size
"""What an edge has to read of a file, if there is so much; what follows says nothing."""


class Card(msgspec.Struct, frozen=True, gc=False):
    """One card as the container sees it; limits are what the library enforces.

    ``memory_limit`` is in bytes, 0 is none. ``core_limit`` is in percent; 0, and 100 and more, are
    none. ``position`` is the card's number in the container.
    """

    position: int
    uuid: str
    memory_limit: int
    core_limit: int


class Used(msgspec.Struct, frozen=True, gc=False):
    """What one process has of one card.

    ``total`` is what the library counts against the limit, in bytes, and ``context``, ``module``
    and ``data`` are its parts. ``driver`` is what the driver told the library, in bytes, and ``sm``
    the percent of time in which kernels ran: both stay 0 where no card has a core limit, as the
    library does not ask then. A counter that went below zero counts 0.
    """

    context: int
    module: int
    data: int
    total: int
    driver: int
    sm: int


class Process(msgspec.Struct, frozen=True):
    """One process of the container; ``used`` has one value for each position of a card.

    ``pid`` is the container's number for it, ``host_pid`` the node's, 0 where the library did not
    find out. ``status`` is 1 for active, 2 for suspended, 0 for gone. ``writing``: its counters
    were being written and may not fit each other.
    """

    pid: int
    host_pid: int
    status: int
    writing: bool
    used: tuple[Used, ...]


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """What one container's library wrote.

    ``utilization_switch``: not 0 where core limits are enforced. ``recent_kernel``: BLOCKED, else
    2 at a launch and counted down by who gives feedback. ``priority``: smaller goes first.
    ``last_kernel``: seconds since 1970, None where no kernel was launched or the layout cannot say.
    """

    layout: Layout
    version: tuple[int, int]
    cards: tuple[Card, ...]
    processes: tuple[Process, ...]
    utilization_switch: int
    recent_kernel: int
    priority: int
    last_kernel: int | None

    @property
    def writing(self) -> bool:
        """Read again, a few times: who was killed while it wrote leaves this so for ever."""
        return any(process.writing for process in self.processes)


class Write(msgspec.Struct, frozen=True, gc=False):
    """A number of four bytes to be put into the file where it is."""

    offset: int
    value: int

    @property
    def data(self) -> bytes:
        """The bytes; the offset is a multiple of four, so nobody sees half of them."""
        return _WORD.pack(self.value)


def set_recent_kernel(region: Region, value: int) -> Write:
    """BLOCKED holds launches back, 0 and more let them go."""
    return Write(region.layout.recent_kernel, value)


def set_utilization_switch(region: Region, value: int) -> Write:
    """1: core limits are enforced, 0: they are not."""
    return Write(region.layout.utilization_switch, value)


def read(data: bytes) -> Region | None:
    """The region, or None where the library has not finished laying it out; raises Unreadable."""
    if not data:
        return None
    layout = _layout(len(data))
    flag, major, minor = _HEAD.unpack_from(data)
    if flag == 0:  # the library writes it last
        return None
    if flag != MAGIC:
        raise Unreadable(f"begins with {flag}, not with {MAGIC}")
    if layout is V0:
        major = minor = 0
    elif major != 1:
        raise Unreadable(f"version {major}.{minor}, not 1.x")
    return _read(data, layout, (major, minor))


def _layout(size: int) -> Layout:
    """By the size; the library makes files one byte longer than the layout.

    Upstream takes anything between the two for version 0; more than that byte is a file of version
    1 that was cut off.
    """
    if size >= V1.size:
        return V1
    if V0.size <= size <= V0.size + 1:
        return V0
    raise Unreadable(f"{size} bytes, not {V0.size} nor {V1.size} and more")


def _read(data: bytes, layout: Layout, version: tuple[int, int]) -> Region:
    (positions,) = _LONG.unpack_from(data, layout.devices)
    processes, switch, recent, priority = _TAIL.unpack_from(data, layout.tail)
    if positions > MAX_CARDS:
        raise Unreadable(f"{positions} cards, more than {MAX_CARDS}")
    if not 0 <= processes <= MAX_PROCESSES:
        raise Unreadable(f"{processes} processes, not 0 to {MAX_PROCESSES}")
    (last,) = (0,) if layout is V0 else _LONG.unpack_from(data, layout.tail + _TAIL.size)
    return Region(
        layout=layout,
        version=version,
        cards=tuple(_cards(data, layout, positions)),
        processes=_processes(data, layout, (processes, positions), version >= (1, 2)),
        utilization_switch=switch,
        recent_kernel=recent,
        priority=priority,
        last_kernel=_counter(last) or None,
    )


def _cards(data: bytes, layout: Layout, positions: int) -> Iterator[Card]:
    """Those that have their name; the library fills in the names after the rest."""
    memory = _CARDS.unpack_from(data, layout.memory_limits)
    cores = _CARDS.unpack_from(data, layout.core_limits)
    for position in range(positions):
        start = layout.uuids + position * _UUID_BYTES
        uuid = data[start : start + _UUID_BYTES].partition(b"\0")[0]
        if uuid and uuid.isascii() and uuid.decode().isprintable():
            yield Card(position, uuid.decode(), memory[position], cores[position])


def _processes(
    data: bytes, layout: Layout, counts: tuple[int, int], sequenced: bool
) -> tuple[Process, ...]:
    """In order; of one pid the first, as the last place is copied to where one became free."""
    processes, positions = counts
    found: dict[int, Process] = {}
    for number in range(processes):
        start = layout.processes + number * layout.process_size
        pid, host_pid = _PAIR.unpack_from(data, start)
        if pid > 0 and pid not in found:
            found[pid] = Process(
                pid,
                host_pid,
                _WORD.unpack_from(data, start + layout.status)[0],
                sequenced and bool(_LONG.unpack_from(data, start + _SEQUENCE)[0] % 2),
                tuple(_used(data, layout, start, position) for position in range(positions)),
            )
    return tuple(found.values())


def _used(data: bytes, layout: Layout, start: int, position: int) -> Used:
    context, module, content, _, total = _USED.unpack_from(
        data, start + _PAIR.size + position * layout.used_size
    )
    (driver,) = _LONG.unpack_from(data, start + layout.driver + position * _LONG.size)
    _, _, sm = _BUSY.unpack_from(data, start + layout.busy + position * layout.busy_size)
    return Used(*(_counter(each) for each in (context, module, content, total, driver, sm)))


def _counter(value: int) -> int:
    """Counters are unsigned; one from which too much was taken stands near 2**64."""
    return 0 if value >> 63 else value
