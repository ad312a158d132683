"""MetaX (facts/devices.md 7): whole cards by tables of the node, shared ones by classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.admission import mutate
from hami_admission.admission.changes import SetNotes
from hami_admission.model.grant import Grant
from hami_admission.model.node import Handover
from hami_admission.model.request import Request
from hami_admission.model.wishes import Selection
from hami_admission.options import MetaxOptions
from hami_admission.settings import Settings
from hami_admission.vendors import checks
from hami_admission.wire.errors import Malformed
from tests import build
from tests.vendors import family

if TYPE_CHECKING:
    from hami_admission.placement.usage import Cards

GPU, SGPU = "metax-tech.com/gpu", "metax-tech.com/sgpu"
VCORE, VMEMORY = "metax-tech.com/vcore", "metax-tech.com/vmemory"
QOS, APP = "metax-tech.com/sgpu-qos-policy", "metax-tech.com/sgpu-app-class"
LINKED = "metax-tech.com/sgpu-topology-aware"
WHOLE, SHARED = family.of("Metax-GPU"), family.of("Metax-SGPU")

# Whole cards.

LOSSES = {"metax-tech.com/gpu.topology.losses": '{"1":0,"2":110,"3":270,"8":1240}'}
SCORES = {"metax-tech.com/gpu.topology.scores": '{"1":0,"2":110,"3":270,"8":2240}'}
EIGHT = family.cards(WHOLE, family.node({**LOSSES, **SCORES}, {GPU: 8}))


def test_whole_cards_are_made_up_from_the_capacity() -> None:
    found = WHOLE.inventory(family.node(LOSSES, {GPU: "2"}))
    card = found.devices[1]
    assert (len(found.devices), card.uuid, card.index) == (2, "n-metax-1", 1)
    assert (card.slots, card.memory_mib, card.cores) == (1, 65536, 100)
    assert (found.handover, found.until) == (Handover(), math.inf)
    assert WHOLE.inventory(family.node(LOSSES, {GPU: "0"})).devices == ()


def test_a_request_for_whole_cards() -> None:
    found = family.read(WHOLE, {GPU: 2})
    assert (found.request, found.limits) == (Request("Metax-GPU", 2, None, 100, 100), {})
    assert GPU in family.objection(family.read(WHOLE, {GPU: "1Gi"}))


def test_two_containers_of_a_pod_get_a_card_each() -> None:
    """Upstream gives the second none (facts/devices.md 19, M1)."""
    found = family.place(WHOLE, EIGHT, {GPU: 1}, {"cpu": 1}, {GPU: 2})
    assert not isinstance(found, str)
    grants, notes = found
    text = (
        "n-metax-0,Metax-GPU,65536,100:;;"
        "n-metax-1,Metax-GPU,65536,100:n-metax-2,Metax-GPU,65536,100:;"
    )
    assert notes["hami.io/metax-gpu-devices-to-allocate"] == text
    assert notes["hami.io/metax-gpu-devices-allocated"] == text
    assert WHOLE.recall(notes) == grants
    assert family.place(WHOLE, EIGHT[:2], {GPU: 1}, {GPU: 2}) == (
        "1/2 AllocatedCardsInsufficientRequest, 1/2 CardTimeSlicingExhausted"
    )


def whole(*slots: int) -> tuple[tuple[Grant, ...], ...]:
    """So many whole cards in each container."""
    return tuple(
        tuple(Grant(f"n-metax-{slot}{n}", "Metax-GPU", 65536, 100) for n in range(count))
        for slot, count in enumerate(slots)
    )


TABLES: dict[str, tuple[dict[str, str], Any, tuple[int, ...], float]] = {
    "binpack: one tears nothing": (LOSSES, family.BINPACK, (1,), 2.0),
    "binpack: by what is torn": (LOSSES, family.BINPACK, (2,), 1.89),
    "all cards of the pod together": (LOSSES, family.BINPACK, (1, 0, 2), 1.73),
    "spread: by how they are linked": (SCORES, family.SPREAD, (2,), 0.11),
    "never more than 2": (SCORES, family.SPREAD, (8,), 2.0),
    "never less than 0": ({"metax-tech.com/gpu.topology.losses": '{"1":2001}'}, family.BINPACK,
        (1,), 0.0),
    "a number that is not in the table": (LOSSES, family.BINPACK, (5,), 0.0),
    "no table": ({}, family.BINPACK, (1,), 0.0),
    "the other table": (LOSSES, family.SPREAD, (2,), 0.0),
    "a table that cannot be read": ({"metax-tech.com/gpu.topology.losses": "[1"}, family.BINPACK,
        (1,), 0.0),
}  # fmt: skip


@pytest.mark.parametrize("sentence", TABLES)
def test_score_of_whole_cards(sentence: str) -> None:
    notes, wishes, counts, expected = TABLES[sentence]
    given = family.cards(WHOLE, family.node(notes, {GPU: 8}))
    assert WHOLE.score is not None
    assert WHOLE.score(given, whole(*counts), wishes) == pytest.approx(expected)


# Shared cards.


def entry(index: int, zone: int = 0, **more: object) -> dict[str, object]:
    """A card as MetaX's plugin lists it."""
    return {
        "uuid": f"GPU-{index}", "bdf": "0000:0e:00.0", "model": "MXC500", "totalDevCount": 16,
        "totalCompute": 100, "totalVRam": 65536, "numa": 1, "healthy": True, "linkZone": zone,
    } | more  # fmt: skip


