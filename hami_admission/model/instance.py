"""A part of a card that is cut into parts: where it lies, and what it is once it exists."""

from __future__ import annotations

import msgspec


class Place(msgspec.Struct, frozen=True, order=True):
    """Where an instance of this profile lies: from ``start``, on ``size`` memory slices."""

    card: str
    profile: str
    start: int
    size: int

    def __str__(self) -> str:
        return f"{self.profile} at {self.start} of {self.card}"

    def overlaps(self, other: Place) -> bool:
        """Can the two not exist beside each other?"""
        return (
            self.card == other.card
            and self.start < other.start + other.size
            and other.start < self.start + self.size
        )


class Instance(msgspec.Struct, frozen=True):
    """One that exists; ``uuid`` is what a container sees, empty where it is not usable."""

    place: Place
    uuid: str
    gpu_instance: int
    compute_instance: int
