from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hami_admission.model.card import Card
from hami_admission.model.request import Request
from hami_admission.model.verdict import Unfit
from hami_admission.model.wishes import Wishes
from hami_admission.placement import fit
from hami_admission.settings import Settings
from hami_admission.vendors import table
from tests import build

NVIDIA = table.by_word(table.build(Settings()), "NVIDIA")

cards = st.lists(
    st.tuples(st.integers(0, 10), st.integers(0, 400), st.integers(0, 100), st.booleans()),
    max_size=9,
).map(
    lambda found: tuple(
        Card(build.device(n, slots=10, memory_mib=400, healthy=healthy), slots, memory, cores)
        for n, (slots, memory, cores, healthy) in enumerate(found)
    )
)
requests = st.builds(
    Request,
    st.just("NVIDIA"),
    st.integers(1, 4),
    st.none() | st.integers(1, 400),
    st.integers(1, 100),
    st.integers(0, 100),
)
wishes = st.sampled_from(("binpack", "spread", "numa")).map(
    lambda policy: Wishes("binpack", (policy,))
)


@given(cards, requests, wishes)
def test_chosen_cards_are_different_healthy_and_have_room(
    given_cards: tuple[Card, ...], request: Request, wished: Wishes
) -> None:
    found = fit.choose(NVIDIA, given_cards, request, wished, None)
    if isinstance(found, Unfit):
        assert str(found)
        return
    by_uuid = {card.device.uuid: card for card in given_cards}
    assert len({grant.uuid for grant in found}) == len(found) == request.count
    for grant in found:
        card = by_uuid[grant.uuid]
        assert card.device.healthy
        assert card.slots < card.device.slots
        assert card.memory_mib + grant.memory_mib <= card.device.memory_mib
        assert card.cores + grant.cores <= card.device.cores
        assert grant.memory_mib == request.memory_on(card.device.memory_mib)
        assert not (request.cores == 100 and card.slots)


@given(cards, requests, wishes, st.integers(0, 400))
def test_more_free_memory_never_turns_a_fit_into_a_refusal(
    given_cards: tuple[Card, ...], request: Request, wished: Wishes, less: int
) -> None:
    if isinstance(fit.choose(NVIDIA, given_cards, request, wished, None), Unfit):
        return
    freer = tuple(
        Card(card.device, card.slots, max(card.memory_mib - less, 0), card.cores)
        for card in given_cards
    )
    assert not isinstance(fit.choose(NVIDIA, freer, request, wished, None), Unfit)


@given(cards, requests, wishes, st.randoms(use_true_random=False))
def test_the_order_of_the_list_does_not_matter(
    given_cards: tuple[Card, ...], request: Request, wished: Wishes, random: object
) -> None:
    mixed = list(given_cards)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    first = fit.choose(NVIDIA, given_cards, request, wished, None)
    second = fit.choose(NVIDIA, tuple(mixed), request, wished, None)
    assert str(first) == str(second)
