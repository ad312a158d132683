"""Pair scores: points for the way over PCIe and for each NVLink."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.node import links
from hami_admission.node.facts import Level
from tests.node.cards import bus, card, linked, uuid

if TYPE_CHECKING:
    from hami_admission.node.facts import CardFacts


def pair(one: CardFacts, other: CardFacts) -> int | None:
    """The score of two cards; None where they are told as asymmetric."""
    found = links.scores((one, other))
    score = found.rows[0][1]
    if found.asymmetric:
        assert (found.asymmetric, score) == (((one.uuid, other.uuid),), 0)
        return None
    return score


def peer(count: int = 0, level: Level | None = None, switch_links: int = 0) -> CardFacts:
    """Card 1 with so many NVLinks to card 0."""
    levels = () if level is None else ((uuid(0), level),)
    return card(1, levels=levels, nvlinks=(bus(0),) * count, switch_links=switch_links)


@pytest.mark.parametrize(
    ("level", "points"),
    [
        (Level.CROSS_CPU, 10),
        (Level.SAME_CPU, 20),
        (Level.HOST_BRIDGE, 30),
        (Level.MULTI_SWITCH, 40),
        (Level.SINGLE_SWITCH, 50),
        (Level.SAME_BOARD, 60),
    ],
)
def test_each_level_has_its_points(level: Level, points: int) -> None:
    assert pair(linked(0, level=level), peer(0, level)) == points
    assert pair(linked(0, level=level), peer(2, level)) is None
    assert pair(linked(2, level=level), peer(2, level)) == points + 200


PAIRS: dict[str, tuple[CardFacts, CardFacts, int | None]] = {
    "nothing in common": (card(0), card(1), 0),
    "a level that one side knows": (linked(0), card(1), 20),
    "two levels": (linked(0), peer(0, Level.CROSS_CPU), None),
    "eighteen links": (linked(18), peer(18), 1820),
    "nineteen links are none": (linked(19), peer(19), 20),
    "links of one side only": (linked(1), peer(0), None),
    "more links on one side": (linked(1), peer(2), None),
    "a switch between them": (
        card(0, switch_links=12),
        card(1, switch_links=6),
        600,
    ),
    "a switch on one side": (card(0, switch_links=12), card(1), 0),
    "links of their own count before a switch": (
        msgspec.structs.replace(linked(2), switch_links=12),
        peer(2, switch_links=12),
        220,
    ),
    "the bus id in another spelling": (
        card(0, nvlinks=("0000:1b:00.0",)),
        card(1, nvlinks=("0000:1a:00.0",)),
        100,
    ),
}


@pytest.mark.parametrize("sentence", PAIRS)
def test_score(sentence: str) -> None:
    one, other, points = PAIRS[sentence]
    assert pair(one, other) == points
    assert pair(other, one) == points


def test_a_wrong_pair_leaves_the_others_alone() -> None:
    cards = (linked(2, 1), peer(2), card(2))
    assert links.scores(cards) == links.Scores(
        ((0, 220, 0), (220, 0, 0), (0, 0, 0)), ((uuid(0), uuid(2)),)
    )


@given(st.lists(st.lists(st.integers(0, 4), max_size=20), max_size=5))
def test_scores_are_symmetric_whatever_a_driver_says(ends: list[list[int]]) -> None:
    cards = [
        card(n, nvlinks=tuple(map(bus, each)), switch_links=len(each))
        for n, each in enumerate(ends)
    ]
    found = links.scores(cards)
    for a, row in enumerate(found.rows):
        assert len(row) == len(cards)
        assert row[a] == 0
        assert all(score == found.rows[b][a] and 0 <= score <= 1860 for b, score in enumerate(row))
