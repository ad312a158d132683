"""What every family must do, whatever its cards: nothing is given twice, and all of it is known.

Pods are drawn from the limits that the family's sample calls legal, alone and several in one pod,
and placed on a node of at most nine cards; some end again.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hami_admission.admission import changes
from hami_admission.cluster import events, records
from hami_admission.cluster.state import Cluster
from hami_admission.model import grant as grants_of
from hami_admission.model.card import Card
from hami_admission.model.grant import Grant
from hami_admission.model.verdict import Unfit
from hami_admission.placement import decision, usage
from hami_admission.placement import pod as pods
from hami_admission.quota import charge
from hami_admission.settings import Settings
from hami_admission.vendors import table
from tests import build
from tests.budgets import times
from tests.cluster_state.test_state_properties import same_twice
from tests.vendors.samples import SAMPLES
from tests.vendors.ways import WAYS, family

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

ALL = {**SAMPLES, **WAYS}
every = pytest.mark.parametrize("way", ALL)
often = settings(
    max_examples=times(0.06),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
"""Few: there are some thirty families and ways."""


def test_every_family_has_a_sample_whose_node_has_its_cards() -> None:
    assert SAMPLES.keys() == VENDORS.words.keys()
    for way, sample in ALL.items():
        found = table.node(VENDORS, sample.facts("n", MOST))
        assert (found.mistakes, list(found.devices)) == ({}, [family(way)])
        assert [card.index for card in found.devices[family(way)]] == list(range(MOST))


def cards(way: str, number: int) -> Cards:
    """As many, of which nothing is taken."""
    found = table.node(VENDORS, ALL[way].facts("n", number))
    return tuple(map(Card, found.devices[family(way)]))


@st.composite
def documents(draw: st.DrawFn, way: str, most: int = 3) -> Json:
    """A pod as its user writes it; each container asks one of the sample's limits."""
    sample = ALL[way]
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
    notes = {**draw(st.sampled_from(POLICIES)), **draw(st.sampled_from(sample.notes))}
    return build.pod_json(*apps, init=tuple(init), annotations=notes)


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


def walk(data: st.DataObject, way: str, stay: Stay, most: int = 3) -> Iterator[tuple[Pod, Demand]]:
    """Pods that come to the node and get cards if it has some; between them others end."""
    for _ in range(data.draw(st.integers(1, 10), label="steps")):
        if stay.held and data.draw(st.integers(0, 2), label="one ends") == 0:
            stay.end(data.draw(st.integers(0, len(stay.held) - 1), label="which"))
            continue
        pod = build.noun(admitted(data.draw(documents(way, most))))
        demand = demand_of(pod)
        yield pod, demand
        found = placed(demand, stay.given)
        if not isinstance(found, Unfit):
            stay.take(pod, found)


def started(data: st.DataObject, way: str) -> Stay:
    """A node of some cards."""
    return Stay(cards(way, data.draw(st.integers(1, MOST), label="cards")))


@every
@often
@given(data=st.data())
def test_what_is_given_fits_and_comes_back(way: str, data: st.DataObject) -> None:
    stay = started(data, way)
    before = stay.given
    for _ in walk(data, way, stay):
        assert not [card.excess for card in stay.given if card.exceeded]
    while stay.held:
        stay.end(0)
        assert not [card.excess for card in stay.given if card.exceeded]
    assert stay.given == before


@every
def test_every_legal_limit_is_served(way: str) -> None:
    """Alone, on eight cards of which nothing is taken; with as many cards as it says."""
    for limits, notes in itertools.product(ALL[way].limits, ALL[way].notes):
        asks = build.pod_json(build.container(limits=dict(limits)), annotations=dict(notes))
        demand = demand_of(build.noun(admitted(asks)))
        found = placed(demand, cards(way, 8))
        assert not isinstance(found, Unfit), (limits, str(found))
        assert found[0]


@every
@often
@given(data=st.data())
def test_what_is_written_on_a_pod_is_what_it_holds(way: str, data: st.DataObject) -> None:
    stay = started(data, way)
    for pod, demand in walk(data, way, stay):
        found = placed(demand, stay.given)
        if isinstance(found, Unfit):
            continue
        names = tuple(container.name for container in pod.containers)
        site = decision.Site("n", 1.0, {family(way): stay.given}, containers=names)
        notes = decision.notes(site, demand, found, VENDORS)
        bound = msgspec.structs.replace(pod, annotations={**pod.annotations, **notes})
        assert records.granted(bound, VENDORS, table.read(VENDORS, bound)) == (found, ())


