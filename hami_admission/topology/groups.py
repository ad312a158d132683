"""Groups that are fast together: the cards of one network, of one board, of one link zone.

A group is a name, the same for all of its members; cards with an empty name are in none.
"""

from __future__ import annotations

from collections import Counter
from math import comb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def largest_first(groups: Sequence[str]) -> tuple[int, ...]:
    """The positions of the candidates, group by group, the largest first, those in none last.

    ``groups[n]`` is the group of candidate n. Candidates of a group stay in their order, and of
    groups of one size that of the first candidate comes first. The first n positions so lie in
    one group where any has n, and in few groups else.
    """
    sizes = Counter(filter(None, groups))
    at = {group: position for position, group in reversed([*enumerate(groups)])}

    def rank(position: int) -> tuple[int, int, int]:
        group = groups[position]
        return -sizes[group], at[group], position

    return tuple(sorted(range(len(groups)), key=rank))


def smallest_that_holds(groups: Sequence[str], count: int) -> tuple[int, ...]:
    """``count`` positions of the smallest group that has as many, so that larger ones stay whole.

    Where none has as many (or there are no groups) the first of ``largest_first``.
    """
    sizes = Counter(filter(None, groups))
    fits = [group for group, size in sizes.items() if size >= count]
    if not fits:
        return largest_first(groups)[:count]
    best = min(fits, key=sizes.__getitem__)
    return tuple(n for n, group in enumerate(groups) if group == best)[:count]


def kept(groups: Sequence[str], rest: Sequence[str]) -> tuple[int, int]:
    """Of a set and what it leaves: the pairs inside the set, and those that it tears apart."""
    inside, left = pairs(groups), pairs(rest)
    return inside, pairs([*groups, *rest]) - inside - left


def pairs(groups: Sequence[str]) -> int:
    """How many pairs lie in one group."""
    return sum(comb(size, 2) for size in Counter(filter(None, groups)).values())


def largest_share(groups: Sequence[str]) -> float:
    """Which part of them lies in one group: 1.0 for all, 0.0 of nothing; one in none is alone."""
    if not groups:
        return 0.0
    return max(Counter(filter(None, groups)).values(), default=1) / len(groups)
