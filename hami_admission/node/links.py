"""How well are the cards of a node linked? Facts/node.md 1.7, facts/scheduling.md 8.1."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.device import Rows
from hami_admission.node import facts
from hami_admission.node.facts import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hami_admission.node.facts import CardFacts

LEVELS = {
    Level.CROSS_CPU: 10,
    Level.SAME_CPU: 20,
    Level.HOST_BRIDGE: 30,
    Level.MULTI_SWITCH: 40,
    Level.SINGLE_SWITCH: 50,
    Level.SAME_BOARD: 60,
}
"""Points for the way over PCIe."""

NVLINK = 100
"""Points for each NVLink between two cards."""

MAX_NVLINKS = 18
"""More between two cards is taken for a wrong answer of the driver, and gives no points."""


class Scores(msgspec.Struct, frozen=True):
    """Pair scores by the positions of the cards, zero on the diagonal.

    ``asymmetric`` are pairs of uuids of which each card says something else about the other; they
    score 0, and somebody should look at the links.
    """

    rows: Rows
    asymmetric: tuple[tuple[str, str], ...] = ()


def scores(cards: Sequence[CardFacts]) -> Scores:
    """The scores of all pairs of these cards, symmetric."""
    views = [_View(card) for card in cards]
    rows = [[0] * len(cards) for _ in cards]
    asymmetric: list[tuple[str, str]] = []
    for low, one in enumerate(views):
        for high in range(low + 1, len(views)):
            found = _score(one, views[high])
            if found is None:
                asymmetric.append((cards[low].uuid, cards[high].uuid))
            rows[low][high] = rows[high][low] = found or 0
    return Scores(tuple(map(tuple, rows)), tuple(asymmetric))


class _View:
    """A card with what is asked of it for each pair."""

    def __init__(self, card: CardFacts) -> None:
        self.uuid = card.uuid
        self.bus = facts.key(card.bus_id)
        self.levels = dict(card.levels)
        self.links = Counter(map(facts.key, card.nvlinks))
        self.switch_links = card.switch_links


def _score(one: _View, other: _View) -> int | None:
    """The points of a pair; None where the two sides disagree.

    A level that only one side knows counts: the way is the same in both directions.
    """
    levels = {one.levels.get(other.uuid), other.levels.get(one.uuid)} - {None}
    links = one.links[other.bus]
    if len(levels) > 1 or links != other.links[one.bus]:
        return None
    links = links or min(one.switch_links, other.switch_links)
    points = sum(LEVELS[level] for level in levels if level is not None)
    return points + (NVLINK * links if links <= MAX_NVLINKS else 0)
