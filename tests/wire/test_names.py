"""Names as Kubernetes has them."""

from __future__ import annotations

import pytest

from hami_admission.wire import names

GOOD = ("a", "0", "web-0", "a.b-c.d", "a" * 253)
BAD = (
    "",
    ".",
    "..",
    "a/log",
    "../x",
    "%2e%2e/x",
    "A",
    "a_b",
    "-a",
    "a-",
    "a..b",
    "a.-b",
    "a\n",
    "é",
    "a" * 254,
)


@pytest.mark.parametrize("name", GOOD)
def test_a_name(name: str) -> None:
    assert names.is_name(name)
    assert names.is_prefix(name)


@pytest.mark.parametrize("name", BAD)
def test_no_name(name: str) -> None:
    assert not names.is_name(name)


@pytest.mark.parametrize(
    ("prefix", "good"), [("web-", True), ("web.", False), ("-", True), ("../", False)]
)
def test_the_beginning_of_a_generated_name(prefix: str, good: bool) -> None:
    assert names.is_prefix(prefix) is good


def test_a_namespace_has_no_dots_and_is_short() -> None:
    assert names.is_namespace("team-a")
    assert not names.is_namespace("team.a")
    assert names.is_namespace("a" * 63)
    assert not names.is_namespace("a" * 64)
