"""Device: one card as a node offers it."""

from __future__ import annotations

import msgspec

Rows = tuple[tuple[int, ...], ...]
"""Pair scores of the cards of a node by their positions (facts/scheduling.md 8.1)."""


class Profile(msgspec.Struct, frozen=True):
    """One size of instance that a card can be cut into, and the places where it may lie.

    A place is (start, size) in units of the card.
    """

    name: str
    memory_mib: int
    cores: int
    slices: int
    places: tuple[tuple[int, int], ...]


class Device(msgspec.Struct, frozen=True, gc=False):
    """One accelerator card, as its node registered it.

    ``slots`` is how many containers may share it, ``memory_mib`` and ``cores`` (percent points, 100
    is one whole card, or a number of cores where ``units`` has them) what it offers after any
    scaling by the node. ``units`` is how many parts can be given out one by one; ``links`` are the
    pair scores of all cards of its node, the same value on each of them, and ``position`` says
    which row is its own. ``facts`` are what else the node says of it, by name.
    """

    uuid: str
    index: int
    type: str
    slots: int
    memory_mib: int
    cores: int
    numa: int = 0
    mode: str = "hami-core"
    healthy: bool = True
    cordoned: bool = False
    units: int = 0
    profiles: tuple[Profile, ...] = ()
    links: Rows = ()
    position: int = 0
    facts: tuple[tuple[str, str], ...] = ()

    def fact(self, name: str) -> str:
        """What the node says under that name; empty where it says nothing."""
        return next((value for key, value in self.facts if key == name), "")
