"""Kubernetes quantities, exactly."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from hami_admission.wire import quantities
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from hami_admission.model.pod import Quantity

VALUES: dict[Quantity, Fraction | int] = {
    0: 0,
    7: 7,
    -1: -1,
    "0": 0,
    "-1": -1,
    "+1": 1,
    "8k": 8000,
    "16Gi": 16 * 1024**3,
    "1Ki": 1024,
    "1Mi": 1024**2,
    "1Ti": 1024**4,
    "1Pi": 1024**5,
    "1Ei": 1024**6,
    "1M": 10**6,
    "1G": 10**9,
    "1T": 10**12,
    "1P": 10**15,
    "1E": 10**18,
    "1.5": Fraction(3, 2),
    1.5: Fraction(3, 2),
    "1.5Gi": 3 * 1024**3 // 2,
    "100m": Fraction(1, 10),
    "1u": Fraction(1, 10**6),
    "1n": Fraction(1, 10**9),
    "1e3": 1000,
    "1E3": 1000,
    "1e+3": 1000,
    "25e-1": Fraction(5, 2),
    1e22: 10**22,
    1e-07: Fraction(1, 10**7),
    "1.": 1,
    ".5": Fraction(1, 2),
    "-.5Ki": -512,
    "007": 7,
    "9" * 40: 10**40 - 1,
}

BAD: dict[str, Quantity] = {
    "nothing": "",
    "a blank": " ",
    "blanks around": " 1 ",
    "a line end": "1\n",
    "a point": ".",
    "two points": "1.2.3",
    "a sign": "-",
    "two signs": "--1",
    "a suffix alone": "Gi",
    "capital K": "1K",
    "small ki": "1ki",
    "with its unit": "8GiB",
    "gigabytes": "8GB",
    "exabytes": "8EB",
    "an exponent that is none": "1Ex",
    "an exponent cut off": "1e",
    "words": "ten",
    "hexadecimal": "0x10",
    "underscores": "1_000",
    "digits of another script": "٣",
    "infinity": float("inf"),
    "not a number": float("nan"),
    "an exponent that nobody can hold": "1e9999",
    "more digits than anybody writes": "9" * 41,
}


@pytest.mark.parametrize("quantity", VALUES)
def test_values(quantity: Quantity) -> None:
    value = Fraction(VALUES[quantity])
    assert quantities.parse(quantity) == value
    whole = value.numerator if value.denominator == 1 else None
    assert quantities.integer(quantity) == whole
    assert quantities.floor(quantity) == value.__floor__()


@pytest.mark.parametrize("sentence", BAD)
def test_bad(sentence: str) -> None:
    for read in (quantities.parse, quantities.integer, quantities.floor):
        with pytest.raises(Malformed):
            read(BAD[sentence])


def test_the_complaint_shows_no_more_than_the_beginning() -> None:
    with pytest.raises(Malformed, match=r"^'x{60}' is not a Kubernetes quantity$"):
        quantities.parse("x" * 100_000)


BINARY: dict[Quantity, bool] = {"8Gi": True, "8Ki": True, "8G": False, "8": False, 8: False}


@pytest.mark.parametrize("quantity", BINARY)
def test_binary(quantity: Quantity) -> None:
    assert quantities.binary(quantity) is BINARY[quantity]
