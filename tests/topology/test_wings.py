"""Boards of two wings (facts/devices.md 5.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.topology import wings

Numbers = tuple[int, ...]
ALL = tuple(range(8))

CASES: dict[str, tuple[Numbers, int, int, Numbers | None]] = {
    "the whole board": (ALL, 8, 8, ALL),
    "not the whole board": (ALL[1:], 8, 8, None),
    "a whole wing": (ALL, 4, 8, (0, 1, 2, 3)),
    "the wing that is whole": ((0, 1, 2, 4, 5, 6, 7), 4, 8, (4, 5, 6, 7)),
    "two of the wing with two": ((0, 1, 2, 3, 5, 7), 2, 8, (5, 7)),
    "two of the wing with three": ((0, 1, 2, 3, 4, 5, 7), 2, 8, (4, 5)),
    "one of a wing with one": ((0, 1, 2, 7), 1, 8, (7,)),
    "one of a wing with three before two": ((0, 1, 5, 6, 7), 1, 8, (5,)),
    "one of a wing with three before four": ((0, 1, 2, 3, 5, 6, 7), 1, 8, (5,)),
    "one of a wing with two before four": ((0, 1, 2, 3, 5, 6), 1, 8, (5,)),
    "of equal wings the lower": ((6, 7, 0, 1), 2, 8, (0, 1)),
    "in the order given": ((3, 1, 0, 6), 2, 8, (3, 1)),
    "two counterparts": ((2, 6), 2, 8, (2, 6)),
    "two that are no counterparts": ((2, 5), 2, 8, None),
    "four of four, in pairs": ((0, 3, 4, 7), 4, 8, (0, 3, 4, 7)),
    "four of five": ((1, 2, 3, 5, 6), 4, 8, (1, 2, 5, 6)),
    "four of six, neighbours first": ((0, 2, 3, 4, 6, 7), 4, 8, (2, 3, 6, 7)),
    "four of six, the pairs there are": ((0, 1, 2, 5, 6, 7), 4, 8, (1, 2, 5, 6)),
    "four without two pairs": ((0, 1, 2, 7, 6, 5)[:5], 4, 8, None),
    "three": (ALL, 3, 8, None),
    "none free": ((), 1, 8, None),
    "a wing of three": (tuple(range(6)), 3, 6, (0, 1, 2)),
    "three across": ((0, 1, 4, 5), 3, 6, None),
    "all six": (tuple(range(6)), 6, 6, tuple(range(6))),
    "counterparts of a board of four": ((1, 3), 2, 4, (1, 3)),
    "eight of sixteen": (tuple(range(16)), 8, 16, tuple(range(8))),
    "eight of sixteen, across": (
        (*range(1, 8), *range(9, 16)), 8, 16, (4, 5, 6, 7, 12, 13, 14, 15),
    ),
    "a board of two": ((0, 1), 2, 2, (0, 1)),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CASES)
def test_best(sentence: str) -> None:
    free, count, cards, expected = CASES[sentence]
    assert wings.best(free, count, cards) == expected


@given(st.sets(st.integers(0, 15)), st.sampled_from([1, 2, 4, 8, 16]), st.sampled_from([8, 16]))
def test_what_is_chosen_is_free_and_linked(free: set[int], count: int, cards: int) -> None:
    free = {i for i in free if i < cards}
    found = wings.best(tuple(sorted(free)), count, cards)
    half = cards // 2
    lower = {i for i in found or () if i < half}
    upper = {i - half for i in found or () if i >= half}
    assert found is None or (len(set(found)) == count and set(found) <= free)
    assert not lower or not upper or lower == upper


BUBBLES: dict[str, tuple[set[int], int, int]] = {
    "nobody": (set(), 8, 1),
    "one card": ({3}, 8, 3),
    "one in each wing": ({3, 4}, 8, 4),
    "two": ({0, 1}, 8, 2),
    "a wing": ({4, 5, 6, 7}, 8, 1),
    "a wing and a card": ({0, 4, 5, 6, 7}, 8, 2),
    "the board": (set(ALL), 8, 0),
    "a wing of one card": ({0}, 2, 1),
}


@pytest.mark.parametrize("sentence", BUBBLES)
def test_bubbles(sentence: str) -> None:
    used, cards, expected = BUBBLES[sentence]
    assert wings.bubbles(used, cards) == expected


def test_a_board_is_even_and_holds_all() -> None:
    assert [wings.board(each) for each in ([0], [0, 1], [0, 6], range(8))] == [2, 2, 8, 8]
