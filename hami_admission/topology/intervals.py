"""Places on a line: where does a part of a card (MIG) lie among those that are taken?"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    Place = tuple[int, int]


def place(placements: Sequence[Place], taken: Sequence[int], *, high: bool) -> Place | None:
    """The free (start, size) with the lowest start, with the highest if ``high``; None: no room.

    A place covers the units start … start + size - 1. ``taken[u]`` counts what holds unit u; units
    beyond its end are free. Of places with one start the first given wins.
    """
    # Sorting keeps the given order of equal starts, in reverse as well.
    for start, size in sorted(placements, key=itemgetter(0), reverse=high):
        if not any(held > 0 for held in taken[start : start + size]):
            return start, size
    return None