def node(*entries: dict[str, object], offered: int | None = None) -> Any:
    """A node with these cards."""
    notes = {"metax-tech.com/node-gpu-devices": msgspec.json.encode(entries).decode()}
    return family.node(notes, None if offered is None else {SGPU: offered})


def cards(zones: str = "00", qos: str = "") -> Cards:
    """Cards in these link zones, which their node says to be shared in that way."""
    return family.cards(
        SHARED, node(*(entry(n, int(zone), qosPolicy=qos) for n, zone in enumerate(zones)))
    )


def on(index: int, trait: str, cores: int = 10, mib: int = 1024) -> Grant:
    """What somebody has of a card."""
    return Grant(f"GPU-{index}", "Metax-SGPU", mib, cores, trait=trait)


def used(given: Cards, *grants: Grant) -> Cards:
    """The cards, after that."""
    return family.holding(given, (grants,))


def test_shared_cards_are_those_that_the_plugin_lists() -> None:
    found = SHARED.inventory(node(entry(0), entry(1, 3, qosPolicy="fixed-share", healthy=False)))
    card = found.devices[1]
    assert (card.uuid, card.index, card.type, card.numa) == ("GPU-1", 1, "Metax-SGPU", 1)
    assert (card.slots, card.memory_mib, card.cores, card.healthy) == (16, 65536, 100, False)
    facts = [card.fact(name) for name in ("LinkZone", "Model", "QosPolicy")]
    assert facts == ["3", "MXC500", "fixed-share"]
    assert found.devices[0].fact("LinkZone") == ""
    assert (found.handover, found.until) == (Handover("hami.io/mutex.lock"), math.inf)
    assert SHARED.inventory(node(entry(0), offered=0)).devices == ()
    assert SHARED.inventory(family.node()).devices == ()
    assert SHARED.register == "metax-tech.com/node-gpu-devices"


DAMAGED = {
    "no JSON": "GPU-0,1:",
    "no uuid": '[{"model":"MXC500"}]',
    "an empty uuid": '[{"uuid":""}]',
    "a negative number": '[{"uuid":"a","totalVRam":-1}]',
    "a card twice": '[{"uuid":"a"},{"uuid":"a"}]',
}


@pytest.mark.parametrize("sentence", DAMAGED)
def test_a_damaged_list(sentence: str) -> None:
    with pytest.raises(Malformed, match=r"^register annotation: "):
        SHARED.inventory(family.node({"metax-tech.com/node-gpu-devices": DAMAGED[sentence]}))


def request(mib: int | None = None, cores: int = 100, trait: str = "", count: int = 1) -> Request:
    return Request("Metax-SGPU", count, mib, 100, cores, trait=trait)


