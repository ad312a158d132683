"""What a pod was admitted with, in annotations that it keeps while it waits."""

from __future__ import annotations

from hami_admission.model.amounts import Amounts
from hami_admission.wire.errors import Malformed

_LONGEST = 16
"""Digits of an amount: more than any quota can count."""


def encode(amounts: Amounts[str]) -> str:
    """``name=amount,…`` by resource name, in the order of the names."""
    return ",".join(f"{name}={value}" for name, value in sorted(amounts.items()))


def decode(text: str) -> Amounts[str]:
    """Raises Malformed for what was not written by ``encode``."""
    found: dict[str, int] = {}
    for each in text.split(","):
        name, _, value = each.rpartition("=")
        if not name or name in found or not _is_amount(value):
            raise Malformed(f"not name=amount: {each[:60]!r}")
        found[name] = int(value)
    return Amounts(found)


def encode_defaults(memory_mib: int, cores: int) -> str:
    """``MiB/cores``: what is meant where a container leaves one of them out."""
    return f"{memory_mib}/{cores}"


def decode_defaults(text: str) -> tuple[int, int]:
    """MiB and cores; raises Malformed for what was not written by ``encode_defaults``."""
    memory, _, cores = text.partition("/")
    if not all(each == "0" or _is_amount(each) for each in (memory, cores)):
        raise Malformed(f"not MiB/cores: {text[:60]!r}")
    return int(memory), int(cores)


def _is_amount(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _LONGEST and text[0] != "0"
