"""Findings as data and as text that a person likes to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from hami_admission.doctor.finding import Finding, Level

_COLOURS: dict[Level, str] = {
    "problem": "bold red",
    "warning": "yellow",
    "unknown": "cyan",
    "ok": "green",
}


def of(findings: Sequence[Finding]) -> dict[str, object]:
    """The answer as JSON has it: how many of each level, and each finding in order."""
    return {
        "levels": {level: _number(findings, level) for level in _COLOURS},
        "findings": [
            {
                "level": each.level,
                "check": each.check,
                "lookedAt": each.looked_at,
                "found": each.found,
                "do": each.do,
            }
            for each in findings
        ],
    }


def shown(findings: Sequence[Finding]) -> list[RenderableType]:
    """A line for each finding, and below it, further in, what to do; at last the numbers."""
    lines: list[RenderableType] = []
    for each in findings:
        head = Text.assemble(
            (f"{each.level:<8}", _COLOURS[each.level]), (each.check, "bold"), f"  {each.looked_at}"
        )
        lines += [head, Padding(Text(each.found), (0, 0, 0, 8))]
        if each.do:
            lines.append(Padding(Text(f"→ {each.do}", style="bold"), (0, 0, 0, 8)))
    numbers = ", ".join(f"{_number(findings, level)} {level}" for level in _COLOURS)
    return [*lines, Text(numbers, style="bold")]


def _number(findings: Sequence[Finding], level: Level) -> int:
    return sum(each.level == level for each in findings)
