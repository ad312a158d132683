"""Every message has its entry in docs/troubleshooting.md, and every entry is of a message."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.architecture import messages

DOCUMENT = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
RUNS = re.compile(r"…+")


def plain(text: str) -> str:
    """A message without the holes at its ends, each other hole as one; any space is one."""
    return RUNS.sub("…", " ".join(text.split())).strip("….:; ")


def entries() -> set[str]:
    """What stands in back-quotes in the first cells of the tables."""
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    cells = [re.split(r" \| ", row.removeprefix("| "))[0] for row in rows]
    assert all(row.count(" | ") == 2 for row in rows), "message, meaning, what to do"
    return {plain(each) for cell in cells for each in re.findall(r"`([^`]+)`", cell)}


@cache
def all_messages() -> set[str]:
    """By each of the ways in which they reach users."""
    found = messages.constructed() | messages.warned() | messages.malformed()
    found |= messages.of_policies() | messages.reasons() | messages.of_events()
    return set(map(plain, found))


def test_every_message_has_its_entry() -> None:
    assert all_messages() - entries() == set()


def test_every_entry_is_of_a_message() -> None:
    assert entries() - all_messages() == set()


def test_warnings_come_from_where_they_are_read() -> None:
    assert messages.warners() == messages.WARNINGS


def test_some_of_each_kind_are_found() -> None:
    for found, least in (
        (messages.constructed(), 30),
        (messages.warned(), 12),
        (messages.malformed(), 8),
        (messages.of_policies(), 10),
        (messages.reasons(), 16),
        (messages.of_events(), 11),
    ):
        assert len(found) >= least


READABLE: dict[str, tuple[str, set[str]]] = {
    "a text": ("def f():\n  deny(r, 'no room here')", {"no room here"}),
    "holes, and by name": ("def f():\n  deny(r, message=f'no {a} in {b}')", {"no … in …"}),
    "one of two": ("def f():\n  deny(r, 'one' if a else 'two')", {"one", "two"}),
    "a variable": ("def f():\n  t = f'no {a}'\n  deny(r, t)", {"no …"}),
    "of a method": ("class C:\n  def f(self):\n    t = 'no'\n    deny(r, t)", {"no"}),
    "what a function says": ("def g():\n  return 'no'\ndef f():\n  deny(r, g())", {"no"}),
}


@pytest.mark.parametrize("sentence", READABLE)
def test_a_message_is_read(sentence: str) -> None:
    code, expected = READABLE[sentence]
    module = ast.parse(code)
    found = [
        text
        for scope, call in messages.calls(module)
        if messages.called(call) == "deny"
        for text in messages.texts(messages.argument(call, 1, "message"), scope, module)
    ]
    assert set(found) == expected


@pytest.mark.parametrize("code", ["deny(r, a + b)", "deny(r, t)", "deny(r, g())", "deny(r, x.y)"])
def test_what_cannot_be_read_is_an_error(code: str) -> None:
    module = ast.parse(f"def f():\n  {code}")
    ((scope, call),) = [
        each for each in messages.calls(module) if messages.called(each[1]) == "deny"
    ]
    with pytest.raises(messages.Unreadable):
        messages.texts(messages.argument(call, 1, "message"), scope, module)
