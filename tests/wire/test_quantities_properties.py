"""Quantities agree with exact arithmetic; no text does worse than Malformed."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from hami_admission.wire import quantities
from hami_admission.wire.errors import Malformed

SUFFIXES = {
    "": Fraction(1),
    "m": Fraction(1, 1000),
    "k": Fraction(1000),
    "Ki": Fraction(1024),
    "Gi": Fraction(1024**3),
    "E": Fraction(10**18),
    "e2": Fraction(100),
    "E-2": Fraction(1, 100),
}


@given(st.integers(-(10**30), 10**30), st.integers(0, 10**6), st.sampled_from(sorted(SUFFIXES)))
def test_exact(whole: int, fraction: int, suffix: str) -> None:
    text = f"{whole}.{fraction:06}"
    assert quantities.parse(text + suffix) == Fraction(text) * SUFFIXES[suffix]


@given(st.integers(-(10**39), 10**39))
def test_integers_come_back(value: int) -> None:
    assert quantities.integer(value) == quantities.integer(str(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_of_json_mean_what_they_show(value: float) -> None:
    assert quantities.parse(value) == Fraction(repr(value))


@given(
    st.text(max_size=12)
    | st.from_regex(
        r"[+-]?[0-9]{1,3}\.?[0-9]{0,2}[eEkKMGimnux]{0,3}[+-]?[0-9]{0,2}", fullmatch=True
    )
)
def test_any_text(text: str) -> None:
    with suppress(Malformed):
        value = quantities.parse(text)
        assert quantities.floor(text) <= value < quantities.floor(text) + 1
