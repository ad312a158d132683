"""Cambricon MLU (facts/devices.md 10): cards from the capacity, and one profile for a pod."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hami_admission.admission import admit
from hami_admission.model.grant import Grant
from hami_admission.model.node import Handover
from hami_admission.model.request import Request
from hami_admission.settings import Settings
from hami_admission.vendors import table
from hami_admission.vendors.inventory import Inventory
from hami_admission.wire.errors import Malformed
from hami_admission.wire.nodes import NodeFacts
from tests import build
from tests.vendors import family

MLU = family.of("MLU")
COUNT = "cambricon.com/vmlu"
MEMORY, CORES = "cambricon.com/mlu.smlu.vmemory", "cambricon.com/mlu.smlu.vcore"
LOCK = Handover("cambricon.com/dsmlu.lock", 120, nameless=True)


def ask(count: object = None, memory: object = None, cores: object = None) -> family.Json:
    """Amounts by Cambricon's names."""
    named = {COUNT: count, MEMORY: memory, CORES: cores}
    return {name: value for name, value in named.items() if value is not None}


REQUESTS: dict[str, tuple[family.Json, Request | str | None]] = {
    "a part in units of 256 MiB": (ask(1, 4, 10), Request("MLU", 1, 1024, 100, 10)),
    "all cores unless it says": (ask(1, 4), Request("MLU", 1, 1024, 100, 100)),
    "no memory is the whole card's": (ask(1, cores=10), Request("MLU", 1, None, 100, 10)),
    "zero asks nothing": (ask(0), None),
    "several cards": (
        ask(2), f"spec.containers[0].resources.limits[{COUNT}]: Invalid value: 2: the device"
        " plugin gives a pod a part of one card; ask for 1, or use several pods",
    ),
    "bytes": (ask(1, "4Gi"), f"limits[{MEMORY}]: Invalid value: 4Gi: the unit is 256 MiB already"),
    "a fraction": (ask(1, "500m"), f"limits[{MEMORY}]: Invalid value: 500m: the unit is 256"),
    "too much": (ask(1, 2**31 // 256), f"limits[{MEMORY}]: Invalid value: 8388608: the unit"),
    "more than a card's cores": (ask(1, 4, 101), f"limits[{CORES}]: Invalid value: 101: must be"),
}  # fmt: skip


@pytest.mark.parametrize("sentence", REQUESTS)
def test_request(sentence: str) -> None:
    limits, expected = REQUESTS[sentence]
    reading = family.read(MLU, limits)
    if isinstance(expected, str):
        assert expected in family.objection(reading)
    else:
        assert (reading.request, reading.objections, reading.limits) == (expected, (), {})


def test_the_profile_has_room_for_one_container_and_the_second_is_refused() -> None:
    """Upstream lets it in, and the plugin makes nothing for it (facts/devices.md 19, C1)."""
    settings = Settings()

    def objections(*containers: family.Json, **fields: Any) -> list[str]:
        pod = build.pod(*containers, **fields)
        return [*map(str, admit.decide(pod, table.build(settings), settings).objections)]

    one, two = build.container("one", ask(1, 4, 10)), build.container("two", ask(1, 4, 10))
    assert objections(one, build.container("plain")) == []
    wrong = (
        "spec.containers[1].resources.limits: Invalid value: two: the device plugin serves one"
        " container of a pod, and that is one; leave these cards to it, or use a pod of its own"
    )
    assert objections(one, two) == [wrong]
    assert len(objections(one, two, build.container("three", ask(1)))) == 2
    assert objections(two, init=(one,)) == [wrong.replace("[1]", "[0]")]


def node(cores: object, memory: object = "1600", **fields: Any) -> NodeFacts:
    """A node as Cambricon's plugin leaves it."""
    return family.node(capacity={CORES: cores, MEMORY: memory, COUNT: "4"}, **fields)


def test_cards_are_made_up_from_cores_and_memory() -> None:
    found = MLU.inventory(node("400"))
    assert (len(found.devices), found.handover, found.until) == (4, LOCK, math.inf)
    card = found.devices[3]
    assert (card.uuid, card.index, card.type) == ("n-cambricon-mlu-3", 3, "MLU")
    assert (card.slots, card.memory_mib, card.cores) == (100, 102400, 100)
    assert [each.memory_mib for each in MLU.inventory(node("150", "300")).devices] == [51200] * 2


GONE: dict[str, NodeFacts] = {
    "none": node("0"),
    "never there": NodeFacts("n"),
    "the plugin is gone": NodeFacts("n", {}, {CORES: "0"}, {CORES: "400", MEMORY: "1600"}),
}


@pytest.mark.parametrize("sentence", GONE)
def test_no_cards(sentence: str) -> None:
    assert MLU.inventory(GONE[sentence]) == Inventory((), math.inf, LOCK)


def test_a_capacity_that_cannot_be_is_damaged() -> None:
    with pytest.raises(Malformed, match=r"^capacity: 1000 cards by cambricon"):
        MLU.inventory(node("100000"))


CARDS = family.cards(MLU, node("400"))
FIRST, SECOND = "n-cambricon-mlu-0", "n-cambricon-mlu-1"
USED = family.holding(CARDS, ((Grant(FIRST, "MLU", 100352, 60),),))
CASES: dict[str, tuple[Any, family.Json, list[int]]] = {
    "a part beside another": (USED, ask(1, 4, 40), [0]),
    "no memory left there": (USED, ask(1, 12, 40), [1]),
    "no cores left there": (USED, ask(1, 4, 41), [1]),
    "all cores are a card of its own": (USED, ask(1, 4), [1]),
    "without a size the whole card's memory": (USED, ask(1, cores=1), [1]),
}


@pytest.mark.parametrize("sentence", CASES)
def test_choice(sentence: str) -> None:
    given, limits, expected = CASES[sentence]
    found = family.choose(MLU, given, family.read(MLU, limits))
    assert family.indices(given, found) == expected


def test_lists_are_of_single_cards_alone() -> None:
    """Upstream has constants for types, and does not apply them (facts/devices.md 1.7)."""
    own, others = "cambricon.com/use-gpuuuid", "cambricon.com/nouse-gpuuuid"
    for notes in ({own: SECOND}, {others: FIRST}, {"cambricon.com/use-mlutype": "X", own: SECOND}):
        found = family.place(MLU, CARDS, ask(1, 4, 10), notes=notes)
        assert not isinstance(found, str)
        assert found[0][0][0].uuid == SECOND


def test_the_annotations_are_those_of_the_plugin() -> None:
    others = {"cambricon.com/nouse-gpuuuid": FIRST}
    found = family.place(MLU, CARDS, {}, ask(1, 4, 10), notes=others)
    assert not isinstance(found, str)
    grants, notes = found
    text = f";{SECOND},MLU,1024,10:;"
    assert notes["hami.io/cambricon-mlu-devices-to-allocate"] == text
    assert notes["hami.io/cambricon-mlu-devices-allocated"] == text
    assert notes["CAMBRICON_DSMLU_PROFILE"] == "1_10_4"
    assert notes["CAMBRICON_DSMLU_ASSIGNED"] == "false"
    assert notes["CAMBRICON_DSMLU_ASSIGHED"] == "false"
    assert MLU.recall(notes) == grants


def test_the_whole_card_is_in_the_profile() -> None:
    found = family.place(MLU, CARDS, ask(1))
    assert not isinstance(found, str)
    assert found[1]["CAMBRICON_DSMLU_PROFILE"] == "0_100_400"
