"""Boards of two wings: all cards of a wing are linked, and each with its counterpart in the other.

Facts/devices.md 5.1, for any even number of cards: those numbered below the half are the lower
wing, and card i has its link to card i + half. Numbers are the cards' own, never places in a list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


def board(numbers: Iterable[int]) -> int:
    """The cards of a board with these: the next even number, for one may not be listed."""
    return (max(numbers, default=-1) + 2) // 2 * 2


def best(free: Sequence[int], count: int, cards: int) -> tuple[int, ...] | None:
    """``count`` of the free numbers that go together on a board of so many; None: no such are free.

    All of one wing where one has so many: of the one that has the fewest (for a single card first
    one with an odd number), the lower on ties, the first in the order given. Else pairs of
    counterparts, neighbouring ones first. Counts are powers of two, a wing, or the board.
    """
    half = cards // 2
    if count & (count - 1) and count not in {half, cards}:
        return None
    wings = [tuple(i for i in free if i < half), tuple(i for i in free if i >= half)]
    fitting = [wing for wing in wings if len(wing) >= count]
    if fitting:
        return min(fitting, key=lambda wing: (count % 2 > len(wing) % 2, len(wing)))[:count]
    return None if count % 2 else _across(frozenset(free), count // 2, half)


def bubbles(used: Collection[int], cards: int) -> int:
    """How badly a board is broken with these numbers in use: 0 for a full wing, 2 for one card.

    1 for anything else in a wing, and for a board that nobody uses.
    """
    if not used:
        return 1
    half = cards // 2
    lower = sum(i < half for i in used)
    taken = (lower, len(used) - lower)
    return sum(0 if each == half else 2 if each == 1 else 1 for each in taken)


def _across(free: frozenset[int], count: int, half: int) -> tuple[int, ...] | None:
    """So many pairs, of the smallest aligned block that has them.

    Pairs that are left over stay linked, so the rule of facts 5.1 about two cards that are left
    over chooses nothing.
    """
    lower = sorted(i for i in free if i + half in free)
    for bits in range(half.bit_length() + 1):
        blocks: dict[int, list[int]] = {}
        for i in lower:
            blocks.setdefault(i >> bits, []).append(i)
        for block in blocks.values():
            if len(block) >= count:
                chosen = block[:count]
                return tuple(sorted([*chosen, *(i + half for i in chosen)]))
    return None
