"""Groups: which candidates are taken so that few groups are needed."""

from __future__ import annotations

import pytest

from hami_admission.topology import groups

LARGEST: dict[str, tuple[str, tuple[int, ...]]] = {
    "the largest first": ("abb", (1, 2, 0)),
    "in their order where groups are of one size": ("abba", (0, 3, 1, 2)),
    "those in none last, however many": ("--a--", (2, 0, 1, 3, 4)),
    "no groups at all": ("---", (0, 1, 2)),
    "nothing": ("", ()),
}


def named(text: str) -> list[str]:
    """One group per letter; ``-`` is none."""
    return ["" if letter == "-" else letter for letter in text]


@pytest.mark.parametrize("sentence", LARGEST)
def test_the_largest_first(sentence: str) -> None:
    given, expected = LARGEST[sentence]
    assert groups.largest_first(named(given)) == expected


HOLDS: dict[str, tuple[str, int, tuple[int, ...]]] = {
    "the smallest that has as many": ("aaabbc", 2, (3, 4)),
    "one of the smallest": ("aabc", 1, (2,)),
    "none has as many": ("abbccc", 4, (3, 4, 5, 1)),
    "those in none do not make a group": ("--aab", 3, (2, 3, 4)),
    "no groups at all": ("---", 2, (0, 1)),
}


@pytest.mark.parametrize("sentence", HOLDS)
def test_the_smallest_that_holds(sentence: str) -> None:
    given, count, expected = HOLDS[sentence]
    assert groups.smallest_that_holds(named(given), count) == expected


SHARES = {"": 0.0, "a": 1.0, "aab": 2 / 3, "--": 1 / 2, "-a": 1 / 2, "aabb": 1 / 2}


@pytest.mark.parametrize("given", SHARES)
def test_the_largest_share(given: str) -> None:
    assert groups.largest_share(named(given)) == SHARES[given]


KEPT = {
    "both of two": ("aa", "", (1, 0)),
    "two of four": ("aa", "aa", (1, 4)),
    "of two groups": ("ab", "abb", (0, 3)),
    "those in none": ("--", "-a", (0, 0)),
    "nothing": ("", "aa", (0, 0)),
}


@pytest.mark.parametrize("sentence", KEPT)
def test_pairs_that_are_kept_and_torn(sentence: str) -> None:
    given, rest, expected = KEPT[sentence]
    assert groups.kept(named(given), named(rest)) == expected
