from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hami_admission.model.card import Card
from hami_admission.model.device import Device, Profile
from hami_admission.model.grant import Grant, SlotGrants
from hami_admission.model.request import Request
from hami_admission.model.verdict import Unfit
from hami_admission.model.wishes import Topology, Wishes
from hami_admission.placement import fit, usage
from hami_admission.settings import Settings
from hami_admission.vendors import table
from tests import build

VENDORS = table.build(Settings())
NVIDIA, NEURON = (table.by_word(VENDORS, word) for word in ("NVIDIA", "AWSNeuron"))

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


wished = st.builds(
    Wishes,
    st.just("binpack"),
    st.sampled_from((("binpack",), ("spread",), ("numa", "spread"))),
    numa_bind=st.booleans(),
    topology=st.sampled_from(Topology),
)
LINKS = tuple(tuple(110 if a // 2 == b // 2 else 10 for b in range(6)) for a in range(6))
mixed = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from((0, 100, 400)), st.sampled_from((0, 50, 100)),
        st.sampled_from((400, 800)), st.integers(0, 1), st.sampled_from(("hami-core", "mig")),
    ),
    min_size=1,
    max_size=6,
).map(
    lambda found: tuple(
        Card(
            build.device(
                n, slots=2, memory_mib=size, numa=numa, mode=mode, links=LINKS, position=n,
                profiles=(Profile("1g", 300, 50, 1, ((0, 1), (1, 1))),) if mode == "mig" else (),
            ),
            slots, memory, cores, instances=slots if mode == "mig" else 0,
        )
        for n, (slots, memory, cores, size, numa, mode) in enumerate(found)
    )
)  # fmt: skip


@given(mixed, requests, wished)
def test_whether_it_fits_is_told_as_by_the_choice_itself(
    given_cards: tuple[Card, ...], request: Request, wished: Wishes
) -> None:
    quick = fit.possible(NVIDIA, given_cards, request, wished)
    best = fit.choose(NVIDIA, given_cards, request, wished, None)
    check_same(quick, best)


devices = st.lists(st.sets(st.integers(0, 3), max_size=4), min_size=1, max_size=8).map(
    lambda taken: tuple(
        usage.with_grant(
            Card(Device(f"d-{n}", n, kind, 4, 0, 4, units=4)),
            Grant(f"d-{n}", "AWSNeuron", 0, len(units), tuple(units)),
        )
        if units
        else Card(Device(f"d-{n}", n, kind, 4, 0, 4, units=4))
        for kind in ("AWSNeuron-inf2",)
        for n, units in enumerate(taken)
    )
)


@given(devices, st.integers(1, 4), st.sampled_from((0, 1, 2, 4, 6, 8)), wishes)
def test_the_same_for_a_family_of_runs(
    given_cards: tuple[Card, ...], count: int, cores: int, wished: Wishes
) -> None:
    request = Request("AWSNeuron", 1 if cores else count, 0, 100, cores)
    quick = fit.possible(NEURON, given_cards, request, wished)
    check_same(quick, fit.choose(NEURON, given_cards, request, wished, None))


def check_same(quick: SlotGrants | Unfit | None, best: SlotGrants | Unfit) -> None:
    """The same refusal, or grants that cost the same; or no quick answer."""
    if quick is None:
        return
    if isinstance(quick, Unfit) or isinstance(best, Unfit):
        assert quick == best
        return
    assert [(each.memory_mib, each.cores) for each in quick] == [
        (each.memory_mib, each.cores) for each in best
    ]
