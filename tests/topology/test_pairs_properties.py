"""Which cards by link scores, against a reference that looks at every set."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from hami_admission.topology.pairs import LINKED, best, largest_island
from tests.budgets import times
from tests.topology import matrices

if TYPE_CHECKING:
    from hami_admission.topology.pairs import Rows

    Free = tuple[int, ...]


def island(rows: Rows, cards: Free, start: int) -> set[int]:
    """What links over these cards lead to from the start."""
    seen: set[int] = set()
    fresh = {start}
    while fresh:
        seen |= fresh
        fresh = {j for i in fresh for j in cards if j != i and rows[i][j] >= LINKED} - seen
    return seen


def connected(rows: Rows, cards: Free) -> bool:
    """Whether links among these cards connect them all."""
    return len(island(rows, cards, cards[0])) == len(cards)


def inside(rows: Rows, cards: Free) -> int:
    """The sum of scores of these cards' pairs."""
    return sum(rows[i][j] for i, j in combinations(cards, 2))


def torn(rows: Rows, cards: Free, free: Free) -> int:
    """The sum of scores between these cards and the free ones left out."""
    return sum(rows[i][j] for i in cards for j in free if j not in cards)


def rank(rows: Rows, free: Free, cards: Free) -> tuple[object, ...]:
    """All rules in their order, the lowest first."""
    size = len(island(rows, free, cards[0]))
    if len(cards) == 1:
        return size > 1, torn(rows, cards, free), cards
    whole = connected(rows, cards)
    return not whole, whole and size, -inside(rows, cards), torn(rows, cards, free), cards


def asked(rows: Rows, least: int) -> st.SearchStrategy[tuple[Rows, Free, int]]:
    """A machine, at least so many and at most 12 of its cards, and a count of them."""
    everything = range(len(rows))
    frees = st.sets(st.sampled_from(everything), min_size=least, max_size=min(12, len(rows)))
    return frees.flatmap(
        lambda free: st.tuples(
            st.just(rows), st.just(tuple(sorted(free))), st.integers(1, len(free))
        )
    )


small = matrices.small.flatmap(lambda rows: asked(rows, 1))
large = matrices.large.flatmap(lambda rows: asked(rows, 9))
structured = matrices.structured.flatmap(lambda rows: asked(rows, 9))


@settings(max_examples=times(3))
@given(small)
def test_up_to_eight_cards_no_set_is_better(case: tuple[Rows, Free, int]) -> None:
    rows, free, count = case
    reference = min(combinations(free, count), key=lambda cards: rank(rows, free, cards))
    assert best(rows, free, count) == reference


@settings(max_examples=times(0.6))
@given(small | large | structured)
def test_the_largest_island_tells_whether_a_connected_set_exists(
    case: tuple[Rows, Free, int],
) -> None:
    rows, free, count = case
    found = best(rows, free, count)
    assert connected(rows, found) == (count <= largest_island(rows, free))


@settings(max_examples=times(0.6))
@given(large | structured)
def test_a_set_is_made_of_free_cards_as_many_as_asked(case: tuple[Rows, Free, int]) -> None:
    rows, free, count = case
    found = best(rows, free, count)
    assert len(found) == count
    assert set(found) <= set(free)
    assert list(found) == sorted(set(found))


@settings(max_examples=times(0.6))
@given(large | structured)
def test_a_set_is_the_same_each_time(case: tuple[Rows, Free, int]) -> None:
    rows, free, count = case
    assert best(rows, free, count) == best(rows, free[::-1], count)


@settings(max_examples=times(0.6))
@given(large | structured)
def test_a_connected_set_comes_from_the_smallest_island_that_holds_it(
    case: tuple[Rows, Free, int],
) -> None:
    rows, free, count = case
    found = best(rows, free, count)
    sizes = {len(island(rows, free, start)) for start in free}
    if count > 1 and connected(rows, found):
        own = len(island(rows, free, found[0]))
        assert own == min(size for size in sizes if size >= count)


@settings(max_examples=times(0.6), deadline=None)  # The reference looks at up to 924 sets.
@given(structured)
def test_on_real_machines_a_sum_is_at_least_17_of_20_parts_of_the_best(
    case: tuple[Rows, Free, int],
) -> None:
    rows, free, count = case
    reference = min(combinations(free, count), key=lambda cards: rank(rows, free, cards))
    assert inside(rows, best(rows, free, count)) >= 0.85 * inside(rows, reference)
