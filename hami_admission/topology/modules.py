"""Dies that lie on one module: such are given out together, by their numbers on the node."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def whole(numbers: Sequence[int], count: int, size: int = 2) -> tuple[int, ...] | None:
    """The positions of ``count`` candidates that are all dies of their modules; None: too few.

    ``numbers[n]`` is the number of candidate n on its node; dies 0 … ``size`` - 1 are the first
    module, and so on. The module whose dies stand first in all comes first, its dies in their
    order. A count that is no multiple of ``size`` cannot be had.
    """
    modules: dict[int, list[int]] = {}
    for position, number in enumerate(numbers):
        modules.setdefault(number // size, []).append(position)
    full = sorted((each for each in modules.values() if len(each) == size), key=sum)
    if count % size or count > size * len(full):
        return None
    return tuple(position for module in full for position in module)[:count]
