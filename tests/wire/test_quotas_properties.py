"""Holds round-trip; whatever is sent: a quota or Malformed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.wire import keys, quotas
from hami_admission.wire.errors import Malformed
from tests import build, strategies

if TYPE_CHECKING:
    from hami_admission.model.quota import Hold

FIELDS = ("metadata", "annotations", "spec", "hard", "limits.nvidia.com/gpu", "status", "used")
QUOTA = msgspec.json.encode(build.quota_json(gpu=1))


@given(strategies.holds)
def test_holds_round_trip(holds: dict[str, Hold]) -> None:
    text = quotas.encode_holds(holds)
    assert quotas.decode_holds(text) == holds
    assert quotas.encode_holds(dict(reversed(holds.items()))) == text


@given(strategies.holds, st.dictionaries(strategies.resources, st.integers(0, 10**12)))
def test_what_the_patch_writes_is_read_back(holds: dict[str, Hold], used: dict[str, int]) -> None:
    quota = msgspec.structs.replace(quotas.decode(QUOTA), used=used, holds=holds)
    written = msgspec.json.decode(quotas.patch(quota))
    written["metadata"]["annotations"] = {
        key: value for key, value in written["metadata"]["annotations"].items() if value
    }
    read = quotas.decode(msgspec.json.encode(written))
    assert (read.used, read.holds, read.version) == (used, holds, quota.version)


@given(strategies.bodies(*FIELDS, keys.QUOTA_HOLDS, valid=QUOTA))
def test_any_body(body: bytes) -> None:
    with suppress(Malformed):
        found = quotas.decode(body)
        assert all(value >= 0 for value in (*found.hard.values(), *found.used.values()))


@given(st.text() | strategies.json_of(("pod", "until", "amounts")).map(msgspec.json.encode))
def test_any_holds(text: str | bytes) -> None:
    shown = text if isinstance(text, str) else text.decode()
    assert isinstance(quotas.decode_holds(shown), dict)