DEFAULT = {QOS: "best-effort"}
Limits = dict[str, object]
REQUESTS: dict[str, tuple[Limits, dict[str, str], Request | str | None, dict[str, str]]] = {
    "a whole card": ({SGPU: 1}, {}, request(), DEFAULT),
    "memory is in GiB": ({SGPU: 1, VMEMORY: 4, VCORE: 50}, {},
        request(4096, 50, "/best-effort"), DEFAULT),
    "or in bytes": ({SGPU: 1, VMEMORY: "4Gi"}, {}, request(4096), DEFAULT),
    "bytes are not rounded to GiB": ({SGPU: 1, VMEMORY: "1536Mi"}, {}, request(1536), DEFAULT),
    "but up to MiB": ({SGPU: 1, VMEMORY: "2M"}, {}, request(2), DEFAULT),
    "no bytes are no limit": ({SGPU: 1, VMEMORY: "0Gi"}, {}, request(), DEFAULT),
    "1000 is 1k for Kubernetes": ({SGPU: 1, VMEMORY: "1k"}, {},
        f"limits[{VMEMORY}]: Invalid value: 1k: bytes, by its suffix", {}),
    "too much": ({SGPU: 1, VMEMORY: 5000}, {}, f"limits[{VMEMORY}]: Invalid value: 5000", {}),
    "a way of sharing": ({SGPU: 2, VCORE: 50}, {QOS: "fixed-share"},
        request(None, 50, "/fixed-share", 2), {}),
    "another": ({SGPU: 1, VCORE: 0}, {QOS: "burst-share"}, request(None, 0, "/burst-share"), {}),
    "all cores share in no way": ({SGPU: 1, VCORE: 100}, {QOS: "fixed-share"}, request(), {}),
    "a blank way is none": ({SGPU: 1, VCORE: 50}, {QOS: ""},
        request(None, 50, "/best-effort"), DEFAULT),
    "no such way": ({SGPU: 1}, {QOS: "fair"}, f"metadata.annotations[{QOS}]: Invalid value: 'fair':"
        " allowed: best-effort, fixed-share, burst-share", {}),
    "offline": ({SGPU: 1, VCORE: 50}, {APP: "offline"},
        request(None, 50, "offline/best-effort"), DEFAULT),
    "offline on all cores": ({SGPU: 1}, {APP: "offline"}, request(None, 100, "offline"), DEFAULT),
    "online has no cores of its own and no way": ({SGPU: 1, VCORE: 50, VMEMORY: 1},
        {APP: "online"}, request(1024, 0, "online"), {}),
    "online in any way": ({SGPU: 1}, {APP: "online", QOS: "fair"}, request(None, 0, "online"), {}),
    "no such app class": ({SGPU: 1}, {APP: "batch"},
        f"metadata.annotations[{APP}]: Invalid value: 'batch': allowed: online, offline", {}),
    "an app class has one card": ({SGPU: 2}, {APP: "offline"},
        f"limits[{SGPU}]: Invalid value: 2: must be 1 in a pod with {APP}", {}),
    "links decide": ({SGPU: 4}, {LINKED: "true"}, request(None, 100, "/linked", 4), DEFAULT),
    "links of parts do not": ({SGPU: 4, VCORE: 50}, {LINKED: "true"},
        request(None, 50, "/best-effort", 4), DEFAULT),
    "perhaps": ({SGPU: 1}, {LINKED: "perhaps"},
        f"metadata.annotations[{LINKED}]: Invalid value: 'perhaps': allowed: true, false", {}),
    "nothing": ({}, {APP: "batch"}, None, {}),
}  # fmt: skip


@pytest.mark.parametrize("sentence", REQUESTS)
def test_request(sentence: str) -> None:
    limits, notes, expected, added = REQUESTS[sentence]
    found = family.read(SHARED, limits, notes=notes)
    if isinstance(expected, str):
        assert found.request is None
        assert expected in family.objection(found)
    else:
        assert (found.request, found.objections) == (expected, ())
        assert (found.notes, found.limits) == (added, {})
        assert family.read(SHARED, limits, notes=notes | added).notes == {}


def test_bytes_have_to_be_a_limit() -> None:
    """A limit of our own would be in GiB, and no longer equal to the request."""
    found = family.read(SHARED, {SGPU: 1}, {VMEMORY: "4Gi"})
    assert f"limits[{VMEMORY}]: Invalid value: 4Gi: bytes" in family.objection(found)
    assert family.read(SHARED, {SGPU: 1}, {VMEMORY: 4}).limits == {VMEMORY: 4}


def test_admission_writes_the_way_of_sharing_once() -> None:
    pod = build.pod(build.container(limits={SGPU: 1}), annotations={"a": "b"})
    readings = (SHARED.parse(pod.containers[0], pod.annotations),)
    change, _ = mutate.changes(pod, [(SHARED, readings)], Settings())
    assert change == SetNotes(DEFAULT, False, frozenset(DEFAULT))


