"""JSON of one shape, as annotations have it."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from hami_admission.wire.errors import Malformed

T = TypeVar("T")


def decode(text: str, shape: type[T], what: str, *, strict: bool = True) -> T:
    """``what`` is how messages begin; not ``strict``: numbers may stand in quotes.

    Raises Malformed.
    """
    try:
        return msgspec.json.decode(text, type=shape, strict=strict)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed(f"{what}: {error}") from error


def decode_or(default: T, text: str, shape: type[T]) -> T:
    """``default`` where the text cannot be read."""
    try:
        return decode(text, shape, "")
    except Malformed:
        return default


def sparse(**fields: str | int) -> dict[str, str | int]:
    """An object without what is empty or zero, as Go writes those."""
    return {name: value for name, value in fields.items() if value}
