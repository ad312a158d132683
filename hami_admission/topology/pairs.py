"""Which cards by link scores? Those that are linked closely, and whose loss breaks the least.

``rows[i][j]`` is the score of the cards at positions i and j of a node, a number without a unit:
PCIe gives 10 … 60, each NVLink adds 100. Rows are symmetric; the diagonal means nothing.
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import NamedTuple

Rows = tuple[tuple[int, ...], ...]

LINKED = 100  # From this score on a pair has an NVLink.
EXACT = 600  # Up to so many sets all are compared: any of 11 cards, 3 or 13 of 16.
ROUNDS = 16  # Each improves a set by one swap; it takes two or three.


class _View(NamedTuple):
    """The free cards of a node, by position."""

    scores: dict[tuple[int, int], int]  # of a pair, both ways round
    links: dict[int, int]  # to other free cards, as a bitmask of positions
    strength: dict[int, int]  # sum of scores to all other free cards
    sizes: dict[int, int]  # of the island of each


# What is chosen by, the lowest first: minus the sum of scores inside, the strength (among equal
# sums it says what the set tears from the cards left out), the positions.
_Key = tuple[int, int, tuple[int, ...]]


def best(rows: Rows, free: tuple[int, ...], count: int) -> tuple[int, ...]:
    """The positions of the ``count`` cards to take out of ``free``, ascending.

    One card: one without NVLink, then the one with the lowest sum of scores. Several: a set that
    NVLinks connect, out of the smallest island that holds it; then the highest sum of scores
    inside, the lowest to the free cards left out, the lowest positions. The set is the best one
    of islands with up to ``EXACT`` sets, else a good one. Needs 1 <= count <= len(free).
    """
    free = tuple(sorted(free))
    if count == len(free):
        return free
    view = _view(rows, free)
    if count == 1:
        return (min(free, key=lambda i: (view.links[i] > 0, view.strength[i], i)),)
    islands = [each for each in _islands(view.links) if len(each) >= count]
    # Without such an island no set is connected, and there is nothing to keep together.
    smallest = min(map(len, islands), default=0)
    pools = [each for each in islands if len(each) == smallest] or [free]
    return min(_of_pool(view, pool, count, bool(islands)) for pool in pools)[-1]


def largest_island(rows: Rows, free: tuple[int, ...]) -> int:
    """How many free cards NVLinks connect at most: 1 where there are none, 0 without cards."""
    return max(map(len, _islands(_view(rows, free).links)), default=0)


def _view(rows: Rows, free: tuple[int, ...]) -> _View:
    scores = {(i, j): rows[i][j] for i in free for j in free if i != j}
    links, strength = dict.fromkeys(free, 0), dict.fromkeys(free, 0)
    for (i, j), score in scores.items():
        strength[i] += score
        if score >= LINKED:
            links[i] |= 1 << j
    sizes = {i: len(island) for island in _islands(links) for i in island}
    return _View(scores, links, strength, sizes)


def _islands(links: dict[int, int]) -> list[tuple[int, ...]]:
    """The connected components, each ascending."""
    everywhere = sum(1 << i for i in links)
    masks = dict.fromkeys(_reach(links, i, everywhere) for i in sorted(links))
    return [tuple(i for i in sorted(links) if mask >> i & 1) for mask in masks]


def _reach(links: dict[int, int], start: int, within: int) -> int:
    """The mask of the cards that NVLinks over cards of ``within`` lead to, with the start."""
    seen = fresh = 1 << start
    while fresh:
        i = fresh.bit_length() - 1
        new = links[i] & within & ~seen
        seen |= new
        fresh = (fresh ^ 1 << i) | new
    return seen


def _connected(links: dict[int, int], chosen: tuple[int, ...]) -> bool:
    within = sum(1 << i for i in chosen)
    return _reach(links, chosen[0], within) == within


def _of_pool(view: _View, pool: tuple[int, ...], count: int, together: bool) -> _Key:
    """The key of the set to take out of the pool; it is connected if ``together``."""
    if count == len(pool):
        return _key(view, pool)
    if comb(len(pool), count) <= EXACT:
        return _exact(view, pool, count, together)
    # Growing takes the first of equals: the one that is missed least.
    order = tuple(sorted(pool, key=lambda i: (view.strength[i], i)))
    grown = {_grown(view, order, seed, count, together) for seed in pool}
    return min(_key(view, _settled(view, order, chosen, together)) for chosen in grown)


def _key(view: _View, chosen: tuple[int, ...]) -> _Key:
    inside = sum(map(view.scores.__getitem__, combinations(chosen, 2)))
    return -inside, sum(map(view.strength.__getitem__, chosen)), chosen


def _exact(view: _View, pool: tuple[int, ...], count: int, together: bool) -> _Key:
    least: _Key | None = None
    for chosen in combinations(pool, count):
        key = _key(view, chosen)
        # To be connected costs most to find out: only asked about what would win.
        if (least is None or key < least) and (not together or _connected(view.links, chosen)):
            least = key
    assert least is not None, "a pool holds a set of each size up to its own"
    return least


def _grown(
    view: _View, order: tuple[int, ...], seed: int, count: int, together: bool
) -> tuple[int, ...]:
    """The seed and, one after the other, what is closest to all that is there.

    Of equals the one whose island the cards still wanted fill best, or else exhaust: single swaps
    do not lead from parts of three islands to two whole ones.
    """
    chosen, reach = [seed], view.links[seed]
    pull = {i: view.scores[i, seed] for i in order if i != seed}
    while len(chosen) < count:
        wanted = count - len(chosen)
        most = max(pull[i] for i in pull if not together or reach >> i & 1)
        closest = [i for i in pull if pull[i] == most and (not together or reach >> i & 1)]
        if len(closest) > 1 and not together:
            closest.sort(key=lambda i: _waste(view.sizes[i], wanted))
        new = closest[0]
        del pull[new]
        for i in pull:
            pull[i] += view.scores[i, new]
        reach |= view.links[new]
        chosen.append(new)
    return tuple(sorted(chosen))


def _waste(size: int, wanted: int) -> tuple[bool, int]:
    """Sorts islands by how well so many cards go into them: what is left over, or left out."""
    return size < wanted, abs(size - wanted)


def _settled(
    view: _View, order: tuple[int, ...], chosen: tuple[int, ...], together: bool
) -> tuple[int, ...]:
    """The set after swaps of one card, each the best there is, until none is better."""
    for _ in range(ROUNDS):
        swapped = _swapped(view, order, chosen, together)
        if swapped == chosen:
            break
        chosen = swapped
    return chosen


def _swapped(
    view: _View, order: tuple[int, ...], chosen: tuple[int, ...], together: bool
) -> tuple[int, ...]:
    """The best set that one card less and one more makes; the set itself if none is better."""
    scores, strength = view.scores, view.strength
    pull = {i: sum(scores[i, j] for j in chosen if j != i) for i in order}
    most, result = (0, 0, 0), chosen
    for out in chosen:
        for new in order:
            if new in chosen:
                continue
            gain = pull[new] - scores[new, out] - pull[out]
            if gain < most[0]:
                continue
            rank = (gain, strength[out] - strength[new], out - new)
            made = tuple(sorted({*chosen, new} - {out}))
            if rank > most and (not together or _connected(view.links, made)):
                most, result = rank, made
    return result
