"""Hygon DCU (facts/devices.md 9): a CSV register, its own names, shares of one card."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hami_admission.model.grant import Grant
from hami_admission.model.node import Handover
from hami_admission.model.request import Request
from hami_admission.options import HygonOptions
from hami_admission.vendors.hygon import hygon
from tests.vendors import family

DCU = family.of("DCU")
COUNT, MEMORY, CORES = "hygon.com/dcunum", "hygon.com/dcumem", "hygon.com/dcucores"
REGISTER = (
    "DCU-T6R1140017051701,4,65520,100,DCU-K100_AI,0,true,0,hami:"
    "DCU-T6R1140017051702,4,65520,100,DCU-K100_AI,0,true,1,hami:"
    "DCU-T6R1140017051703,4,32752,100,DCU-Z100,1,false,2,hami:"
)
NODE = family.node({"hami.io/node-dcu-register": REGISTER}, {COUNT: "12"})
CARDS = family.cards(DCU, NODE)
A, B = "DCU-T6R1140017051701", "DCU-T6R1140017051702"
WITHOUT_LIMITS = (
    "spec.containers[0]: hygon.com/dcunum: parts of several cards are asked, and the device plugin"
    " gives several without limits; ask for whole cards, or for one"
)


def ask(count: object = None, memory: object = None, cores: object = None) -> family.Json:
    """Amounts by Hygon's names."""
    named = {COUNT: count, MEMORY: memory, CORES: cores}
    return {name: value for name, value in named.items() if value is not None}


REQUESTS: dict[str, tuple[family.Json, Request | str | None]] = {
    "a share": (ask(1, 2000, 60), Request("DCU", 1, 2000, 100, 60)),
    "all cores unless it says": (ask(1, 2000), Request("DCU", 1, 2000, 100, 100)),
    "no memory is the whole card's": (ask(1, cores=30), Request("DCU", 1, None, 100, 30)),
    "whole cards": (ask(2), Request("DCU", 2, None, 100, 100)),
    "zero asks nothing": (ask(0), None),
    "negative": (ask(-1), f"limits[{COUNT}]: Invalid value: -1: must be a whole number from 0"),
    "beyond int32": (ask(1, 2**31), f"limits[{MEMORY}]: Invalid value: 2147483648: the unit is"),
    "more than a card's cores": (ask(1, cores=101), f"limits[{CORES}]: Invalid value: 101: must"),
}


@pytest.mark.parametrize("sentence", REQUESTS)
def test_request(sentence: str) -> None:
    limits, expected = REQUESTS[sentence]
    reading = family.read(DCU, limits)
    if isinstance(expected, str):
        assert expected in family.objection(reading)
    else:
        assert (reading.request, reading.objections) == (expected, ())


@pytest.mark.parametrize(
    ("limits", "warned"),
    [
        (ask(2, 2000, 50), True),
        (ask(2, cores=50), True),
        (ask(2, 2000), True),
        (ask(2), False),
        (ask(1, 2000, 50), False),
    ],
)
def test_parts_of_several_cards_are_not_limited(limits: family.Json, warned: bool) -> None:
    assert (WITHOUT_LIMITS in family.read(DCU, limits).warnings) is warned


def test_cards_are_registered_as_text() -> None:
    found = DCU.inventory(NODE)
    assert (found.handover, found.until) == (Handover("hami.io/mutex.lock"), math.inf)
    first, _, third = found.devices
    assert (first.uuid, first.index, first.type, first.slots) == (A, 0, "DCU-K100_AI", 4)
    assert (first.memory_mib, first.cores, first.mode) == (65520, 100, "hami")
    assert (third.index, third.numa, third.healthy) == (2, 1, False)
    shake = {"hami.io/node-handshake-dcu": "Requesting_1970-01-01 00:00:00"}
    silent = family.node({"hami.io/node-dcu-register": REGISTER, **shake})
    assert DCU.inventory(silent).until == 60


USED = family.holding(CARDS, ((Grant(A, "DCU", 60000, 40),),))
CASES: dict[str, tuple[Any, family.Json, Any]] = {
    "a share beside another": (USED, ask(1, 2000, 60), [0]),
    "no memory left there": (USED, ask(1, 6000, 60), [1]),
    "no cores left there": (USED, ask(1, 2000, 70), [1]),
    "all cores are a card of its own": (USED, ask(1, 2000), [1]),
    "several": (CARDS, ask(2), [0, 1]),
    "a sick card does not count": (
        USED, ask(2), "1/3 AllocatedCardsInsufficientRequest, 1/3 CardInsufficientMemory,"
        " 1/3 CardNotHealth",
    ),
    "four on a card": (
        family.holding(CARDS, ((Grant(A, "DCU", 1, 0),),) * 4), ask(1, 1, 1), [1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CASES)
def test_choice(sentence: str) -> None:
    given, limits, expected = CASES[sentence]
    found = family.choose(DCU, given, family.read(DCU, limits))
    assert (found if isinstance(found, str) else family.indices(given, found)) == expected


LISTS: dict[str, tuple[str, str, str]] = {
    "a type": ("hygon.com/use-dcutype", "z100", "2/3 CardTypeMismatch, 1/3 CardNotHealth"),
    "not a type": ("hygon.com/nouse-dcutype", "k100", "2/3 CardTypeMismatch, 1/3 CardNotHealth"),
    "a card": ("hygon.com/use-gpuuuid", B, B),
    "not a card": ("hygon.com/nouse-gpuuuid", A, B),
}


@pytest.mark.parametrize("sentence", LISTS)
def test_lists(sentence: str) -> None:
    key, value, expected = LISTS[sentence]
    found = family.place(DCU, CARDS, ask(1, 1, 1), notes={key: value})
    if isinstance(found, str):
        assert sorted(found.split(", ")) == sorted(expected.split(", "))
    else:
        assert found[0][0][0].uuid == expected


def test_the_pair_of_annotations_is_written_and_read() -> None:
    found = family.place(DCU, CARDS, {}, ask(1, 2000, 60))
    assert not isinstance(found, str)
    grants, notes = found
    text = f";{A},DCU,2000,60:;"
    assert notes["hami.io/dcu-devices-to-allocate"] == text
    assert notes["hami.io/dcu-devices-allocated"] == text
    assert DCU.recall(notes) == grants


def test_memory_has_a_factor() -> None:
    made = hygon(HygonOptions(memory_factor=1024))
    assert family.read(made, ask(1, 2)).request == Request("DCU", 1, 2048, 100, 100)
    assert made.names.in_units(2048) == 2
