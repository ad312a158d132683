"""The nouns of the product, and what strangers may send instead, for hypothesis."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from hami_admission.model.amounts import Amounts
from hami_admission.model.device import Device
from hami_admission.model.grant import Grant, PodGrants
from hami_admission.model.pod import Kind
from hami_admission.model.quota import Hold

_LETTERS = "abcxyzABCXYZ0123456789-._/"

words = st.text(_LETTERS, min_size=1, max_size=12)
"""Names that no separator of an annotation stands in."""

RESOURCES = ("gpu", "gpumem", "gpucores", "other")
resources = st.sampled_from(RESOURCES)

amounts: st.SearchStrategy[Amounts[str]] = st.dictionaries(resources, st.integers(0, 10**12)).map(
    Amounts
)

pod_kinds: st.SearchStrategy[tuple[Kind, ...]] = st.builds(
    lambda init, apps: (*init, *apps),
    st.lists(st.sampled_from((Kind.INIT, Kind.SIDECAR)), max_size=5),
    st.lists(st.just(Kind.APP), max_size=4),
)
"""Kinds in slot order: init containers and sidecars mixed, then apps."""


@st.composite
def pods_of_amounts(
    draw: st.DrawFn,
) -> tuple[tuple[Kind, ...], list[Amounts[str]]]:
    """Kinds and what each slot holds."""
    kinds = draw(pod_kinds)
    return kinds, draw(st.lists(amounts, min_size=len(kinds), max_size=len(kinds)))


grants: st.SearchStrategy[Grant] = st.builds(
    Grant, words, words, st.integers(0, 2**31 - 1), st.integers(0, 100)
)

pod_grants: st.SearchStrategy[PodGrants] = st.lists(
    st.lists(grants, max_size=3).map(tuple), max_size=5
).map(tuple)

devices: st.SearchStrategy[Device] = st.builds(
    Device,
    uuid=words,
    index=st.integers(0, 63),
    type=st.text(max_size=20),
    slots=st.integers(0, 1000),
    memory_mib=st.integers(0, 9_999_999_999),
    cores=st.integers(0, 1000),
    numa=st.integers(-1, 8),
    mode=st.sampled_from(("hami-core", "mig", "mps")),
    healthy=st.booleans(),
)


def _in_order(cards: list[Device]) -> tuple[Device, ...]:
    return tuple(sorted(cards, key=lambda card: (card.index, card.uuid)))


node_devices: st.SearchStrategy[tuple[Device, ...]] = st.lists(
    devices, max_size=6, unique_by=lambda card: card.uuid
).map(_in_order)
"""The cards of one node, in the order in which a register lists them."""

holds: st.SearchStrategy[dict[str, Hold]] = st.dictionaries(
    st.uuids().map(str), st.builds(Hold, words, st.integers(0, 2**40), amounts), max_size=5
)

_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(("1Ex", "8Gi", "-1", "1.5", "Always", "CREATE", "v1")),
)


def json_of(fields: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """JSON that often has the right field names and seldom the right types."""
    names = st.sampled_from(fields) | st.text(max_size=3)
    return st.recursive(
        _leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(names, inner, max_size=4)
            | st.dictionaries(st.sampled_from(fields), inner, min_size=2, max_size=5)
        ),
        max_leaves=12,
    )


def bodies(*fields: str, valid: bytes = b"{}") -> st.SearchStrategy[bytes]:
    """Any bytes, JSON with these fields and wrong types, and damaged parts of a right one."""

    def damaged(at: int, byte: int) -> bytes:
        return valid[:at] + bytes((byte,)) + valid[at + 1 :]

    return st.one_of(
        st.binary(max_size=40),
        json_of(fields).map(msgspec.json.encode),
        st.dictionaries(st.sampled_from(fields), json_of(fields), max_size=4).map(
            msgspec.json.encode
        ),
        st.integers(0, len(valid)).map(lambda end: valid[:end]),
        st.builds(damaged, st.integers(0, len(valid)), st.integers(0, 255)),
    )