BURST, FIXED = cards("0", "burst-share"), cards("0", "fixed-share")
PLACES: dict[str, tuple[Cards, Limits, dict[str, str], Any]] = {
    "a share": (cards("0"), {SGPU: 1, VMEMORY: 4, VCORE: 50}, {},
        [on(0, "/best-effort", 50, 4096)]),
    "a whole card": (cards("0"), {SGPU: 1}, {}, [on(0, "", 100, 65536)]),
    "an online pod": (cards("0"), {SGPU: 1, VMEMORY: 4, VCORE: 50}, {APP: "online"},
        [on(0, "online", 0, 4096)]),
    "no memory": (used(cards("0"), on(0, "/best-effort", 10, 64000)),
        {SGPU: 1, VMEMORY: 4, VCORE: 50}, {}, "1/1 CardInsufficientMemory"),
    "no cores": (used(cards("0"), on(0, "/best-effort", 60)), {SGPU: 1, VMEMORY: 4, VCORE: 50}, {},
        "1/1 CardInsufficientCore"),
    "all cores of a used card": (used(cards("0"), on(0, "/best-effort", 0)),
        {SGPU: 1, VMEMORY: 4}, {}, "1/1 ExclusiveDeviceAllocateConflict"),
    "no memory for an online pod": (used(cards("0"), on(0, "online", 0, 64000)),
        {SGPU: 1, VMEMORY: 4}, {APP: "online"}, "1/1 CardInsufficientMemory"),
    "no cores, for an online pod": (used(cards("0"), on(0, "offline", 100)),
        {SGPU: 1, VMEMORY: 4}, {APP: "online"}, [on(0, "online", 0, 4096)]),
    "an idle card in any way": (FIXED, {SGPU: 1, VMEMORY: 4, VCORE: 50}, {},
        [on(0, "/best-effort", 50, 4096)]),
    "a used card in its own way": (used(FIXED, on(0, "")), {SGPU: 1, VMEMORY: 4, VCORE: 50},
        {QOS: "fixed-share"}, [on(0, "/fixed-share", 50, 4096)]),
    "in no other": (used(FIXED, on(0, "")), {SGPU: 1, VMEMORY: 4, VCORE: 50}, {},
        "1/1 CardQosPolicyMismatch"),
    "in any if it has none": (used(cards("0"), on(0, "")), {SGPU: 1, VMEMORY: 4, VCORE: 50}, {},
        [on(0, "/best-effort", 50, 4096)]),
    "its pods know before its node does": (used(FIXED, on(0, "/burst-share")),
        {SGPU: 1, VMEMORY: 4, VCORE: 50}, {QOS: "burst-share"},
        [on(0, "/burst-share", 50, 4096)]),
    "and refuse what its node still has": (used(FIXED, on(0, "/burst-share")),
        {SGPU: 1, VMEMORY: 4, VCORE: 50}, {QOS: "fixed-share"}, "1/1 CardQosPolicyMismatch"),
    "all cores in any way": (used(FIXED, on(0, "/fixed-share", 0)), {SGPU: 1, VMEMORY: 4}, {},
        "1/1 ExclusiveDeviceAllocateConflict"),
    "only these": (cards(), {SGPU: 1}, {"metax-tech.com/use-gpuuuid": "GPU-1"},
        [on(1, "", 100, 65536)]),
    "not these": (cards(), {SGPU: 2}, {"metax-tech.com/nouse-gpuuuid": "GPU-1"},
        "1/2 AllocatedCardsInsufficientRequest, 1/2 CardUuidMismatch"),
    "no sick one": (family.cards(SHARED, node(entry(0, healthy=False))), {SGPU: 1}, {},
        "1/1 CardNotHealth"),
    "no more places": (family.cards(SHARED, node(entry(0, totalDevCount=0))), {SGPU: 1}, {},
        "1/1 CardTimeSlicingExhausted"),
    "mutex": (used(cards(), on(0, "/best-effort")), {SGPU: 1, VMEMORY: 1, VCORE: 1},
        {"hami.io/gpu-scheduler-policy": "mutex"}, [on(1, "/best-effort", 1)]),
}  # fmt: skip


@pytest.mark.parametrize("sentence", PLACES)
def test_placement(sentence: str) -> None:
    given, limits, notes, expected = PLACES[sentence]
    found = family.place(SHARED, given, limits, notes=notes)
    if isinstance(expected, str):
        assert found == expected
    else:
        assert list(found[0][0]) == expected


