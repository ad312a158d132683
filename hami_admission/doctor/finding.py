"""Finding: one line of what was looked at, what it is like, and what to do."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["ok", "warning", "problem", "unknown"]


class Finding(msgspec.Struct, frozen=True):
    """``check`` names the rule; ``do`` is empty where there is nothing to do."""

    level: Level
    check: str
    looked_at: str
    found: str
    do: str = ""


def ok(check: str, looked_at: str, found: str) -> Finding:
    """All is as it should be."""
    return Finding("ok", check, looked_at, found)


def warning(check: str, looked_at: str, found: str, do: str) -> Finding:
    """It works, but not always or not as somebody may think."""
    return Finding("warning", check, looked_at, found, do)


def problem(check: str, looked_at: str, found: str, do: str) -> Finding:
    """Something does not work."""
    return Finding("problem", check, looked_at, found, do)


def unknown(check: str, looked_at: str, why: str, do: str = "") -> Finding:
    """Nobody could look, or it cannot be seen from here."""
    return Finding("unknown", check, looked_at, why, do)


def some(names: list[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
