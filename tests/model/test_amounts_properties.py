"""The algebra of amounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from hami_admission.model.amounts import Amounts, total
from tests import strategies

if TYPE_CHECKING:
    Named = Amounts[str]

ZERO: Amounts[str] = Amounts()
each = strategies.amounts


@given(each, each, each)
def test_plus_is_a_sum(a: Named, b: Named, c: Named) -> None:
    assert a.plus(b) == b.plus(a)
    assert a.plus(b).plus(c) == a.plus(b.plus(c)) == total([a, b, c])
    assert a.plus(ZERO) == a


@given(each, each, each)
def test_peak_is_a_maximum(a: Named, b: Named, c: Named) -> None:
    assert a.peak(b) == b.peak(a)
    assert a.peak(b).peak(c) == a.peak(b.peak(c))
    assert a.peak(a) == a.peak(ZERO) == a
    assert a.plus(c).peak(b.plus(c)) == a.peak(b).plus(c)


@given(each, each)
def test_minus_takes_back_what_plus_gave_and_never_more(a: Named, b: Named) -> None:
    assert a.plus(b).minus(b) == a
    assert a.minus(a) == ZERO
    assert a.minus(b).plus(b) == a.peak(b)


@given(each, each, st.dictionaries(strategies.resources, st.integers(0, 10**12)))
def test_more_is_never_above_fewer_limits(a: Named, b: Named, limits: dict[str, int]) -> None:
    assert set(a.above(limits)) <= set(a.plus(b).above(limits))
    assert set(a.peak(b).above(limits)) == {*a.above(limits), *b.above(limits)}
