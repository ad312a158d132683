"""A cell of a table for names and paths: it breaks after their punctuation, not within a word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.measure import Measurement
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions

_PIECE = re.compile(r".+?(?:[\s.,:/\[=_-]+|$)")


class Cell:
    """Rich breaks at spaces only, and otherwise anywhere."""

    def __init__(self, text: str, style: str = "") -> None:
        self._lines = text.splitlines() or [""]
        self._style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """The lines, none wider than there is room."""
        for line in self._lines:
            for each in wrapped(line, options.max_width):
                yield Text(each, self._style, no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """From the longest piece to the longest line."""
        pieces = [len(piece.rstrip()) for line in self._lines for piece in _PIECE.findall(line)]
        return Measurement(max(pieces, default=0), max(map(len, self._lines)))


def wrapped(line: str, width: int) -> list[str]:
    """The line in lines of that width; a piece that is longer is cut."""
    found = [""]
    for piece in _PIECE.findall(line):
        if found[-1] and len(found[-1]) + len(piece.rstrip()) > width:
            found.append("")
        rest = piece
        while len(rest.rstrip()) > width:
            found[-1:] = [rest[:width], ""]
            rest = rest[width:]
        found[-1] += rest
    return [each.rstrip() for each in found if each.strip()] or [""]
