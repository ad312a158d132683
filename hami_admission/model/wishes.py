"""Wishes: what a pod's annotations say about where it may go."""

from __future__ import annotations

import msgspec


class Selection(msgspec.Struct, frozen=True):
    """Which cards of one vendor a pod accepts; None and empty mean no constraint.

    Types are lower-case and match as parts of the card's type, uuids match whole. An exclusion
    beats an inclusion (facts/scheduling.md 6.3).
    """

    types: tuple[str, ...] | None = None
    not_types: tuple[str, ...] = ()
    uuids: frozenset[str] | None = None
    not_uuids: frozenset[str] = frozenset()

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


class Wishes(msgspec.Struct, frozen=True):
    """All wishes of a pod: policies for nodes and cards, and a selection by vendor."""

    node_policy: str
    card_policy: str
    selections: dict[str, Selection] = {}
