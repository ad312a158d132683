"""Who has to go: as few as possible, the lowest first, and nobody where that does not help."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.cluster.state import Cluster
from hami_admission.model.amounts import Amounts
from hami_admission.model.verdict import Unfit
from hami_admission.placement import pod as pods
from hami_admission.placement import preempt, usage
from hami_admission.placement.pod import Demand
from hami_admission.placement.preempt import Held
from hami_admission.settings import Settings
from tests import build

if TYPE_CHECKING:
    from hami_admission.placement.usage import Cards

CLUSTER = Cluster(Settings())

Part = tuple[int, int, int]
"""The card that a pod holds a part of, MiB of it, and the pod's priority."""


def demand(count: int, memory: int) -> Demand:
    """A pod that asks for so many cards and MiB of each."""
    pod = build.pod(build.container(limits=build.gpu(count, memory=memory)))
    found = CLUSTER.demand(pod)
    assert found is not None
    return found


def held(*parts: Part) -> tuple[Held, ...]:
    """Pods ``0``, ``1``, …"""
    return tuple(
        Held(
            str(n),
            priority,
            Amounts({(f"GPU-n-{card}", "slots"): 1, (f"GPU-n-{card}", "memory"): memory}),
        )
        for n, (card, memory, priority) in enumerate(parts)
    )


def full(*lower: Held, cards: int = 2) -> dict[str, Cards]:
    """Cards of 1000 MiB with these pods on them."""
    devices = tuple(build.device(n, memory_mib=1000) for n in range(cards))
    node = usage.empty({"NVIDIA": devices})
    for each in lower:
        node = usage.add(node, each.amounts)
    return node.cards


Case = tuple[Demand, tuple[Part, ...], "set[str] | None"]
CASES: dict[str, Case] = {
    "the lowest goes": (demand(1, 500), ((0, 1000, 5), (1, 1000, 3)), {"1"}),
    "one large goes rather than a higher one": (
        demand(1, 500), ((0, 500, 5), (0, 500, 1), (1, 1000, 3)), {"1"}),
    "two on one card go where one is not enough": (
        demand(1, 1000), ((0, 500, 1), (0, 500, 1), (1, 1000, 3)), {"0", "1"}),
    "one for each card that is asked for": (
        demand(2, 500), ((0, 1000, 1), (1, 1000, 2)), {"0", "1"}),
    "nobody where there is room": (demand(1, 500), ((0, 500, 1), (1, 1000, 1)), set()),
    "nobody where it does not help": (demand(3, 500), ((0, 1000, 1), (1, 1000, 1)), None),
    "who holds nothing in the way stays": (demand(1, 600), ((0, 500, 1), (1, 100, 1)), set()),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_as_few_as_possible_go_the_lowest_first(case: Case) -> None:
    asked, parts, expected = case
    lower = held(*parts)
    found = preempt.way(asked, full(*lower), lower, CLUSTER.vendors, None)
    victims = None if found is None else {each.uid for each in found.victims}
    assert victims == expected


def test_pods_that_are_not_offered_stay() -> None:
    lower = held((0, 1000, 1), (1, 1000, 2))
    found = preempt.way(demand(1, 500), full(*lower), lower[1:], CLUSTER.vendors, None)
    assert found is not None
    assert [each.uid for each in found.victims] == ["1"]


def test_what_the_quota_does_not_allow_has_nobody_evicted() -> None:
    lower = held((0, 1000, 1))
    assert (
        preempt.way(demand(1, 500), full(*lower), lower, CLUSTER.vendors, lambda _: False) is None
    )


def test_the_harm_is_the_highest_victim_then_the_sum_then_how_many() -> None:
    def cost(node: str, *priorities: int) -> preempt.Cost:
        victims = held(*((0, 1, each) for each in priorities))
        return preempt.cost(node, preempt.Way(victims, ()))

    costs = [
        cost("c"), cost("a", 1), cost("b", 1), cost("a", 1, 1), cost("a", -5, 2), cost("a", 2, 2),
        cost("a", 3),
    ]  # fmt: skip
    assert costs == sorted(costs)


parts = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 500), st.integers(-3, 3)), max_size=8)


@given(parts, st.integers(1, 3), st.integers(1, 1000))
def test_with_the_victims_gone_it_fits_and_with_any_of_them_it_does_not(
    found_parts: list[Part], count: int, memory: int
) -> None:
    lower = held(*found_parts)
    cards, asked = full(*lower, cards=3), demand(count, memory)
    found = preempt.way(asked, cards, lower, CLUSTER.vendors, None)
    if found is None:
        empty = preempt.without(cards, lower)
        assert isinstance(pods.on_node(asked, empty, CLUSTER.vendors, None), Unfit)
        return
    free = preempt.without(cards, found.victims)
    assert pods.on_node(asked, free, CLUSTER.vendors, None) == found.grants
    for each in found.victims:
        others = [victim for victim in found.victims if victim is not each]
        tried = preempt.without(cards, others)
        assert isinstance(pods.on_node(asked, tried, CLUSTER.vendors, None), Unfit)
