"""Enflame (facts/devices.md 6): whole GCUs, and parts of one by profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.model.device import Profile
from hami_admission.model.grant import Grant
from hami_admission.model.node import Handover
from hami_admission.model.pod import Kind
from hami_admission.model.request import Request
from hami_admission.options import EnflameOptions
from hami_admission.placement.pod import Demand
from hami_admission.quota import charge
from hami_admission.settings import Settings
from hami_admission.wire.errors import Malformed
from hami_admission.wire.nodes import NodeFacts
from tests import build
from tests.vendors import family
from tests.vendors.family import BINPACK

if TYPE_CHECKING:
    from hami_admission.model.card import Card
    from hami_admission.model.grant import PodGrants

GCU, DRS = "enflame.com/gcu", "enflame.com/drs-gcu"
MEMORY, CORES = "enflame.com/gcu-memory", "enflame.com/gcu-core"
CAPACITY = "enflame.com/gcu-drs-capacity"
WHOLE, PARTS = family.of("GCU"), family.of("Enflame")
Json = dict[str, Any]


def drs(**changed: Any) -> NodeFacts:
    """A node as Enflame's plugin leaves it, with two cards of six slices."""
    usual = {
        "devices": [
            {"index": "0", "minor": "4", "capacity": 6},
            {"index": "1", "capacity": "6"},
        ],
        "profiles": {"6g.40gb": "2", "1g.6gb": "0", "3g.20gb": "1"},
    }
    text = msgspec.json.encode({**usual, **changed}).decode()
    return family.node({CAPACITY: text}, {DRS: "12"})


def test_whole_cards_are_made_up_from_the_capacity() -> None:
    found = WHOLE.inventory(family.node(capacity={GCU: "2"}))
    assert found.handover == Handover("")
    card = found.devices[1]
    assert (card.uuid, card.index, card.type) == ("n-GCU-1", 1, "GCU")
    assert (card.slots, card.memory_mib, card.cores) == (1, 100, 100)
    assert WHOLE.inventory(NodeFacts("n", {}, {GCU: "0"}, {GCU: "2"})).devices == ()


def test_cards_in_parts_are_those_of_the_plugin() -> None:
    found = PARTS.inventory(drs())
    assert found.handover == Handover("")
    first, second = found.devices
    assert (first.uuid, first.index, first.type) == ("n-enflame-drs-0", 0, "Enflame")
    assert (first.slots, first.memory_mib, first.cores, first.healthy) == (6, 40960, 100, True)
    assert (first.fact("minor"), first.fact("3g.20gb"), second.fact("minor")) == ("4", "1", "1")
    assert first.profiles == (
        Profile("1g.6gb", 6144, 17, 1, ()),
        Profile("3g.20gb", 20480, 50, 3, ()),
        Profile("6g.40gb", 40960, 100, 6, ()),
    )
    assert PARTS.inventory(family.node()).devices == ()
    gone = NodeFacts("n", drs().annotations, {DRS: "0"}, {DRS: "12"})
    assert PARTS.inventory(gone).devices == ()
    names = {"3G.20GB": 1, "large": 2, "0g.1gb": 3}
    assert [each.name for each in PARTS.inventory(drs(profiles=names)).devices[0].profiles] == [
        "3G.20GB"
    ]


DAMAGED: dict[str, NodeFacts] = {
    "no JSON": family.node({CAPACITY: "6"}),
    "no profile": drs(profiles={"large": "0"}),
    "no capacity": drs(devices=[{"index": "0"}]),
    "no slices": drs(devices=[{"index": "0", "capacity": 0}]),
    "a negative index": drs(devices=[{"index": -1, "capacity": 6}]),
    "no index": drs(devices=[{"index": "a", "capacity": 6}]),
    "a card twice": drs(devices=[{"index": 0, "capacity": 6}] * 2),
    "too many": drs(devices=[{"index": n, "capacity": 6} for n in range(257)]),
}


@pytest.mark.parametrize("sentence", DAMAGED)
def test_damaged_annotations(sentence: str) -> None:
    with pytest.raises(Malformed, match=CAPACITY):
        PARTS.inventory(DAMAGED[sentence])


def asked(slices: int = 0, memory: int | None = None, cores: int = 0) -> Request:
    """What a container asks of one card."""
    return Request("Enflame", 1, memory, 0, cores, slices)