@every
@often
@given(data=st.data())
def test_the_same_answer_in_any_order(way: str, data: st.DataObject) -> None:
    stay = started(data, way)
    for pod, demand in walk(data, way, stay):
        found = placed(demand, stay.given)
        mixed = tuple(data.draw(st.permutations(stay.given), label="mixed"))
        assert placed(demand, stay.given) == found
        assert placed(demand, mixed) == found
        quick = pods.possible(demand, {family(way): mixed}, VENDORS)
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
def test_admission_is_done_once(way: str, data: st.DataObject) -> None:
    first = data.draw(documents(way))
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
def test_no_pod_costs_less_than_at_its_admission(way: str, data: st.DataObject) -> None:
    stay = started(data, way)
    names = {vendor.word: vendor.names for vendor in VENDORS}
    least = min(card.device.memory_mib for card in stay.given)
    for pod, demand in walk(data, way, stay):
        found = placed(demand, stay.given)
        if isinstance(found, Unfit):
            continue
        first = charge.of_requests(
            pod.kinds, demand.slots, names, lambda request: request.memory_on(least)
        )
        given = charge.of_grants(pod.kinds, found, names)
        assert not [name for name, value in first.items() if value > given[name]]


# More room never hurts.

LESS_WITH_MORE_CARDS = {
    "kunlun": "boards with more cards have larger wings, so that other cards are linked",
    "XPU": "boards with more cards have larger wings, so that other cards are linked",
}
"""Families of which a pod may fit on a node, and not on one with one card more."""

NOT_FEWER = {
    "kunlun": "1, 2, 4 cards and all of a board stand together, 3 do not (facts/devices.md 5.1)",
    "XPU": "as of whole cards (facts/devices.md 5.2)",
    "AWSNeuron": "Trainium's groups are of 1, 4, 8 and 16 devices (facts/devices.md 4)",
    "Ascend910C": "dies are given out in pairs (facts/devices.md 8.4)",
}
"""Families of which a pod may fit, and the same pod with fewer cards not."""


@every
@often
@given(data=st.data())
def test_who_fits_fits_with_more_room(way: str, data: st.DataObject) -> None:
    """Where another pod ends, and on a node with one card more; of pods with one container."""
    stay = started(data, way)
    for _, demand in walk(data, way, stay, most=1):
        if isinstance(placed(demand, stay.given), Unfit):
            continue
        for held in stay.held:
            assert not isinstance(placed(demand, usage.taken(stay.given, held, -1)), Unfit)
        more = cards(way, len(stay.given) + 1)
        for held in stay.held:
            more = usage.taken(more, held)
        if family(way) not in LESS_WITH_MORE_CARDS:
            assert not isinstance(placed(demand, more), Unfit)


@every
@often
@given(data=st.data())
def test_who_fits_fits_with_fewer_cards(way: str, data: st.DataObject) -> None:
    if family(way) in NOT_FEWER:
        return
    stay = started(data, way)
    for _, demand in walk(data, way, stay, most=1):
        fits = not isinstance(placed(demand, stay.given), Unfit)
        for count in range(1, asked(demand)):
            assert not fits or not isinstance(placed(of_count(demand, count), stay.given), Unfit)


def asked(demand: Demand) -> int:
    """Of how many cards a pod is that has one container with some."""
    assert demand.single is not None
    return demand.single[1].count


def of_count(demand: Demand, count: int) -> Demand:
    """The same of so many cards."""
    slots = tuple(
        tuple(msgspec.structs.replace(each, count=count) for each in slot) for slot in demand.slots
    )
    return msgspec.structs.replace(demand, slots=slots)


def asking(*limits: Json) -> Demand:
    """Of a pod with these containers."""
    made = (build.container(f"c{n}", dict(each)) for n, each in enumerate(limits))
    return demand_of(build.noun(admitted(build.pod_json(*made))))


def full(given: Cards, *indices: int) -> Cards:
    """With nothing left of the cards of these indices."""
    return tuple(
        usage.with_grant(card, Grant(card.device.uuid, "", card.device.memory_mib, 100))
        if card.device.index in indices
        else card
        for card in given
    )


