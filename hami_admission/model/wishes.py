"""Wishes: what a pod's annotations say about where it may go."""

from __future__ import annotations

from enum import Enum

import msgspec


class Selection(msgspec.Struct, frozen=True):
    """Which cards of one vendor a pod accepts; None and empty mean no constraint.

    Types are lower-case and match as parts of the card's type, uuids match whole. An exclusion
    beats an inclusion (facts/scheduling.md 6.3). ``modes`` are the ways of sharing that it accepts,
    ``idle`` means cards that nobody uses (policy ``mutex``). ``same`` are the cards that another
    container of the pod has, where all have to use those.
    """

    types: tuple[str, ...] | None = None
    not_types: tuple[str, ...] = ()
    uuids: frozenset[str] | None = None
    not_uuids: frozenset[str] = frozenset()
    modes: frozenset[str] | None = None
    idle: bool = False
    same: frozenset[str] | None = None

    def type_allowed(self, kind: str) -> bool:
        """May a card of that type serve?"""
        if self.types is None and not self.not_types:
            return True
        lowered = kind.lower()
        if any(part in lowered for part in self.not_types):
            return False
        return self.types is None or any(part in lowered for part in self.types)

    def uuid_allowed(self, uuid: str) -> bool:
        """May the card of that uuid serve?"""
        return uuid not in self.not_uuids and (self.uuids is None or uuid in self.uuids)


ANY = Selection()
"""No constraint; the one value of it, so that it is known by identity."""


class Topology(Enum):
    """Do the links between cards decide? ``REQUIRED`` takes linked sets only."""

    IGNORED = "ignored"
    PREFERRED = "preferred"
    REQUIRED = "required"


class Weights(msgspec.Struct, frozen=True):
    """How much each share counts in the score of a card."""

    slot: int = 1
    core: int = 1
    memory: int = 1


EVEN = Weights()


class Wishes(msgspec.Struct, frozen=True):
    """All wishes of a pod: policies for nodes and cards, and a selection by vendor's word.

    ``card_order`` are sort keys, first to last, of ``binpack``, ``spread`` and ``numa``;
    ``numa_bind`` wants all cards of a container on one NUMA node.
    """

    node_policy: str
    card_order: tuple[str, ...]
    selections: tuple[tuple[str, Selection], ...] = ()
    weights: Weights = EVEN
    numa_bind: bool = False
    topology: Topology = Topology.IGNORED

    def selection(self, word: str) -> Selection:
        """What the pod accepts of that vendor."""
        for vendor, selection in self.selections:
            if vendor == word:
                return selection
        return ANY

    def with_same(self, word: str, uuids: frozenset[str]) -> Wishes:
        """The wishes of a pod whose next container has to use these cards of that vendor."""
        others = tuple(each for each in self.selections if each[0] != word)
        own = msgspec.structs.replace(self.selection(word), same=uuids)
        return msgspec.structs.replace(self, selections=(*others, (word, own)))
