"""What a driver says of the cards of its node, and what happens to them.

An edge fills these in and decides nothing: units, spellings and links are as the driver gives them.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.instance import Instance

if TYPE_CHECKING:
    from collections.abc import Iterable


class Level(IntEnum):
    """The closest part of the machine that two cards have in common; NVML's own numbers."""

    SAME_BOARD = 0
    SINGLE_SWITCH = 10
    MULTI_SWITCH = 20
    HOST_BRIDGE = 30
    SAME_CPU = 40
    CROSS_CPU = 50


class ProfileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One size of instance that a card in MIG mode can be cut into."""

    name: str
    """As NVML names it: ``1g.5gb``, ``1g.5gb+me``."""
    memory_mib: int
    multiprocessors: int
    slices: int
    instances: int
    """How many of them the card holds at most, when there is nothing else on it."""
    places: tuple[tuple[int, int], ...]
    """Where one may lie: (start, size), in memory slices of the card."""


class CardFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One physical card."""

    uuid: str
    index: int
    """NVML's, from 0, in the order of the bus."""
    name: str
    """The model as NVML names it, with or without the maker's name before it."""
    memory_mib: int | None
    """All of its memory; None where the driver cannot say (memory shared with the CPU)."""
    bus_id: str
    """``00000000:3B:00.0``; the domain in four or eight digits, letters of either case."""
    numa: int | None = None
    """The NUMA node; None where the kernel names none (it says -1)."""
    mig: bool = False
    """Is MIG switched on, now?"""
    profiles: tuple[ProfileFacts, ...] = ()
    """Of a card in MIG mode; all that the driver knows."""
    instances: tuple[Instance, ...] = ()
    """The MIG instances that are on it; an event that names one is about this card."""
    paths: tuple[str, ...] = ()
    """Its own device files: ``/dev/nvidia0``."""
    levels: tuple[tuple[str, Level], ...] = ()
    """What it has in common with other cards: (uuid of the other, level)."""
    nvlinks: tuple[str, ...] = ()
    """Bus ids of the cards at the far ends of its active NVLinks, one for each link."""
    switch_links: int = 0
    """How many active NVLinks lead to a switch."""


class EventKind(StrEnum):
    """What happened to a card."""

    XID = "xid"
    """The driver reports an error; the code is its Xid."""
    ECC = "ecc"
    """Memory was wrong; the code is ``SINGLE_BIT`` or ``DOUBLE_BIT``."""
    LOST = "lost"
    """The driver cannot reach it. To be said again at every look while that is so."""
    RECOVERED = "recovered"
    """It was reset or repaired: what it did before says nothing about it any more."""


SINGLE_BIT = 1
"""Code of an ECC error that was corrected."""

DOUBLE_BIT = 2
"""Code of an ECC error that could not be corrected."""


class CardEvent(msgspec.Struct, frozen=True):
    """Something that happened to one card, or to all of the node."""

    card: str | None
    """UUID of the card or of an instance on it, or a bus id; None: all, or nobody knows which."""
    kind: EventKind
    code: int
    at: float
    """Unix seconds."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of a card now; None is what the driver does not say.

    Memory is in bytes; the utilizations are percent of time in which kernels ran, and in which
    memory was read or written. ``processes`` are by the node's numbers: bytes and percent of time.
    """

    uuid: str
    memory_used: int | None = None
    memory_size: int | None = None
    utilization: int | None = None
    memory_utilization: int | None = None
    processes: dict[int, tuple[int | None, int | None]] = {}


def key(name: str) -> str:
    """The same text for every spelling of a bus id, and for every spelling of a uuid."""
    return name.lower().lstrip("0")


def names(cards: Iterable[CardFacts]) -> dict[str, str]:
    """The uuid of the card by the ``key`` of each name that an event may call it by."""
    return {
        key(name): card.uuid
        for card in cards
        for name in (*(each.uuid for each in card.instances), card.bus_id, card.uuid)
        if name
    }


def sysfs_name(bus_id: str) -> str:
    """The name of a bus id below ``/sys/bus/pci/devices``: ``0000:3b:00.0``."""
    return bus_id.lower()[-12:]
