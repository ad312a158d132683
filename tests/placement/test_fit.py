"""One node: every tag, the order of cards, the peak of containers, and the texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hami_admission.model.amounts import Amounts
from hami_admission.model.card import Card
from hami_admission.model.grant import CORES, MEMORY, SLOTS, Grant, PodGrants
from hami_admission.model.verdict import Reason, Unfit
from hami_admission.model.wishes import EVEN, Weights
from hami_admission.placement import decision, order, place, usage, wishes
from hami_admission.placement import fit as fit_of
from hami_admission.placement import pod as pods
from hami_admission.settings import Settings
from hami_admission.vendors import table
from tests import build

SETTINGS = Settings()
VENDORS = table.build(SETTINGS)
WORD = "NVIDIA"


def demand(document: dict[str, Any]) -> pods.Demand:
    """What a pod asks."""
    pod = build.noun(document)
    requests = table.requests(table.read(VENDORS, pod))
    return pods.Demand(pod.kinds, requests, wishes.of(pod.annotations, (WORD,), VENDORS, SETTINGS))


LINKED = ((0, 110, 10), (110, 0, 10), (10, 10, 0))
"""Cards 0 and 1 have an NVLink."""


def one(annotations: dict[str, str] | None = None, **amounts: Any) -> pods.Demand:
    """A pod with one container."""
    container = build.container(limits=build.gpu(amounts.pop("count", 1), **amounts))
    return demand(build.pod_json(container, annotations=annotations or {}))


def card(index: int = 0, *, taken: tuple[int, int, int] = (0, 0, 0), **device: Any) -> Card:
    """A card of 10 slots, 40960 MiB, 100 cores; ``taken`` in that order."""
    made = build.device(index, **{"memory_mib": 40960, **device})
    return Card(made, *taken)


def unread(index: int = 0, **device: Any) -> Card:
    """Of which a pod has nobody knows how much."""
    return msgspec.structs.replace(card(index, **device), slots=1, unread=1)


def fit(asked: pods.Demand, *cards: Card, allows: pods.Allows | None = None) -> PodGrants | Unfit:
    return pods.on_node(asked, {WORD: cards} if cards else {}, VENDORS, allows)


REASONS: dict[Reason, tuple[pods.Demand, tuple[Card, ...], str]] = {
    Reason.CARD_NOT_HEALTH: (one(memory=1), (card(healthy=False),), "1/1"),
    Reason.CARD_TYPE_MISMATCH: (
        one({"nvidia.com/use-gputype": "H100"}, memory=1), (card(),), "1/1",
    ),
    Reason.CARD_UUID_MISMATCH: (
        one({"nvidia.com/nouse-gpuuuid": "GPU-n-0"}, memory=1), (card(),), "1/1",
    ),
    Reason.CARD_SLOTS_EXHAUSTED: (one(memory=1), (card(taken=(10, 0, 0)),), "1/1"),
    Reason.CARD_INSUFFICIENT_MEMORY: (one(memory=40961), (card(), card(1)), "2/2"),
    Reason.CARD_INSUFFICIENT_CORE: (one(memory=1, cores=60), (card(taken=(1, 0, 50)),), "1/1"),
    Reason.CARD_EXCLUSIVE_CONFLICT: (one(memory=1, cores=100), (card(taken=(1, 9, 0)),), "1/1"),
    Reason.CARD_CORES_EXHAUSTED: (one(memory=1), (card(taken=(1, 9, 100)),), "1/1"),
    Reason.CARD_CORDONED: (one(memory=1), (card(cordoned=True),), "1/1"),
    Reason.CARD_USE_UNKNOWN: (one(memory=1), (unread(), unread(1, healthy=False)), "2/2"),
    Reason.CARD_MIG_INFEASIBLE: (one(memory=1), (card(mode="mig"),), "1/1"),
    Reason.NUMA_NOT_FIT: (
        one({"nvidia.com/numa-bind": "true"}, count=2, memory=1), (card(), card(1, numa=1)), "2/2",
    ),
    Reason.TOPOLOGY_NOT_FIT: (
        one({"hami.io/gpu-topology": "required"}, count=2, memory=1),
        tuple(card(n, links=LINKED, position=n, healthy=n != 1) for n in range(3)), "2/3",
    ),
    Reason.NODE_INSUFFICIENT_DEVICE: (one(count=3, memory=1), (card(), card(1)), "2/2"),
    Reason.ALLOCATED_TOO_FEW: (one(count=2, memory=1), (card(), card(1, healthy=False)), "1/2"),
}  # fmt: skip


SETS = {
    Reason.NUMA_NOT_FIT,
    Reason.TOPOLOGY_NOT_FIT,
    Reason.NODE_INSUFFICIENT_DEVICE,
    Reason.ALLOCATED_TOO_FEW,
}
"""Reasons of a node's cards together; each of them alone would do."""


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_counted(reason: Reason) -> None:
    asked, cards, count = REASONS[reason]
    found = fit(asked, *cards)
    assert isinstance(found, Unfit)
    assert f"{count} {reason}" in str(found).split(", ")


