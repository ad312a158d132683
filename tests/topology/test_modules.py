"""Modules: which dies are taken so that no module is torn."""

from __future__ import annotations

import pytest

from hami_admission.topology import modules

CASES: dict[str, tuple[list[int], int, tuple[int, ...] | None]] = {
    "a module": ([0, 1, 2, 3], 2, (0, 1)),
    "its dies stand apart": ([2, 0, 3], 2, (0, 2)),
    "no half of one": ([0, 2, 3], 2, (1, 2)),
    "halves alone": ([0, 2, 5], 2, None),
    "neighbours of two modules": ([1, 2], 2, None),
    "two modules": ([6, 7, 0, 1, 3], 4, (0, 1, 2, 3)),
    "more than there are": ([0, 1, 2], 4, None),
    "one of them first, the other last": ([0, 2, 3, 1, 4, 5], 2, (0, 3)),
    "both of them early": ([0, 2, 3, 4, 1], 2, (1, 2)),
    "a count that tears one": ([0, 1, 2, 3], 3, None),
    "nothing": ([], 2, None),
}


@pytest.mark.parametrize("sentence", CASES)
def test_whole_modules(sentence: str) -> None:
    numbers, count, expected = CASES[sentence]
    assert modules.whole(numbers, count) == expected


def test_modules_of_another_size() -> None:
    assert modules.whole([0, 1, 4, 5, 6, 7], 4, size=4) == (2, 3, 4, 5)