@pytest.mark.parametrize("word", LESS_WITH_MORE_CARDS)
def test_a_ninth_card_may_part_those_that_were_linked(word: str) -> None:
    """Of 0, 1, 4 and 5 on a board of 8 each has its counterpart; on one of 10 only 0 has (5)."""
    count = VENDORS.words[word].names.count
    demand = asking({count: 4})
    assert not isinstance(placed(demand, full(cards(word, 8), 2, 3, 6, 7)), Unfit)
    found = placed(demand, full(cards(word, 9), 2, 3, 6, 7))
    assert isinstance(found, Unfit)
    assert "NumaNotFit" in str(found)


@pytest.mark.parametrize("word", NOT_FEWER)
def test_there_are_numbers_that_do_not_stand_together(word: str) -> None:
    """Four cards of eight, and not three."""
    count = VENDORS.words[word].names.count
    given = cards("AWSNeuron, eight cores" if word == "AWSNeuron" else word, 8)
    demand = asking({count: 4})
    assert not isinstance(placed(demand, given), Unfit)
    assert isinstance(placed(of_count(demand, 3), given), Unfit)


def test_a_pod_of_two_containers_may_fit_no_more_when_others_end() -> None:
    """Containers are placed one after the other, each where its policy wants it.

    The first goes to card 0, which fewer share, until those on card 1 end; then it goes there, and
    leaves too little memory for the second on either.
    """
    zero, one = cards("NVIDIA", 2)
    zero = usage.with_grant(zero, Grant(zero.device.uuid, "NVIDIA", 51920, 0))
    one = usage.with_grant(one, Grant(one.device.uuid, "NVIDIA", 21420, 0))
    many = one
    for _ in range(5):
        many = usage.with_grant(many, Grant(one.device.uuid, "NVIDIA", 100, 0))
    demand = asking(build.gpu(1, memory=30000), build.gpu(1, memory=60000))
    found = placed(demand, (zero, many))
    assert not isinstance(found, Unfit)
    assert [grant.uuid[-1] for slot in found for grant in slot] == ["0", "1"]
    assert isinstance(placed(demand, (zero, one)), Unfit)


# A process that has known all along, and one that starts.


def bound(cluster: Cluster, pod: Pod) -> Pod | None:
    """The pod as the Binding of its booking leaves it."""
    booking, demand = cluster.bookings.get(pod.uid), demand_of(pod)
    if booking is None:
        return None
    given = cluster.usage()[booking.node].cards
    names = tuple(container.name for container in pod.containers)
    site = decision.Site(booking.node, 0, given, containers=names)
    notes = decision.notes(site, demand, booking.placement.grants, cluster.vendors)
    return msgspec.structs.replace(
        pod, node_name=booking.node, annotations={**pod.annotations, **notes}
    )


def fresh(way: str, sizes: dict[str, int], live: dict[str, Pod]) -> Cluster:
    """The state of a process that starts now."""
    made = Cluster(Settings())
    for name, number in sizes.items():
        made.apply(events.NodeSeen(ALL[way].facts(name, number)), 0)
    for pod in live.values():
        made.apply(events.PodSeen(pod), 0)
    return made


@every
@often
@given(data=st.data())
def test_what_is_kept_is_what_a_new_process_finds(way: str, data: st.DataObject) -> None:
    live: dict[str, Pod] = {}
    sizes = {"a": 3, "b": 5}
    cluster = fresh(way, sizes, live)
    verbs = st.sampled_from(("come", "come", "come", "end", "node"))
    for now in range(data.draw(st.integers(1, 8), label="steps")):
        verb = data.draw(verbs)
        if verb == "come":
            asks = data.draw(documents(way))
            asks["metadata"]["uid"] = asks["metadata"]["name"] = f"p{now}"
            pod = build.noun(admitted(asks))
            same_twice(cluster, pod, now)
            new = fresh(way, sizes, live)
            demand = demand_of(pod)
            assert cluster.plan(pod, demand, sizes, now) == new.plan(pod, demand, sizes, now)
            if (made := bound(cluster, pod)) is not None:
                cluster.apply(events.PodSeen(made), now)
                live[pod.uid] = made
        elif verb == "end" and live:
            uid = data.draw(st.sampled_from(sorted(live)))
            cluster.apply(events.PodGone(uid), now)
            del live[uid]
        elif verb == "node":
            sizes["b"] = data.draw(st.integers(1, MOST), label="cards")
            cluster.apply(events.NodeSeen(ALL[way].facts("b", sizes["b"])), now)
        assert cluster.usage() == fresh(way, sizes, live).usage()
