"""The lock of a node, both ways (facts/scheduling.md 10.2, facts/devices.md 1.5)."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.wire import locks
from hami_admission.wire.errors import Malformed
from hami_admission.wire.locks import Lock
from tests import strategies

READ: dict[str, tuple[str, Lock | str]] = {
    "of a pod": ("2026-08-21T06:20:39Z,team,p", Lock(1787293239, "team", "p")),
    "in another zone": ("2026-08-21T14:20:39+08:00,team,p", Lock(1787293239, "team", "p")),
    "of nobody": ("2026-08-21T06:20:39Z", Lock(1787293239)),
    "a pod without a namespace": ("2026-08-21T06:20:39Z,p", "not a time, a namespace and a pod"),
    "four parts": ("2026-08-21T06:20:39Z,a,b,c", "not a time, a namespace and a pod"),
    "without a zone": ("2026-08-21T06:20:39,team,p", "not a time, a namespace and a pod"),
    "no time": ("soon,team,p", "'soon,team,p' is no time, as 2026-08-21T06:20:39Z"),
    "nothing": ("", "is no time"),
}


@pytest.mark.parametrize("sentence", READ)
def test_read(sentence: str) -> None:
    text, expected = READ[sentence]
    if isinstance(expected, str):
        with pytest.raises(Malformed, match=expected):
            locks.decode(text)
    else:
        assert locks.decode(text) == expected


@given(st.integers(0, 4_000_000_000), strategies.words, strategies.words)
def test_what_is_written_is_read(taken: int, namespace: str, name: str) -> None:
    for lock in (Lock(taken, namespace, name), Lock(taken)):
        assert locks.decode(locks.encode(lock)) == lock


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Malformed):
        locks.decode(text)


def test_a_write_says_which_version_it_knows() -> None:
    node = b'{"metadata":{"name":"n","resourceVersion":"7","annotations":{"a":"b"}}}'
    assert locks.annotated(node) == locks.Annotated({"a": "b"}, "7")
    assert locks.annotated(b"{}") == locks.Annotated({}, "")
    with pytest.raises(Malformed, match="not a Node"):
        locks.annotated(b"[")
    assert msgspec.json.decode(locks.patch("a", None, "7")) == {
        "metadata": {"annotations": {"a": None}, "resourceVersion": "7"}
    }
