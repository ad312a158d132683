"""Kubernetes quantities: ``16Gi`` to an exact number, and back.

The grammar is that of ``k8s.io/apimachinery/pkg/api/resource``: a signed decimal, then a binary
suffix (Ki … Ei), a decimal suffix (n, u, m, k … E) or an exponent.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from hami_admission.model.pod import Quantity

_FORM = re.compile(
    r"([+-]?)(\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3}|[A-Za-z]{0,2})", re.ASCII
)
_BINARY = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", 1)}
_WHOLE: dict[str, int] = {letter: 1000**power for power, letter in enumerate("kMGTPE", 1)}
_DECIMAL = {"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def parse(quantity: Quantity) -> Fraction:
    """The exact value; raises Malformed for what Kubernetes would not accept either."""
    if isinstance(quantity, int):
        return Fraction(quantity)
    text = str(quantity)
    match = _FORM.fullmatch(text)
    if match is None:
        raise Malformed(f"{text[:60]!r} is not a Kubernetes quantity")
    sign, digits, suffix = match.groups()
    value = Fraction(digits if digits[-1] != "." else digits[:-1]) * _scale(text, suffix)
    return -value if sign == "-" else value


def integer(quantity: Quantity) -> int | None:
    """The value when it is a whole number, else None; raises Malformed like parse."""
    if isinstance(quantity, int):
        return quantity
    if isinstance(quantity, str):
        if _plain(quantity):
            return int(quantity)
        # The API server writes 20000 as 20k, so this form is as frequent as the one above.
        power = _WHOLE.get(quantity[-1:])
        if power is not None and _plain(quantity[:-1]):
            return int(quantity[:-1]) * power
    value = parse(quantity)
    return value.numerator if value.denominator == 1 else None


def floor(quantity: Quantity) -> int:
    """The value rounded down; raises Malformed like parse."""
    value = parse(quantity)
    return value.numerator // value.denominator


def binary(quantity: Quantity) -> bool:
    """Was it written with a binary suffix, as bytes are?"""
    return isinstance(quantity, str) and quantity.endswith("i")


def _plain(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 40


def _scale(text: str, suffix: str) -> Fraction:
    if suffix in _BINARY:
        return Fraction(_BINARY[suffix])
    if suffix in _DECIMAL:
        return Fraction(10) ** _DECIMAL[suffix]
    if suffix[-1].isdigit():
        return Fraction(10) ** int(suffix[1:])
    raise Malformed(f"{text[:60]!r} has no suffix that Kubernetes knows")
