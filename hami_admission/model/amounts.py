"""Quantities that add and compare by name, so that nobody adds raw numbers of different things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    K = TypeVar("K", bound=Hashable)
else:
    K = TypeVar("K")


class Amounts(Generic[K]):
    """Non-negative integers by key; a missing key is zero.

    Keys are resource names for quotas (memory in MiB, cores in percent points), or a card and a
    dimension for the usage of a node. Python's integers do not overflow, so a product never turns
    negative.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[K, int] | None = None) -> None:
        kept = {key: value for key, value in (values or {}).items() if value}
        for key, value in kept.items():
            if value < 0:
                raise ValueError(f"{key}: an amount is never negative, got {value}")
        self._values: dict[K, int] = kept

    def __getitem__(self, key: K) -> int:
        return self._values.get(key, 0)

    def __iter__(self) -> Iterator[K]:
        return iter(self._values)

    def __bool__(self) -> bool:
        return bool(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Amounts) and self._values == other._values

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return f"Amounts({self._values!r})"

    def items(self) -> Iterable[tuple[K, int]]:
        """The keys that are not zero, with their values."""
        return self._values.items()

    def plus(self, other: Amounts[K]) -> Amounts[K]:
        """The sum, key by key."""
        merged = dict(self._values)
        for key, value in other._values.items():
            merged[key] = merged.get(key, 0) + value
        return Amounts(merged)

    def minus(self, other: Amounts[K]) -> Amounts[K]:
        """The difference, key by key, never below zero: what is given back twice is gone once."""
        merged = dict(self._values)
        for key, value in other._values.items():
            merged[key] = max(merged.get(key, 0) - value, 0)
        return Amounts(merged)

    def peak(self, other: Amounts[K]) -> Amounts[K]:
        """The larger value of each key."""
        merged = dict(self._values)
        for key, value in other._values.items():
            merged[key] = max(merged.get(key, 0), value)
        return Amounts(merged)

    def above(self, limits: Mapping[K, int]) -> list[K]:
        """The keys that are limited and whose value is over the limit."""
        return [key for key, limit in limits.items() if self[key] > limit]


def total(amounts: Iterable[Amounts[K]]) -> Amounts[K]:
    """The sum of all; nothing gives zero."""
    merged: dict[K, int] = {}
    for each in amounts:
        for key, value in each.items():
            merged[key] = merged.get(key, 0) + value
    return Amounts(merged)