def test_the_table_has_every_reason_but_the_quotas_and_those_of_single_families() -> None:
    assert set(Reason) - set(REASONS) == {Reason.QUOTA_NOT_FIT, *OF_FAMILIES}
    for reason, name in OF_FAMILIES.items():
        assert reason in (Path(__file__).parents[1] / "vendors" / name).read_text()


OF_FAMILIES = {
    Reason.CARD_CUSTOM_RULE: "test_mthreads.py",
    Reason.CARD_APP_CLASS_MISMATCH: "test_metax.py",
    Reason.CARD_QOS_MISMATCH: "test_metax.py",
    Reason.MODE_NOT_FIT: "test_ascend.py",
}
"""Reasons that only some families have, and the table that has them."""


@pytest.mark.parametrize("reason", sorted(set(REASONS) - SETS))
def test_the_same_is_said_of_each_card(reason: Reason) -> None:
    asked, cards, count = REASONS[reason]
    ((request,),) = asked.slots
    found = fit_of.each_card(VENDORS[0], cards, request, asked.wishes)
    assert [each for each, _ in found] == list(cards)
    assert f"{sum(why is reason for _, why in found)}/{len(cards)}" == count


def test_reasons_are_sorted_and_counted_by_card() -> None:
    full, busy, sick = (8, 40960, 0), (8, 0, 90), (0, 0, 0)
    cards = [card(n, taken=full) for n in range(3)]
    cards += [card(n, taken=busy) for n in (3, 4)]
    cards += [card(n, taken=sick, healthy=False) for n in (5, 6, 7)]
    assert str(fit(one(memory=1, cores=20), *cards)) == (
        "2/8 CardInsufficientCore, 3/8 CardInsufficientMemory, 3/8 CardNotHealth"
    )


def test_a_quota_that_leaves_too_little_is_a_reason_of_its_own() -> None:
    small = card(0, memory_mib=1000)
    found = fit(one(percent=100), small, card(1), allows=lambda grants: grants[0][0].memory_mib < 2)
    assert str(found) == "2/2 ResourceQuotaNotFit"
    half = fit(one(percent=50), card(1), small, allows=lambda g: g[0][0].memory_mib <= 500)
    assert half == ((Grant("GPU-n-0", WORD, 500, 0),),)


def test_a_node_without_cards_of_the_family() -> None:
    assert isinstance(fit(one(memory=1)), Unfit)


CARDS = (card(0, taken=(1, 100, 0)), card(1), card(2, taken=(2, 200, 0)), card(3))
POLICIES = {"binpack": [2, 0, 1, 3], "spread": [1, 3, 0, 2]}


@pytest.mark.parametrize("policy", POLICIES)
def test_order_of_cards_ties_by_index(policy: str) -> None:
    found = fit(one({"hami.io/gpu-scheduler-policy": policy}, count=4, memory=1), *CARDS)
    assert isinstance(found, tuple)
    assert [grant.uuid for grant in found[0]] == [f"GPU-n-{n}" for n in POLICIES[policy]]


def test_scores_of_the_facts() -> None:
    """Facts/scheduling.md 23: with the request counted; and the node before the pod."""
    used = card(0, taken=(2, 8000, 30))
    grant = Grant("GPU-n-0", WORD, 3000, 20)
    assert order.score(used, grant, EVEN) == pytest.approx(10.685546875)
    assert order.score(used, grant, Weights(slot=0, core=0, memory=2)) == pytest.approx(
        20 * 11000 / 40960
    )
    assert usage.node_score((used, card(1))) == pytest.approx(3.4765625)


