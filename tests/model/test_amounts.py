"""Amounts: quantities that add and compare by key."""

from __future__ import annotations

import pytest

from hami_admission.model.amounts import Amounts, total

A = Amounts({"gpu": 2, "gpumem": 4000})
B = Amounts({"gpumem": 500, "gpucores": 30})


def test_a_missing_key_is_zero_and_a_zero_is_no_key() -> None:
    assert A["gpucores"] == 0
    assert Amounts({"gpu": 2, "gpumem": 4000, "gpucores": 0}) == A
    assert list(Amounts({"gpu": 0})) == []
    assert list(A) == ["gpu", "gpumem"]
    assert dict(A.items()) == {"gpu": 2, "gpumem": 4000}


def test_nothing_is_false() -> None:
    assert not Amounts[str]()
    assert not Amounts({"gpu": 0})
    assert A


def test_equal_amounts_hash_alike_and_nothing_else_is_equal() -> None:
    assert hash(A) == hash(Amounts({"gpumem": 4000, "gpu": 2}))
    assert A != B
    assert A != {"gpu": 2, "gpumem": 4000}


def test_plus_minus_and_peak_go_key_by_key() -> None:
    assert A.plus(B) == Amounts({"gpu": 2, "gpumem": 4500, "gpucores": 30})
    assert A.minus(B) == Amounts({"gpu": 2, "gpumem": 3500})
    assert A.peak(B) == Amounts({"gpu": 2, "gpumem": 4000, "gpucores": 30})


def test_above_names_the_limited_keys_over_their_limit() -> None:
    limits = {"gpu": 2, "gpumem": 3999, "gpucores": 0, "unused": 0}
    assert A.above(limits) == ["gpumem"]
    assert B.above(limits) == ["gpucores"]


def test_total_of_nothing_is_nothing() -> None:
    assert total([]) == Amounts[str]()
    assert total([A, B, A]) == A.plus(B).plus(A)


def test_a_product_that_overflows_64_bits_stays_exact() -> None:
    huge = Amounts({"gpumem": 2**63})
    assert huge.plus(huge)["gpumem"] == 2**64


def test_negative_amounts_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"gpumem: an amount is never negative, got -1"):
        Amounts({"gpumem": -1})


def test_shows_its_values() -> None:
    assert repr(A) == "Amounts({'gpu': 2, 'gpumem': 4000})"
