"""Places on a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.topology.intervals import place

EIGHTHS = ((0, 2), (2, 2), (4, 2))

places = st.lists(st.tuples(st.integers(0, 7), st.integers(1, 8)), max_size=8)
units = st.lists(st.integers(0, 2), max_size=10)


@pytest.mark.parametrize(
    ("taken", "high", "expected"),
    [
        ((), False, (0, 2)),
        ((), True, (4, 2)),
        ((0, 1), False, (2, 2)),
        ((0, 0, 0, 0, 1), True, (2, 2)),
        ((1, 0, 1, 0, 1), False, None),
    ],
)
def test_the_lowest_free_start_wins_or_the_highest(
    taken: tuple[int, ...], high: bool, expected: tuple[int, int] | None
) -> None:
    assert place(EIGHTHS, taken, high=high) == expected


def test_a_place_ends_before_its_end() -> None:
    assert place([(0, 4)], [0, 0, 0, 0, 1], high=False) == (0, 4)
    assert place([(4, 4)], [1, 1, 1, 1, 0], high=False) == (4, 4)


def test_units_beyond_those_counted_are_free() -> None:
    assert place([(4, 4)], [1, 1], high=False) == (4, 4)


def test_the_given_order_does_not_matter() -> None:
    assert place(EIGHTHS[::-1], (), high=False) == (0, 2)
    assert place(EIGHTHS, (), high=True) == place(EIGHTHS[::-1], (), high=True)


@pytest.mark.parametrize("high", [False, True])
def test_of_one_start_the_first_given_wins(high: bool) -> None:
    assert place([(0, 2), (0, 1)], (), high=high) == (0, 2)


def test_no_places_give_none() -> None:
    assert place([], (), high=False) is None


@given(places, units, st.booleans())
def test_it_is_free_and_no_free_place_starts_before_it(
    placements: list[tuple[int, int]], taken: list[int], high: bool
) -> None:
    used = {u for u, held in enumerate(taken) if held}
    fits = [each for each in placements if not used & set(range(each[0], sum(each)))]
    found = place(placements, taken, high=high)
    if found is None:
        assert fits == []
    else:
        assert found in fits
        assert found[0] == (max if high else min)(start for start, _ in fits)