def test_what_a_card_does_not_have_counts_nothing() -> None:
    """A family without memory is scored by what it has."""
    nothing = card(0, taken=(5, 0, 0), memory_mib=0, cores=0)
    assert order.score(nothing, Grant("GPU-n-0", WORD, 0, 0), EVEN) == pytest.approx(6)
    assert usage.node_score([nothing]) == pytest.approx(5)


def test_init_containers_use_the_room_that_apps_use_later() -> None:
    limits = build.gpu(1, memory=40000)
    asked = build.pod_json(build.container(limits=limits), init=(build.container("i", limits),))
    assert fit(demand(asked), card()) == ((Grant("GPU-n-0", WORD, 40000, 0),),) * 2
    sidecar = build.container("s", build.gpu(1, memory=1000), sidecar=True)
    beside = build.pod_json(build.container(limits=limits), init=(sidecar,))
    assert str(fit(demand(beside), card())) == "1/1 CardInsufficientMemory"
    assert isinstance(fit(demand(beside), card(), card(1)), tuple)


def test_usage_adds_and_takes_away() -> None:
    node = usage.empty({WORD: (build.device(0), build.device(1))})
    held = Amounts({("GPU-n-1", SLOTS): 2, ("GPU-n-1", MEMORY): 5, ("GPU-n-1", CORES): 7})
    full = usage.add(node, held)
    assert full.cards[WORD] == (Card(build.device(0)), Card(build.device(1), 2, 5, 7))
    assert usage.remove(full, held) == node
    assert usage.add(node, Amounts({("GPU-gone", SLOTS): 1})) == node


def priorities(policy: str, *scores: float, first: str | None = None) -> dict[str, int]:
    """What nodes n0, n1 … of these scores get."""
    ranks = {f"n{i}": place.rank(f"n{i}", score, policy) for i, score in enumerate(scores)}
    return place.priorities(ranks, [*ranks, "unknown"], first)


def test_the_fullest_or_the_emptiest_node_is_first_ties_by_name() -> None:
    ranked = [place.rank(name, score, "binpack") for name, score in (("b", 9), ("a", 9), ("c", 1))]
    assert [name for _, name in sorted(ranked)] == ["a", "b", "c"]
    assert place.rank("a", 1, "spread") < place.rank("b", 2, "spread")


def test_the_booked_node_has_the_highest_priority_alone() -> None:
    found = priorities("binpack", 3.0, 10.0, 10.0, 0.5, first="n1")
    assert found == {"n0": 2, "n1": 10, "n2": 9, "n3": 0, "unknown": 0}
    found = priorities("spread", 3.0, 10.0, 10.0, 0.5, first="n3")
    assert found == {"n0": 6, "n1": 0, "n2": 0, "n3": 10, "unknown": 0}
    assert priorities("spread", 1.0, 1.0, first="n0") == {"n0": 10, "n1": 9, "unknown": 0}
    assert priorities("binpack") == {"unknown": 0}


def test_the_annotations_of_a_placement() -> None:
    """Facts/scheduling.md 23: one init container and the first app without cards."""
    asked = build.container("c", build.gpu(1, percent=50, cores=20))
    document = build.pod_json(build.container("b"), asked, init=(build.container("a"),))
    grants: PodGrants = ((), (), (Grant("GPU-a", WORD, 3000, 20),))
    site = decision.Site("node", 12.7, {WORD: (card(uuid="GPU-a"),)})
    notes = decision.notes(site, demand(document), grants, VENDORS)
    assert notes == {
        "hami.io/vgpu-node": "node",
        "hami.io/vgpu-time": "12",
        "hami.io/bind-time": "12",
        "hami.io/bind-phase": "success",
        "hami.io/vgpu-devices-to-allocate": ";;GPU-a,NVIDIA,3000,20:;",
        "hami.io/vgpu-devices-allocated": ";;GPU-a,NVIDIA,3000,20:;",
        "hami.io/env-2.nvidia-visible-devices": "GPU-a",
        "hami.io/env-2.cuda-device-memory-limit-0": "3000m",
    }
