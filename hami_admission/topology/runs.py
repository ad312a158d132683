"""Neighbours in a row: chips that only work together when their numbers follow.

Both rules fit best: they break the shortest stretch of free neighbours that can hold the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def first(free: Collection[int], count: int) -> tuple[int, ...] | None:
    """``count`` (1 or more) consecutive free numbers, ascending; None if there are none."""
    return _shortest(free, count, 1)


def aligned(free: Collection[int], count: int) -> tuple[int, ...] | None:
    """Like ``first``, but the run starts at a multiple of ``count``."""
    return _shortest(free, count, count)


def _shortest(free: Iterable[int], count: int, step: int) -> tuple[int, ...] | None:
    fits = []
    for stretch in _stretches(free):
        start = -(-stretch.start // step) * step
        if start + count <= stretch.stop:
            fits.append((len(stretch), start))
    if not fits:
        return None
    _, start = min(fits)
    return tuple(range(start, start + count))


def _stretches(free: Iterable[int]) -> list[range]:
    """The maximal stretches of consecutive numbers, ascending."""
    found: list[range] = []
    for number in sorted(set(free)):
        if found and found[-1].stop == number:
            found[-1] = range(found[-1].start, number + 1)
        else:
            found.append(range(number, number + 1))
    return found
