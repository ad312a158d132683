"""Request: what one container wants of one vendor."""

from __future__ import annotations

import msgspec


class Request(msgspec.Struct, frozen=True):
    """``count`` cards, and of each of them memory and cores.

    Memory is ``memory_mib`` when it is not None, else ``percent`` of the card that is found.
    ``cores`` are percent points of one card (or what else the family counts cores in); 0 asks for
    no share of its own. ``units`` asks for so many parts of a card instead, and ``trait`` is how
    the pod wants to use the cards; both mean what the family says.
    """

    vendor: str
    count: int
    memory_mib: int | None
    percent: int
    cores: int
    units: int = 0
    trait: str = ""

    def memory_on(self, card_mib: int) -> int:
        """MiB on a card of that size; percentages are rounded down, as upstream does."""
        return card_mib * self.percent // 100 if self.memory_mib is None else self.memory_mib
