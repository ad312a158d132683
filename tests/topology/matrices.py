"""Score matrices of machines as they are built, and of any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hami_admission.topology.pairs import Rows

PCIE = 10
# DGX-1 with V100: how many NVLinks join two of its eight cards.
CUBE = {
    (0, 1): 1, (0, 2): 1, (0, 3): 2, (0, 4): 2, (1, 2): 2, (1, 3): 1, (1, 5): 2, (2, 3): 2,
    (2, 6): 1, (3, 7): 1, (4, 5): 1, (4, 6): 1, (4, 7): 2, (5, 6): 2, (5, 7): 1, (6, 7): 2,
}  # fmt: skip


def rows(size: int, score: Callable[[int, int], int]) -> Rows:
    """A symmetric matrix of ``score(low, high)``; its diagonal would win if it counted."""
    return tuple(
        tuple(9999 if i == j else score(min(i, j), max(i, j)) for j in range(size))
        for i in range(size)
    )


def links(size: int, found: Mapping[tuple[int, int], int]) -> Rows:
    """A matrix of so many NVLinks between pairs (low, high), all else the same PCIe."""
    return rows(size, lambda i, j: PCIE + 100 * found.get((i, j), 0))


def cliques(*sizes: int) -> Rows:
    """Islands of these sizes, one after the other, within which each pair has one NVLink."""
    island = [n for n, size in enumerate(sizes) for _ in range(size)]
    return rows(len(island), lambda i, j: PCIE + 100 * (island[i] == island[j]))


def cube_mesh(joined: int = 0) -> Rows:
    """Two DGX-1, with so many NVLinks between cards of the same place."""
    pairs = {(i + up, j + up): n for (i, j), n in CUBE.items() for up in (0, 8)}
    return links(16, pairs | {(i, i + 8): joined for i in range(8)})


def ring(size: int, found: int = 2) -> Rows:
    """So many NVLinks from each card to the next, and from the last to the first."""
    return links(size, {(0, size - 1): found} | {(i, i + 1): found for i in range(size - 1)})


def _full(size: int, scores: st.SearchStrategy[int]) -> st.SearchStrategy[Rows]:
    pairs = size * (size - 1) // 2
    return st.lists(scores, min_size=pairs, max_size=pairs).map(
        lambda flat: rows(size, lambda i, j: flat[j * (j - 1) // 2 + i])
    )


PCIE_ONLY = st.sampled_from((10, 20, 30, 40, 50, 60))
# Few links make islands, few values make ties.
ANY = st.one_of(
    PCIE_ONLY, st.sampled_from((0, 10, 10, 10, 110)), st.sampled_from((10, 60, 99, 100, 110, 210))
)
small = st.integers(2, 8).flatmap(
    lambda size: st.one_of(_full(size, PCIE_ONLY), _full(size, ANY), st.just(ring(max(size, 3))))
)
large = _full(12, ANY)
structured = st.sampled_from((
    cliques(4, 4, 4, 4), cliques(12, 4), cliques(16), cube_mesh(), cube_mesh(1), cube_mesh(2),
    ring(16), ring(16, 6), rows(16, lambda i, j: 1800 + PCIE * (1 + (i // 8 == j // 8))),
))  # fmt: skip
