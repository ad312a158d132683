"""The pod device string round-trips, and no text does worse than Malformed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from hami_admission.wire import grants
from hami_admission.wire.errors import Malformed
from tests import strategies

if TYPE_CHECKING:
    from hami_admission.model.grant import PodGrants


@given(strategies.pod_grants)
def test_round_trip(pod: PodGrants) -> None:
    assert grants.decode(grants.encode(pod)) == pod
    if any(pod):
        assert grants.salvage(grants.encode(pod)) == pod


@given(st.text() | st.text("GPU-a,NVID;:0123 \n", max_size=60))
def test_any_text(text: str) -> None:
    with suppress(Malformed):
        found = grants.decode(text)
        assert all(each.memory_mib >= 0 and each.cores >= 0 for slot in found for each in slot)
    assert any(grants.salvage(text))
