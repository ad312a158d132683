"""Neighbours in a row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.topology import runs

numbers = st.frozensets(st.integers(0, 15))
counts = st.integers(1, 6)


@pytest.mark.parametrize(
    ("free", "count", "expected"),
    [
        (range(8), 3, (0, 1, 2)),
        ((0, 1, 3, 4, 5), 3, (3, 4, 5)),
        ((0, 2, 4), 2, None),
        ((), 1, None),
    ],
)
def test_a_run_is_made_of_free_neighbours(
    free: tuple[int, ...], count: int, expected: tuple[int, ...] | None
) -> None:
    assert runs.first(free, count) == expected


def test_the_shortest_stretch_that_holds_it_is_broken() -> None:
    assert runs.first((0, 1, 2, 3, 6, 7, 9), 2) == (6, 7)
    assert runs.aligned((0, 1, 2, 3, 6, 7, 9), 2) == (6, 7)


def test_of_equal_stretches_the_lowest_wins() -> None:
    assert runs.first((8, 9, 10, 4, 5, 6), 2) == (4, 5)


def test_the_last_and_the_first_are_no_neighbours() -> None:
    assert runs.first((0, 7), 2) is None


def test_an_aligned_run_starts_at_a_multiple_of_its_length() -> None:
    assert runs.first(range(1, 9), 4) == (1, 2, 3, 4)
    assert runs.aligned(range(1, 9), 4) == (4, 5, 6, 7)


def test_a_short_stretch_without_an_aligned_start_is_passed_over() -> None:
    assert runs.aligned((1, 2, 4, 5, 6, 7), 2) == (4, 5)


def test_the_given_order_does_not_matter() -> None:
    assert runs.first([5, 1, 4, 0, 4], 2) == (0, 1)


@pytest.mark.parametrize("align", [False, True])
@given(free=numbers, count=counts)
def test_the_run_is_the_best_of_all_starts(align: bool, free: frozenset[int], count: int) -> None:
    def stretch(start: int) -> int:
        low = high = start
        while low - 1 in free:
            low -= 1
        while high + 1 in free:
            high += 1
        return high - low

    starts = [
        start
        for start in free
        if free.issuperset(range(start, start + count)) and not (align and start % count)
    ]
    found = (runs.aligned if align else runs.first)(free, count)
    if not starts:
        assert found is None
    else:
        start = min(starts, key=lambda start: (stretch(start), start))
        assert found == tuple(range(start, start + count))
