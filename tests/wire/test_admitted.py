"""What a pod was admitted with, as text and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.model.amounts import Amounts
from hami_admission.wire import admitted
from hami_admission.wire.errors import Malformed

NAMES = st.from_regex(r"[a-z]{1,9}(\.[a-z]{1,9})?/[a-zA-Z0-9._-]{1,20}", fullmatch=True)


@given(st.dictionaries(NAMES, st.integers(1, 10**15), min_size=1))
def test_what_is_written_is_read(values: dict[str, int]) -> None:
    amounts = Amounts(values)
    assert admitted.decode(admitted.encode(amounts)) == amounts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a=",
        "=1",
        "a=-1",
        "a=0",
        "a=01",
        "a=1.5",
        "a=1,a=1",
        "a=1,",
        f"a={'9' * 17}",
        "a=²",
    ],
)
def test_what_was_never_written_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        admitted.decode(text)


@given(st.integers(0, 10**9), st.integers(0, 10**6))
def test_defaults_that_are_written_are_read(memory_mib: int, cores: int) -> None:
    text = admitted.encode_defaults(memory_mib, cores)
    assert admitted.decode_defaults(text) == (memory_mib, cores)


@pytest.mark.parametrize("text", ["", "5", "5/", "/5", "-1/0", "05/0", "a/b", "1/2/3"])
def test_defaults_that_were_never_written_are_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        admitted.decode_defaults(text)
