"""The table of values in the chart's README, from the comments of values.yaml.

``python -m tests.packaging.values_table`` writes it; a test says when it is stale.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tests import yamls
from tests.packaging.chart import CHART

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES, README = CHART / "values.yaml", CHART / "README.md"
BEGIN, END = "<!-- values: made by tests/packaging/values_table.py -->", "<!-- /values -->"
_KEY = re.compile(r"( *)([\w-]+):")


class Row(NamedTuple):
    """A value by its path, its default, and what its comment says."""

    path: str
    default: Any
    says: str


def rows() -> Iterator[Row]:
    """All values with a comment, in the order of the file."""
    text = VALUES.read_text()
    defaults = yamls.load(text)
    path: list[str] = []
    says = ""
    for line in text.splitlines():
        if line.lstrip().startswith("# -- "):
            says = line.partition("# -- ")[2]
        elif match := _KEY.match(line):
            path[len(match[1]) // 2 :] = [match[2]]
            if says:
                yield Row(".".join(path), _at(defaults, path), says)
            says = ""


def _at(values: Any, path: list[str]) -> Any:
    for each in path:
        values = values[each]
    return values


def leaves(values: Any, path: str = "") -> Iterator[str]:
    """The paths of all values that are no section."""
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    else:
        yield path


def table() -> str:
    """In Markdown."""
    lines = ["| Value | Default | Says |", "| --- | --- | --- |"]
    for row in rows():
        says = row.says.replace("|", "\\|")
        lines.append(f"| `{row.path}` | `{json.dumps(row.default)}` | {says} |")
    return "\n".join(lines)


def fresh(text: str) -> str:
    """The README with the table as it should be."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(fresh(README.read_text()))
