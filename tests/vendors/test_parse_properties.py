"""Whatever amounts are written: a request within its bounds, or objections; and a fixed point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from hami_admission.settings import NvidiaOptions
from hami_admission.vendors.nvidia import nvidia
from hami_admission.wire import quantities
from tests import build

if TYPE_CHECKING:
    from hami_admission.vendors.vendor import Reading

NAMES = nvidia(NvidiaOptions()).names
quantity = st.one_of(
    st.integers(-2, 200),
    st.integers(0, 200).map(str),
    st.sampled_from(("8Gi", "1.5", "2k", "", "many", "-1", "1E", 8589934592, 1.0)),
)
amounts = st.dictionaries(st.sampled_from((*NAMES.asking, NAMES.priority, "cpu")), quantity)


def _read(limits: dict[str, object], requests: dict[str, object] | None = None) -> Reading:
    container = build.pod(build.container(limits=limits, requests=requests)).containers[0]
    return nvidia(NvidiaOptions()).parse(container, {})


@given(amounts, st.none() | amounts)
def test_a_request_within_bounds_or_objections(
    limits: dict[str, object], requests: dict[str, object] | None
) -> None:
    found = _read(limits, requests)
    assert not (found.request and found.objections)
    if found.request is not None:
        request = found.request
        assert 1 <= request.count <= 64
        assert request.memory_mib is None or 1 <= request.memory_mib <= 4194304
        assert 1 <= request.percent <= 100
        assert 0 <= request.cores <= 100
        whole = {**(requests or {}), **limits, **found.limits}
        assert quantities.integer(whole[NAMES.count]) == request.count  # type: ignore[arg-type]
    assert all(each.field and each.advice for each in found.objections)


@given(amounts, st.none() | amounts)
def test_the_limits_that_we_set_ask_for_the_same(
    limits: dict[str, object], requests: dict[str, object] | None
) -> None:
    first = _read(limits, requests)
    if first.request is not None:
        again = _read({**limits, **first.limits}, requests)
        assert (again.request, again.limits) == (first.request, {})
