"""Which cards by link scores: each rule on a machine that shows it."""

from __future__ import annotations

from math import comb

import pytest

from hami_admission.topology.pairs import EXACT, Rows, best, largest_island
from tests.topology.matrices import CUBE, PCIE, cliques, cube_mesh, links, ring, rows

# Upstream's vectors: the cards a, b, c, d.
UPSTREAM = {(0, 1): 100, (0, 2): 100, (0, 3): 200, (1, 2): 200, (1, 3): 100, (2, 3): 200}
FOUR = rows(4, lambda i, j: UPSTREAM[i, j])
PAIR_AND_SIX = cliques(6, 2)


def everything(matrix: Rows) -> tuple[int, ...]:
    """All positions of a machine."""
    return tuple(range(len(matrix)))


@pytest.mark.parametrize(("count", "total"), [(1, 0), (2, 200), (3, 500), (4, 900)])
def test_the_sum_is_the_one_upstream_finds(count: int, total: int) -> None:
    found = best(FOUR, (0, 1, 2, 3), count)
    assert sum(FOUR[i][j] for i in found for j in found if i < j) == total


def test_one_card_is_the_one_whose_loss_costs_least() -> None:
    assert best(FOUR, (0, 1, 2, 3), 1) == (0,)
    assert best(links(3, {(0, 1): 2, (0, 2): 1, (1, 2): 3}), (0, 1, 2), 1) == (0,)
    assert best(links(3, {(0, 1): 3, (0, 2): 2, (1, 2): 1}), (0, 1, 2), 1) == (2,)


def test_one_card_is_one_without_links_even_if_more_would_miss_it() -> None:
    # Card 3 has 180 by PCIe alone, card 0 a link and 140 in all.
    matrix = rows(4, lambda i, j: 60 if j == 3 else 100 if (i, j) == (0, 1) else 10)
    assert sum(matrix[3][:3]) == 180
    assert best(matrix, (0, 1, 2, 3), 1) == (2,)
    assert best(matrix, (0, 1, 3), 1) == (3,)


def test_a_link_to_a_card_that_is_taken_does_not_count() -> None:
    matrix = links(4, {(0, 3): 1, (1, 2): 1})
    assert best(matrix, (0, 1, 2), 1) == (0,)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 16])
def test_all_free_cards_are_taken_when_all_are_asked_for(count: int) -> None:
    free = everything(cube_mesh())[-count:]
    assert best(cube_mesh(), free, count) == free


def test_a_connected_set_wins_over_a_higher_sum() -> None:
    # Card 3 has no link but better PCIe: {0, 1, 3} has 220, the chain {0, 1, 2} has 210.
    scores = {(0, 1): 100, (1, 2): 100, (0, 2): 10, (0, 3): 60, (1, 3): 60, (2, 3): 60}
    assert best(rows(4, lambda i, j: scores[i, j]), (0, 1, 2, 3), 3) == (0, 1, 2)


def test_a_chain_of_links_is_connected() -> None:
    matrix = links(6, {(0, 5): 1, (2, 5): 1, (1, 3): 1})
    assert best(matrix, everything(matrix), 3) == (0, 2, 5)


def test_links_over_a_card_left_out_do_not_connect() -> None:
    # By sum the ends of the chain would do; only neighbours are connected.
    matrix = rows(3, lambda i, j: 99 if (i, j) == (0, 2) else 100)
    assert best(matrix, (0, 1, 2), 2) in ((0, 1), (1, 2))


def test_an_island_of_the_exact_size_wins_over_a_part_of_a_larger_one() -> None:
    assert best(PAIR_AND_SIX, everything(PAIR_AND_SIX), 2) == (6, 7)


def test_the_smallest_island_that_holds_it_wins_even_with_fewer_links() -> None:
    matrix = links(7, {(0, 1): 6, (0, 2): 6, (1, 2): 6, (2, 3): 6, (4, 5): 1, (5, 6): 1})
    assert best(matrix, everything(matrix), 2) == (4, 5)


def test_islands_are_those_of_the_free_cards() -> None:
    # With 4 and 5 taken, of the larger island two cards are left.
    assert best(cliques(6, 3), (0, 1, 6, 7, 8), 2) == (0, 1)


def test_of_equal_islands_the_higher_sum_wins() -> None:
    matrix = links(4, {(0, 1): 1, (2, 3): 2})
    assert best(matrix, (0, 1, 2, 3), 2) == (2, 3)


def test_a_set_without_links_has_the_highest_sum() -> None:
    matrix = rows(4, lambda i, j: 60 if (i, j) in {(1, 2), (2, 3), (1, 3)} else 10)
    assert best(matrix, (0, 1, 2, 3), 3) == (1, 2, 3)
    assert best(matrix, (0, 1, 2, 3), 2) == (1, 2)


def test_of_equal_sums_the_set_that_breaks_the_least_wins() -> None:
    # A chain: its ends are torn from one neighbour, its middle from two.
    chain = links(4, {(0, 1): 1, (1, 2): 1, (2, 3): 1})
    assert best(chain, (0, 1, 2, 3), 2) == (0, 1)
    loaded = links(4, {(0, 1): 1, (0, 2): 2, (1, 2): 1, (2, 3): 2})
    assert best(loaded, (0, 1, 2, 3), 2) == (2, 3)


def test_of_sets_equal_in_all_the_lowest_positions_win() -> None:
    assert best(cliques(4, 4), everything(cliques(4, 4)), 2) == (0, 1)
    assert best(ring(6), everything(ring(6)), 3) == (0, 1, 2)


def test_the_order_of_the_free_cards_does_not_matter() -> None:
    assert best(PAIR_AND_SIX, (7, 0, 6, 3), 2) == (0, 3)
    assert best(cliques(4, 4), tuple(range(7, -1, -1)), 3) == (0, 1, 2)


@pytest.mark.parametrize(("count", "expected"), [(2, (0, 3)), (4, (0, 1, 2, 3))])
def test_a_cube_mesh_gives_its_fattest_links(count: int, expected: tuple[int, ...]) -> None:
    matrix = links(8, CUBE)
    assert best(matrix, everything(matrix), count) == expected


def test_small_islands_of_a_large_machine_are_compared_exactly() -> None:
    matrix = cube_mesh()
    assert comb(len(matrix), 4) > EXACT
    assert best(matrix, everything(matrix), 4) == (0, 1, 2, 3)
    assert best(matrix, everything(matrix)[4:], 4) == (4, 5, 6, 7)


@pytest.mark.parametrize("count", range(2, 16))
def test_a_large_switched_machine_gives_its_lowest_positions(count: int) -> None:
    matrix = rows(16, lambda _i, _j: 1800 + PCIE)
    assert best(matrix, everything(matrix), count) == tuple(range(count))


def test_a_large_machine_without_enough_links_gives_whole_islands() -> None:
    matrix = cliques(4, 4, 4, 4)
    assert best(matrix, everything(matrix)[1:], 8) == (4, 5, 6, 7, 8, 9, 10, 11)


@pytest.mark.parametrize(
    ("matrix", "free", "size"),
    [
        (FOUR, (), 0),
        (FOUR, (2,), 1),
        (FOUR, (0, 1, 2, 3), 4),
        (PAIR_AND_SIX, (0, 1, 2, 6, 7), 3),
        (ring(8), (0, 1, 3, 5, 7), 3),
        (rows(3, lambda _i, _j: 99), (0, 1, 2), 1),
    ],
)
def test_the_largest_island_is_the_most_cards_that_links_connect(
    matrix: Rows, free: tuple[int, ...], size: int
) -> None:
    assert largest_island(matrix, free) == size