NORMAL, ONLINE, OFFLINE = "/best-effort", "online", "offline/best-effort"
COMPANY: dict[str, tuple[tuple[str, ...], str]] = {
    "an idle card takes all": ((), "normal online offline"),
    "a normal one": ((NORMAL,), "normal"),
    "one that HAMi placed, of which nobody knows more": (("",), "normal"),
    "an online one": ((ONLINE,), "online"),
    "an offline one": ((OFFLINE,), "online offline"),
    "both": ((ONLINE, OFFLINE), "online"),
    "two online ones": ((ONLINE, ONLINE), "online"),
}


@pytest.mark.parametrize("sentence", COMPANY)
def test_beside_whom(sentence: str) -> None:
    there, expected = COMPANY[sentence]
    given = used(cards("0"), *(on(0, trait) for trait in there))
    asks = {"normal": {}, "online": {APP: "online"}, "offline": {APP: "offline"}}
    found = {
        name: family.place(SHARED, given, {SGPU: 1, VMEMORY: 1, VCORE: 1}, notes=notes)
        for name, notes in asks.items()
    }
    assert [name for name in asks if not isinstance(found[name], str)] == expected.split()
    assert {each for each in found.values() if isinstance(each, str)} <= {
        "1/1 CardAppClassMismatch"
    }


def test_the_reason_is_the_first_in_upstreams_order() -> None:
    names = [check.__name__ for check in SHARED.checks]
    assert names == ["health", "cordon", "_app_class", "_qos", "kind", "uuid", "slots", "idle"]
    assert set(SHARED.checks_of_any) == set(SHARED.checks) - {
        checks.kind, checks.uuid, checks.idle,
    }  # fmt: skip
    sick = family.cards(SHARED, node(entry(0, healthy=False)))[0]
    assert checks.health(sick, request(), Selection()) == "CardNotHealth"


ON, OFF = {APP: "online"}, {APP: "offline"}
SOME: Limits = {SGPU: 1, VMEMORY: 1, VCORE: 1}
CHOICES: dict[str, tuple[Cards, Limits, dict[str, str], list[int]]] = {
    "online: an idle card": (used(cards("00"), on(0, ONLINE)), SOME, ON, [1]),
    "online: where the fewest online ones are": (
        used(cards("000"), on(0, ONLINE), on(0, ONLINE), on(1, ONLINE), on(1, OFFLINE),
             on(2, ONLINE), on(2, ONLINE)), SOME, ON, [1]),
    "online: of those the fewest offline ones": (
        used(cards("00"), on(0, ONLINE), on(0, OFFLINE), on(1, ONLINE)), SOME, ON, [1]),
    "online: rather beside online ones than stopping offline ones": (
        used(cards("00"), on(0, OFFLINE), on(1, ONLINE), on(1, ONLINE)), SOME, ON, [1]),
    "online: stopping the fewest": (
        used(cards("00"), on(0, OFFLINE), on(0, OFFLINE), on(1, OFFLINE)), SOME, ON, [1]),
    "offline: as the policy says": (used(cards("00"), on(1, OFFLINE)), SOME,
        {**OFF, "hami.io/gpu-scheduler-policy": "binpack"}, [1]),
    "offline: also on all cores": (cards("2213"), {SGPU: 1}, OFF, [0]),
    "parts: as the policy says": (cards("12233"), {SGPU: 2, VCORE: 50}, {}, [0, 1]),
    "whole cards: the smallest zone that holds them": (cards("1122234444"), {SGPU: 3}, {},
        [2, 3, 4]),
    "whole cards: one breaks the smallest zone": (cards("112"), {SGPU: 1}, {}, [2]),
    "whole cards: few zones": (cards("0122333"), {SGPU: 4}, {}, [4, 5, 6, 2]),
    "whole cards: those without a zone last": (cards("00011"), {SGPU: 3}, {}, [3, 4, 0]),
    "whole cards: those that are used do not count": (used(cards("11222"), on(0, NORMAL)),
        {SGPU: 2}, {}, [2, 3]),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CHOICES)
def test_choice(sentence: str) -> None:
    given, limits, notes, expected = CHOICES[sentence]
    found = family.place(SHARED, given, limits, notes=notes)
    assert not isinstance(found, str)
    assert family.indices(given, found[0][0]) == expected


