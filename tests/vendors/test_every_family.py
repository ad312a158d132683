"""What every family must do, whatever its cards: nothing is given twice, and all of it is known.

Pods are drawn from the limits that the family's sample calls legal, alone and several in one pod,
and placed on a node of at most nine cards; some end again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hami_admission.admission import changes
from hami_admission.cluster import records
from hami_admission.cluster.state import Cluster
from hami_admission.model import grant as grants_of
from hami_admission.model.card import Card
from hami_admission.model.verdict import Unfit
from hami_admission.placement import decision, usage
from hami_admission.placement import pod as pods
from hami_admission.quota import charge
from hami_admission.settings import Settings
from hami_admission.vendors import table
from tests import build
from tests.vendors.samples import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hami_admission.model.amounts import Amounts
    from hami_admission.model.grant import CardKey, PodGrants
    from hami_admission.model.pod import Pod
    from hami_admission.placement.pod import Demand
    from hami_admission.placement.usage import Cards

Json = dict[str, Any]
EMPTY = Cluster(Settings())
"""Of no node; it reads and admits pods."""
VENDORS = EMPTY.vendors
MOST = 9
POLICIES: tuple[dict[str, str], ...] = (
    {},
    *({"hami.io/gpu-scheduler-policy": name} for name in ("binpack", "spread", "numa", "mutex")),
)

every = pytest.mark.parametrize("word", SAMPLES)
often = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


def test_every_family_has_a_sample_whose_node_has_its_cards() -> None:
    assert SAMPLES.keys() == VENDORS.words.keys()
    for word, sample in SAMPLES.items():
        found = table.node(VENDORS, sample.facts("n", MOST))
        assert (found.mistakes, list(found.devices)) == ({}, [word])
        assert [card.index for card in found.devices[word]] == list(range(MOST))


def cards(word: str, number: int) -> Cards:
    """As many, of which nothing is taken."""
    return tuple(map(Card, table.node(VENDORS, SAMPLES[word].facts("n", number)).devices[word]))


@st.composite
def documents(draw: st.DrawFn, word: str, most: int = 3) -> Json:
    """A pod as its user writes it; each container asks one of the sample's limits."""
    sample = SAMPLES[word]
    kinds = ("app", "init", "sidecar") if sample.init else ("app",)
    asks = draw(
        st.lists(
            st.tuples(st.sampled_from(kinds), st.sampled_from(sample.limits)),
            min_size=1,
            max_size=most if sample.several else 1,
        )
    )
    apps, init = [build.container("idle")], list[Json]()
    for n, (kind, limits) in enumerate(asks):
        made = build.container(f"c{n}", dict(limits), sidecar=kind == "sidecar")
        (apps if kind == "app" else init).append(made)
    notes = draw(st.sampled_from(POLICIES))
    return build.pod_json(*apps, init=tuple(init), annotations=dict(notes))


def admitted(document: Json) -> Json:
    """As admission leaves it."""
    found = EMPTY.admit(build.noun(document))
    assert (found.untouched, found.objections) == ("", ())
    return changes.apply(document, changes.operations(found.changes))


def demand_of(pod: Pod) -> Demand:
    found = EMPTY.demand(pod)
    assert found is not None
    return found


def placed(demand: Demand, given: Cards) -> PodGrants | Unfit:
    """On a node that has these cards alone."""
    (word,) = demand.words
    return pods.on_node(demand, {word: given}, VENDORS, None)


@dataclass
class Stay:
    """A node over time: its cards now, and what the pods on it hold."""

    given: Cards
    held: list[Amounts[CardKey]] = field(default_factory=list)

    def take(self, pod: Pod, grants: PodGrants) -> None:
        self.held.append(grants_of.on_cards(pod.kinds, grants))
        self.given = usage.taken(self.given, self.held[-1])

    def end(self, which: int) -> None:
        self.given = usage.taken(self.given, self.held.pop(which), -1)


def walk(data: st.DataObject, word: str, stay: Stay, most: int = 3) -> Iterator[tuple[Pod, Demand]]:
    """Pods that come to the node and get cards if it has some; between them others end."""
    for _ in range(data.draw(st.integers(1, 10), label="steps")):
        if stay.held and data.draw(st.integers(0, 2), label="one ends") == 0:
            stay.end(data.draw(st.integers(0, len(stay.held) - 1), label="which"))
            continue
        pod = build.noun(admitted(data.draw(documents(word, most))))
        demand = demand_of(pod)
        yield pod, demand
        found = placed(demand, stay.given)
        if not isinstance(found, Unfit):
            stay.take(pod, found)