REQUESTS: dict[str, tuple[Json, Request | str | None]] = {
    "whole cards": ({GCU: 2}, Request("GCU", 2, None, 100, 0)),
    "slices": ({DRS: 3}, asked(3)),
    "no slices": ({DRS: 0}, None),
    "slices less than none": (
        {DRS: -1},
        "must be a whole number from 0 to 64 (places of one card)",
    ),
    "memory and cores": ({MEMORY: 20480, CORES: 40}, asked(0, 20480, 40)),
    "memory": ({MEMORY: 20}, asked(0, 20)),
    "cores": ({CORES: 100}, asked(0, None, 100)),
    "slices decide": ({DRS: 3, MEMORY: 20480, CORES: 100}, asked(3)),
    "no cores": ({CORES: 0}, f"limits[{CORES}]: Invalid value: 0: must be a whole number from 1"),
    "too many cores": ({CORES: 101}, f"limits[{CORES}]: Invalid value: 101: must be a whole"),
    "no memory": ({MEMORY: 0, CORES: 40}, f"limits[{MEMORY}]: Invalid value: 0: must be 1 or more"),
    "no slices of a size": ({DRS: 0, MEMORY: 20}, f"limits[{DRS}]: Invalid value: 0: no card"),
}


@pytest.mark.parametrize("sentence", REQUESTS)
def test_request(sentence: str) -> None:
    limits, expected = REQUESTS[sentence]
    reading = family.read(WHOLE if GCU in limits else PARTS, limits)
    if isinstance(expected, str):
        assert (reading.request, expected in family.objection(reading)) == (None, True)
    else:
        assert (reading.request, reading.objections) == (expected, ())


def test_what_is_not_looked_at_is_told() -> None:
    assert family.read(PARTS, {DRS: 3}).warnings == ()
    assert family.read(PARTS, {DRS: 3, MEMORY: 1}).warnings == (
        f"spec.containers[0]: {MEMORY} is not looked at beside {DRS}, which names the profile",
    )


@pytest.mark.parametrize("given", [{DRS: "3"}, {MEMORY: "20480", CORES: "40"}])
def test_requests_are_copied_to_limits_and_nothing_else_is(given: Json) -> None:
    document = family.admitted(build.container(requests=given))
    assert document["spec"]["containers"][0]["resources"] == {"limits": given, "requests": given}


def part(card: int, memory: int, cores: int, slices: int, percent: int) -> Grant:
    """A part of that card."""
    uuid = f"n-enflame-drs-{card}"
    return Grant(uuid, "Enflame", memory, cores, slots=slices, percent=percent)


def sixth(card: int = 0) -> Grant:
    """A part of one slice."""
    return part(card, 6144, 16, 1, 17)


def half(card: int = 0) -> Grant:
    """A part of three slices."""
    return part(card, 20480, 50, 3, 50)


def full(card: int = 0) -> Grant:
    """All slices."""
    return part(card, 40960, 100, 6, 100)


def cards(*held: Grant, facts: NodeFacts | None = None) -> tuple[Card, ...]:
    """The cards of a node, with what is taken of them."""
    return family.holding(family.cards(PARTS, facts or drs()), (held,))