FOUR, TWO = cards("1111"), cards("11")
POINTS: dict[str, tuple[Cards, tuple[Grant, ...], float]] = {
    "online on an idle card": (FOUR, (on(0, ONLINE),), 0),
    "online beside online and offline": (
        used(FOUR, on(0, ONLINE), on(0, OFFLINE), on(1, ONLINE)), (on(0, ONLINE),), -22 / 50),
    "online stops two": (used(FOUR, on(0, OFFLINE), on(0, OFFLINE)), (on(0, ONLINE),), -200 / 50),
    "online on two cards": (
        used(FOUR, on(0, ONLINE), on(1, OFFLINE)), (on(0, ONLINE), on(1, ONLINE)), -120 / 50),
    "links do not decide": (FOUR, (on(0, "", 100), on(1, "", 100)), 0),
    "two of two": (TWO, (on(0, "/linked", 100), on(1, "/linked", 100)), 100 / 50),
    "two of four": (FOUR, (on(0, "/linked", 100), on(1, "/linked", 100)), (100 - 40) / 50),
    "two that are not linked": (cards("12"), (on(0, "/linked", 100), on(1, "/linked", 100)), 0),
    "two of no zone": (cards("00"), (on(0, "/linked", 100), on(1, "/linked", 100)), 0),
    "one of two": (TWO, (on(0, "/linked", 100),), -10 / 50),
    "one that was alone already": (used(TWO, on(1, NORMAL)), (on(0, "/linked", 100),), 0),
    "parts beside it are not counted": (
        used(cards("111"), on(2, NORMAL)), (on(0, "/linked", 100), on(2, NORMAL)), -10 / 50),
    "a share": (FOUR, (on(0, NORMAL),), 0),
}  # fmt: skip


@pytest.mark.parametrize("sentence", POINTS)
def test_score_of_shared_cards(sentence: str) -> None:
    given, grants, expected = POINTS[sentence]
    assert SHARED.score is not None
    assert SHARED.score(given, ((), grants), family.BINPACK) == pytest.approx(expected)


def test_the_annotations_are_those_of_metax() -> None:
    found = family.place(
        SHARED, cards("0"), {"cpu": 1}, {SGPU: 1, VMEMORY: 1, VCORE: 50},
        {SGPU: 1, VMEMORY: "512Mi", VCORE: 0}, notes={QOS: "fixed-share"},
    )  # fmt: skip
    assert not isinstance(found, str)
    grants, notes = found
    text = ";GPU-0,Metax-SGPU,1024,50:;GPU-0,Metax-SGPU,512,0:;"
    assert notes["hami.io/metax-sgpu-devices-to-allocate"] == text
    assert notes["hami.io/metax-sgpu-devices-allocated"] == text
    assert notes["metax-tech.com/gpu-devices-allocated"] == (
        '[[],[{"uuid":"GPU-0","compute":50,"vRam":1024}],[{"uuid":"GPU-0","vRam":512}]]'
    )
    assert notes["metax-tech.com/predicate-time"] == "1000000000"
    assert SHARED.recall(notes) == grants
    assert SHARED.recall({**notes, QOS: "burst-share"}) == grants


TEXT = "GPU-0,Metax-SGPU,1024,50:;"
RECORDS: dict[str, tuple[str, dict[str, str], str]] = {
    "a way of sharing": (TEXT, {QOS: "fixed-share"}, "/fixed-share"),
    "offline": (TEXT, {QOS: "fixed-share", APP: "offline"}, "offline/fixed-share"),
    "online": ("GPU-0,Metax-SGPU,1024,0:;", {APP: "online"}, "online"),
    "all cores": ("GPU-0,Metax-SGPU,1024,100:;", {QOS: "fixed-share", LINKED: "?"}, ""),
    "nothing is said": (TEXT, {}, ""),
}


@pytest.mark.parametrize("sentence", RECORDS)
def test_what_hami_placed_is_known_by_its_annotations(sentence: str) -> None:
    text, notes, expected = RECORDS[sentence]
    ((grant,),) = SHARED.recall({"hami.io/metax-sgpu-devices-allocated": text, **notes})
    assert grant.trait == expected


def test_the_names_come_from_the_options() -> None:
    options = MetaxOptions(
        resource_count_name="x/gpu",
        resource_v_count_name="x/sgpu",
        resource_v_memory_name="x/mem",
        resource_v_core_name="x/core",
        sgpu_topology_aware=True,
    )
    whole, shared = (
        family.of(word, Settings(metax=options)) for word in ("Metax-GPU", "Metax-SGPU")
    )
    assert whole.names.all == ("x/gpu",)
    assert shared.names.all == ("x/sgpu", "x/mem", "x/core")
    assert family.read(shared, {"x/sgpu": 1}).request == request(trait="/linked")
    assert family.read(shared, {"x/sgpu": 1}, notes={LINKED: "false"}).request == request()
    assert set(shared.reads) == {QOS, APP, LINKED}