def started(data: st.DataObject, word: str) -> Stay:
    """A node of some cards."""
    return Stay(cards(word, data.draw(st.integers(1, MOST), label="cards")))


@every
@often
@given(data=st.data())
def test_what_is_given_fits_and_comes_back(word: str, data: st.DataObject) -> None:
    stay = started(data, word)
    before = stay.given
    for _ in walk(data, word, stay):
        assert not [card.excess for card in stay.given if card.exceeded]
    while stay.held:
        stay.end(0)
        assert not [card.excess for card in stay.given if card.exceeded]
    assert stay.given == before


@every
def test_every_legal_limit_is_served(word: str) -> None:
    """Alone, on eight cards of which nothing is taken; with as many cards as it says."""
    for limits in SAMPLES[word].limits:
        pod = build.noun(admitted(build.pod_json(build.container(limits=dict(limits)))))
        demand = demand_of(pod)
        found = placed(demand, cards(word, 8))
        assert not isinstance(found, Unfit), (limits, str(found))
        assert found[0]


@every
@often
@given(data=st.data())
def test_what_is_written_on_a_pod_is_what_it_holds(word: str, data: st.DataObject) -> None:
    stay = started(data, word)
    for pod, demand in walk(data, word, stay):
        found = placed(demand, stay.given)
        if isinstance(found, Unfit):
            continue
        names = tuple(container.name for container in pod.containers)
        site = decision.Site("n", 1.0, {word: stay.given}, containers=names)
        notes = decision.notes(site, demand, found, VENDORS)
        bound = msgspec.structs.replace(pod, annotations={**pod.annotations, **notes})
        assert records.granted(bound, VENDORS, demand.slots) == found


@every
@often
@given(data=st.data())
def test_the_same_answer_in_any_order(word: str, data: st.DataObject) -> None:
    stay = started(data, word)
    for pod, demand in walk(data, word, stay):
        found = placed(demand, stay.given)
        mixed = tuple(data.draw(st.permutations(stay.given), label="mixed"))
        assert placed(demand, stay.given) == found
        assert placed(demand, mixed) == found
        quick = pods.possible(demand, {word: mixed}, VENDORS)
        assert isinstance(quick, Unfit) == isinstance(found, Unfit)
        turned = msgspec.structs.replace(
            pod,
            containers=tuple(
                msgspec.structs.replace(
                    each, limits=each.limits and dict(reversed(each.limits.items()))
                )
                for each in pod.containers
            ),
        )
        assert EMPTY.demand(turned) == demand


@every
@often
@given(data=st.data())
def test_admission_is_done_once(word: str, data: st.DataObject) -> None:
    first = data.draw(documents(word))
    asked = EMPTY.admit(build.noun(first))
    again = EMPTY.admit(build.noun(admitted(first)))
    assert (again.objections, again.changes) == ((), ())
    assert again.requests == asked.requests


def test_containers_that_want_an_annotation_otherwise_do_not_undo_each_other() -> None:
    cards_of = ({"mthreads.com/vgpu": count} for count in (3, 2))
    asked = (build.container(f"c{n}", limits) for n, limits in enumerate(cards_of))
    document = admitted(build.pod_json(*asked))
    assert document["metadata"]["annotations"] == {"mthreads.com/request-gpu-num": "2"}
    assert EMPTY.admit(build.noun(document)).changes == ()


@every
@often
@given(data=st.data())
def test_no_pod_costs_less_than_at_its_admission(word: str, data: st.DataObject) -> None:
    stay = started(data, word)
    names = {vendor.word: vendor.names for vendor in VENDORS}
    least = min(card.device.memory_mib for card in stay.given)
    for pod, demand in walk(data, word, stay):
        found = placed(demand, stay.given)
        if isinstance(found, Unfit):
            continue
        first = charge.of_requests(
            pod.kinds, demand.slots, names, lambda request: request.memory_on(least)
        )
        given = charge.of_grants(pod.kinds, found, names)
        assert not [name for name, value in first.items() if value > given[name]]
