"""No charge takes more than a card has left, and more room never refuses."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.model.card import Card
from hami_admission.model.grant import Grant
from hami_admission.model.request import Request
from hami_admission.vendors import charges
from tests import build

cards = st.builds(
    Card,
    st.builds(
        lambda memory, cores: build.device(memory_mib=memory, cores=cores),
        st.integers(0, 1000),
        st.sampled_from((0, 100, 200)),
    ),
    st.integers(0, 10),
    st.integers(0, 1000),
    st.integers(0, 100),
)
requests = st.builds(
    Request,
    st.just("NVIDIA"),
    st.just(1),
    st.none() | st.integers(1, 1000),
    st.integers(1, 100),
    st.sampled_from((0, 1, 50, 100)),
)


@given(cards, requests)
def test_a_grant_fits_in_what_is_left(card: Card, request: Request) -> None:
    found = charges.fluid(card, request)
    if isinstance(found, Grant):
        assert card.memory_mib + found.memory_mib <= card.device.memory_mib
        assert card.cores + found.cores <= card.device.cores
        assert found.cores == request.cores
        assert not (found.cores == 100 and card.slots)


@given(cards, requests, st.integers(0, 1000))
def test_less_use_never_turns_a_fit_into_a_refusal(card: Card, request: Request, less: int) -> None:
    freed = msgspec.structs.replace(card, memory_mib=max(card.memory_mib - less, 0))
    if isinstance(charges.fluid(card, request), Grant):
        assert isinstance(charges.fluid(freed, request), Grant)
