"""Cells that break where names and paths do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from hami_admission.simulate.cell import Cell, wrapped

CASES = {
    "a name of a variable": ("NVIDIA_VISIBLE_DEVICES", 14, ["NVIDIA_", "VISIBLE_", "DEVICES"]),
    "a path": (
        "spec.containers[0].resources", 12, ["spec.", "containers[", "0].resources"],
    ),
    "words": ("no card has room", 8, ["no card", "has room"]),
    "all of it": ("short", 8, ["short"]),
    "what cannot be broken is cut": ("abcdefghij k", 4, ["abcd", "efgh", "ij k"]),
    "nothing": ("", 4, [""]),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CASES)
def test_wrapped(sentence: str) -> None:
    line, width, expected = CASES[sentence]
    assert wrapped(line, width) == expected


@given(st.text("ab._/- ", max_size=40), st.integers(1, 12))
def test_nothing_is_lost_and_nothing_is_too_wide(line: str, width: int) -> None:
    found = wrapped(line, width)
    assert all(len(each) <= width for each in found)
    assert "".join(found).replace(" ", "") == line.replace(" ", "")


def test_in_a_table_a_line_ends_with_a_whole_word() -> None:
    table = Table()
    table.add_column("Variable")
    table.add_column("Value")
    table.add_row(Cell("CUDA_DEVICE_MEMORY_LIMIT_0"), Cell("one two three four five six seven"))
    console = Console(width=40)
    with console.capture() as shown:
        console.print(table)
    for broken in ("MEMO ", "DEVI ", "LIMI ", "thre "):
        assert broken not in shown.get()
    assert all(len(line) <= 40 for line in shown.get().splitlines())
