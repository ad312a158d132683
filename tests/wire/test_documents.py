"""JSON of one shape."""

from __future__ import annotations

import pytest

from hami_admission.wire import documents
from hami_admission.wire.errors import Malformed

HOSTILE = ["", "{", "[1]", "[" * 100_000, '{"a":"x"}', "\ud800"]


def test_documents_of_that_shape() -> None:
    assert documents.decode('{"a":1}', dict[str, int], "x") == {"a": 1}
    assert documents.decode('{"a":"1"}', dict[str, int], "x", strict=False) == {"a": 1}
    assert documents.decode_or({}, '{"a":1}', dict[str, int]) == {"a": 1}
    assert documents.sparse(a=1, b=0, c="", d="x") == {"a": 1, "d": "x"}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_anything_else(text: str) -> None:
    with pytest.raises(Malformed, match=r"^x: "):
        documents.decode(text, dict[str, int], "x")
    assert documents.decode_or({"b": 2}, text, dict[str, int]) == {"b": 2}
