"""Quota, Hold and ScopeTerm as values."""

from __future__ import annotations

from hami_admission.model.amounts import Amounts
from hami_admission.model.quota import Hold, Quota, ScopeTerm


def test_a_new_quota_has_given_nothing_out() -> None:
    quota = Quota("team", "q", "u", "1", {"nvidia.com/gpu": 2})
    assert (quota.used, quota.holds, quota.scopes) == ({}, {}, ())


def test_equal_holds_are_equal_values() -> None:
    assert Hold("p", 10, Amounts({"gpu": 1})) == Hold("p", 10, Amounts({"gpu": 1, "gpumem": 0}))
    assert Hold("p", 10, Amounts({"gpu": 1})) != Hold("p", 11, Amounts({"gpu": 1}))


def test_a_scope_without_operator_asks_whether_it_exists() -> None:
    assert ScopeTerm("BestEffort") == ScopeTerm("BestEffort", "Exists", ())