FITS: dict[str, tuple[tuple[Card, ...], Json, Grant | str]] = {
    "one slice": (cards(), {DRS: 1}, sixth()),
    "three slices": (cards(), {DRS: 3}, half()),
    "six slices": (cards(), {DRS: 6}, full()),
    "no profile of two": (cards(), {DRS: 2}, "2/2 ModeNotFit"),
    "memory and cores": (cards(), {MEMORY: 20480, CORES: 40}, half()),
    "cores decide": (cards(), {MEMORY: 6144, CORES: 18}, half()),
    "cores just so": (cards(), {MEMORY: 6144, CORES: 17}, sixth()),
    "memory decides": (cards(), {MEMORY: 6145, CORES: 1}, half()),
    "cores alone": (cards(), {CORES: 51}, full()),
    "memory alone": (cards(), {MEMORY: 20481}, full()),
    "memory in GiB": (cards(), {MEMORY: 20}, half()),
    "memory in GiB, too much": (cards(), {MEMORY: 80}, "2/2 ModeNotFit"),
    "memory in MiB from there on": (cards(), {MEMORY: 81}, sixth()),
    "memory in MiB, too much": (cards(), {MEMORY: 40961}, "2/2 ModeNotFit"),
    "the last of six slices": (cards(*[sixth()] * 5), {DRS: 1}, sixth()),
    "beside other profiles": (cards(half(), sixth(), sixth()), {DRS: 1}, sixth()),
    "no more slices than there are": (
        cards(half(), full(1), facts=drs(devices=[
            {"index": 0, "capacity": 5}, {"index": 1, "capacity": 6},
        ])), {DRS: 3}, "2/2 CardTimeSlicingExhausted",
    ),
    "no slice left": (cards(full(), full(1)), {DRS: 1}, "2/2 CardTimeSlicingExhausted"),
    "no memory": (
        cards(part(0, 40000, 10, 1, 10), full(1)), {DRS: 1},
        "1/2 CardInsufficientMemory, 1/2 CardTimeSlicingExhausted",
    ),
    "no cores": (
        cards(part(0, 1, 90, 1, 90), full(1)), {DRS: 1},
        "1/2 CardInsufficientCore, 1/2 CardTimeSlicingExhausted",
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", FITS)
def test_fit(sentence: str) -> None:
    given, limits, expected = FITS[sentence]
    found = family.choose(PARTS, given, family.read(PARTS, limits))
    assert (found if isinstance(found, str) else found[0]) == expected


PLACED: dict[str, tuple[tuple[Card, ...], dict[str, str], list[int] | str]] = {
    "only this": (cards(), {"enflame.com/use-gpuuuid": "n-enflame-drs-1"}, [1]),
    "not this": (cards(), {"enflame.com/nouse-gpuuuid": "n-enflame-drs-0"}, [1]),
    "alone": (cards(sixth()), {"hami.io/gpu-scheduler-policy": "mutex"}, [1]),
    "the fullest": (cards(sixth(1)), {"hami.io/gpu-scheduler-policy": "binpack"}, [1]),
    "the emptiest": (cards(sixth(0)), {"hami.io/gpu-scheduler-policy": "spread"}, [1]),
}


@pytest.mark.parametrize("sentence", PLACED)
def test_choice(sentence: str) -> None:
    given, notes, expected = PLACED[sentence]
    found = family.place(PARTS, given, {DRS: 1}, notes=notes)
    assert (found if isinstance(found, str) else family.indices(given, found[0][0])) == expected


def test_a_whole_card_is_one_that_nobody_uses() -> None:
    given = family.cards(WHOLE, family.node(capacity={GCU: 2}))
    one = Grant("n-GCU-0", "GCU", 100, 100)
    used = family.holding(given, ((one,),))
    assert family.indices(used, family.choose(WHOLE, used, family.read(WHOLE, {GCU: 1}))) == [1]
    found = family.choose(WHOLE, used, family.read(WHOLE, {GCU: 2}))
    assert found == "1/2 AllocatedCardsInsufficientRequest, 1/2 ExclusiveDeviceAllocateConflict"
    alone = {"hami.io/gpu-scheduler-policy": "mutex"}
    assert family.place(WHOLE, used, {GCU: 2}, notes=alone) == found


def test_annotations_of_whole_cards() -> None:
    given = family.cards(WHOLE, family.node(capacity={GCU: 2}))
    found = family.place(WHOLE, given, {}, {GCU: 2})
    assert not isinstance(found, str)
    grants, notes = found
    text = ";n-GCU-0,GCU,100,100:n-GCU-1,GCU,100,100:;"
    assert notes["hami.io/enflame-gcu-devices-to-allocate"] == text
    assert notes["hami.io/enflame-gcu-devices-allocated"] == text
    assert WHOLE.recall(notes) == grants


def test_annotations_of_parts() -> None:
    found = family.place(PARTS, cards(), {}, {DRS: 3}, {MEMORY: 6}, notes={})
    assert not isinstance(found, str)
    grants, notes = found
    assert grants == ((), (half(),), (sixth(),))
    expected = {
        "hami.io/enflame-vgpu-devices-allocated": (
            ";n-enflame-drs-0,Enflame,20480,50:;n-enflame-drs-0,Enflame,6144,16:;"
        ),
        "enflame.com/gcu-assigned": "false",
        "enflame.com/gcu-assigned-time": "1000000000",
        "enflame.com/gcu-assigned-index": "0",
        "enflame.com/gcu-assigned-id": "0",
        "enflame.com/gcu-assigned-minor": "4",
        "enflame.com/gcu-request-size": "3",
        "assigned-containers": (
            '{"c1":{"allocated":false,"request":3,"profileID":"1","profileName":"3g.20gb"},'
            '"c2":{"allocated":false,"request":1,"profileID":"0","profileName":"1g.6gb"}}'
        ),
    }
    assert {name: notes.get(name) for name in expected} == expected
    assert not [name for name in notes if "to-allocate" in name]
    assert PARTS.recall(notes) == grants


def test_all_parts_of_a_pod_are_of_one_card() -> None:
    """The plugin reads one index for the pod."""
    both = {"hami.io/gpu-scheduler-policy": "spread"}
    found = family.place(PARTS, cards(), {DRS: 1}, {DRS: 1}, notes=both)
    assert not isinstance(found, str)
    assert found[0] == ((sixth(),), (sixth(),))


def test_the_card_is_one_with_room_for_all() -> None:
    """Though for the first container alone the other were better."""
    packed = {"hami.io/gpu-scheduler-policy": "binpack"}
    found = family.place(PARTS, cards(half(), sixth()), {DRS: 1}, {DRS: 3}, notes=packed)
    assert not isinstance(found, str)
    assert found[0] == ((sixth(1),), (half(1),))
    found = family.place(PARTS, cards(half(), half(1)), {DRS: 1}, {DRS: 3}, notes=packed)
    assert found == "1/2 CardNotFoundCustomFilterRule, 1/2 CardTimeSlicingExhausted"


RECALLED: dict[str, tuple[str, str, PodGrants]] = {
    "by the profile of its memory": (
        ";n-enflame-drs-0,Enflame,20480,50:;n-enflame-drs-0,Enflame,6144,17:;",
        '{"a":{"allocated":true,"request":1,"profileID":"0","profileName":"1g.6gb",'
        '"instanceID":"2"},"b":{"request":3,"profileName":"3g.20gb"}}',
        (
            (),
            (Grant("n-enflame-drs-0", "Enflame", 20480, 50, slots=3),),
            (Grant("n-enflame-drs-0", "Enflame", 6144, 17),),
        ),
    ),
    "not by what is damaged": (
        "n-enflame-drs-0,Enflame,20480,50:;", "{",
        ((Grant("n-enflame-drs-0", "Enflame", 20480, 50, unread=True),),),
    ),
    "not without the profile": (
        "n-enflame-drs-0,Enflame,20480,50:;", '{"a":{"request":3}}',
        ((Grant("n-enflame-drs-0", "Enflame", 20480, 50),),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", RECALLED)
def test_slices_of_what_another_scheduler_wrote(sentence: str) -> None:
    """Upstream counts one slice for each after its restart (facts/devices.md 19, E1)."""
    allocated, containers, expected = RECALLED[sentence]
    notes = {
        "hami.io/enflame-vgpu-devices-allocated": allocated, "assigned-containers": containers,
    }  # fmt: skip
    assert PARTS.recall(notes) == expected


CHARGED: dict[str, tuple[Json, Json, Json]] = {
    "slices": ({DRS: 3}, {DRS: 3}, {DRS: 3, MEMORY: 20480, CORES: 50}),
    "memory": ({MEMORY: 6000}, {DRS: 1, MEMORY: 6000}, {DRS: 1, MEMORY: 6144, CORES: 17}),
    "memory in GiB": ({MEMORY: 20}, {DRS: 1, MEMORY: 20}, {DRS: 3, MEMORY: 20480, CORES: 50}),
    "cores": ({CORES: 40}, {DRS: 1, CORES: 40}, {DRS: 3, MEMORY: 20480, CORES: 50}),
}


@pytest.mark.parametrize("sentence", CHARGED)
def test_a_quota_counts_what_is_given(sentence: str) -> None:
    limits, before, after = CHARGED[sentence]
    request = family.read(PARTS, limits).request
    assert request is not None
    given, names = (
        (family.choose(PARTS, cards(), family.read(PARTS, limits)),),
        {"Enflame": PARTS.names},
    )
    slots = ((request,),)
    smallest = charge.of_requests((Kind.APP,), slots, names, lambda each: each.memory_on(40960))
    assert {name: value for name, value in smallest.items() if value} == before
    assert dict(charge.of_grants((Kind.APP,), given, names).items()) == after
    assert Demand((Kind.APP,), slots, BINPACK).varies(given)


def test_names_come_from_the_options() -> None:
    options = EnflameOptions(
        resource_name_gcu="x/g", resource_name_drs="x/d", resource_name_memory="x/m",
        resource_name_core="x/c",
    )  # fmt: skip
    settings = Settings(enflame=options)
    assert family.of("GCU", settings).names.all == ("x/g",)
    parts = family.of("Enflame", settings)
    assert parts.names.all == ("x/d", "x/m", "x/c")
    assert family.read(parts, {"x/d": 3}).request == asked(3)
