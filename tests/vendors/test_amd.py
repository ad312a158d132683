"""AMD (facts/devices.md 13): percent that are compute units, and products in annotations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hami_admission.model.grant import Grant
from hami_admission.model.node import Handover
from hami_admission.model.pod import Kind
from hami_admission.model.request import Request
from hami_admission.quota import charge
from hami_admission.wire.nodes import NodeFacts
from tests.vendors import family

AMD = family.of("AMD")
COUNT, MEMORY, CORES = "amd.com/gpu", "amd.com/gpumem", "amd.com/gpucores"
PRODUCT = "AMD Instinct MI300X"


def node(*cards: family.Json) -> NodeFacts:
    """A node as AMD's plugin for HAMi leaves it."""
    common = {
        "count": 10, "devmem": 196592, "devcore": 304, "type": PRODUCT, "health": True,
        "devicevendor": "amd",
    }  # fmt: skip
    found = [{"id": f"u{n}", "index": n, **common, **card} for n, card in enumerate(cards)]
    return family.node({"hami.io/node-amd-register": json.dumps(found)}, {COUNT: "20"})


NODE = node({"custominfo": {"pciBDF": "0000:05:00.0"}}, {})
CARDS = family.cards(AMD, NODE)
RADEON = {"devmem": 24560, "devcore": 96, "type": "AMD Radeon RX 7900 XTX",
          "custominfo": {"cuPerWGP": 2}}  # fmt: skip


def ask(count: object = None, memory: object = None, cores: object = None) -> family.Json:
    """Amounts by AMD's names."""
    named = {COUNT: count, MEMORY: memory, CORES: cores}
    return {name: value for name, value in named.items() if value is not None}


def request(count: int, memory: int | None, cores: int) -> Request:
    """What is read of such amounts."""
    return Request("AMD", count, memory, 100, cores)


REQUESTS: dict[str, tuple[family.Json, Request | str | None]] = {
    "a share": (ask(1, 2000, 30), request(1, 2000, 30)),
    "all cores unless it says": (ask(1, 2000), request(1, 2000, 100)),
    "no memory is the whole card's": (ask(2, 0, 30), request(2, None, 30)),
    "zero asks nothing": (ask(0), None),
    "no cores": (
        ask(1, 2000, 0), f"limits[{CORES}]: Invalid value: 0: must be a whole number from 1 to 100",
    ),
    "more than a card's cores": (ask(1, 2000, 101), f"limits[{CORES}]: Invalid value: 101: must"),
    "a part of a percent": (ask(1, 2000, "500m"), f"limits[{CORES}]: Invalid value: 500m: must"),
    "negative": (ask(-1), f"limits[{COUNT}]: Invalid value: -1: must be a whole number from 0"),
    "negative memory": (ask(1, -1), f"limits[{MEMORY}]: Invalid value: -1: the unit is MiB"),
}  # fmt: skip


@pytest.mark.parametrize("sentence", REQUESTS)
def test_request(sentence: str) -> None:
    limits, expected = REQUESTS[sentence]
    reading = family.read(AMD, limits)
    if isinstance(expected, str):
        assert expected in family.objection(reading)
    else:
        assert (reading.request, reading.objections, reading.limits) == (expected, (), {})


def test_limits_alone_ask() -> None:
    assert family.read(AMD, None, ask(1, 2000)).request is None
    assert family.read(AMD, ask(1), ask(1, 2000)).request == request(1, None, 100)


def test_cards_are_registered_with_their_product_and_units() -> None:
    found = AMD.inventory(NODE)
    assert found.handover == Handover("hami.io/mutex.lock")
    card = found.devices[0]
    assert (card.uuid, card.index, card.type, card.slots) == ("u0", 0, PRODUCT, 10)
    assert (card.memory_mib, card.cores, card.fact("pciBDF")) == (196592, 304, "0000:05:00.0")
    gone = NodeFacts("n", NODE.annotations, {COUNT: "0"}, {COUNT: "0"})
    assert AMD.inventory(gone).devices == ()


MI100 = family.cards(AMD, node({"devmem": 32752, "devcore": 120}))
GROUPS = family.cards(AMD, node(RADEON))
NO_UNITS = family.cards(AMD, node({"devcore": 0}))
BROKEN = family.cards(AMD, node({**RADEON, "custominfo": {"cuPerWGP": "many"}}))
USED = family.holding(CARDS, ((Grant("u0", "AMD", 100000, 200),),))
MIXED = family.cards(AMD, node(RADEON, {}))
CASES: dict[str, tuple[Any, family.Json, Any]] = {
    "a part of the units, rounded down": (CARDS, ask(1, 2000, 33), [("u0", 2000, 100)]),
    "one unit at least": (MI100, ask(1, 2000, 1), [("u0", 2000, 1)]),
    "the whole card": (CARDS, ask(1), [("u0", 196592, 304)]),
    "beside another": (USED, ask(1, 2000, 34), [("u0", 2000, 103)]),
    "no units left there": (USED, ask(1, 2000, 35), [("u1", 2000, 106)]),
    "no memory left there": (USED, ask(1, 100000, 10), [("u1", 100000, 30)]),
    "a hundred units are no whole card": (
        family.holding(MI100, ((Grant("u0", "AMD", 1, 20),),)), ask(1, 1, 84), [("u0", 1, 100)],
    ),
    "all percent beside none are no reason": (
        family.holding(CARDS[:1], ((Grant("u0", "AMD", 1, 0),),)), ask(1, 1), [("u0", 1, 304)],
    ),
    "whole groups of units": (GROUPS, ask(1, 1, 4), [("u0", 1, 4)]),
    "a group at least": (GROUPS, ask(1, 1, 1), [("u0", 1, 2)]),
    "no more groups than there are": (
        family.cards(AMD, node({**RADEON, "devcore": 3})), ask(1, 1), [("u0", 1, 3)],
    ),
    "groups that cannot be read": (BROKEN, ask(1, 1, 3), [("u0", 1, 2)]),
    "a card without units": (NO_UNITS, ask(1, 1), "1/1 CardInsufficientCore"),
    "the largest first": (MIXED, ask(2), [("u1", 196592, 304), ("u0", 24560, 96)]),
    "alike in their order": (CARDS, ask(2, 5, 50), [("u0", 5, 152), ("u1", 5, 152)]),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CASES)
def test_choice(sentence: str) -> None:
    given, limits, expected = CASES[sentence]
    found = family.choose(AMD, given, family.read(AMD, limits))
    if isinstance(expected, str):
        assert found == expected
    else:
        assert [(each.uuid, each.memory_mib, each.cores) for each in found] == expected


LISTS: dict[str, tuple[str, str]] = {
    "a product": ("amd.com/use-gputype", "mi300"),
    "not a product": ("amd.com/nouse-gputype", "Radeon"),
    "a card": ("amd.com/use-gpu-uuid", "u1"),
    "not a card": ("amd.com/nouse-gpu-uuid", "u0"),
}


@pytest.mark.parametrize("sentence", LISTS)
def test_lists(sentence: str) -> None:
    key, value = LISTS[sentence]
    found = family.place(AMD, MIXED, ask(1, 1, 1), notes={key: value})
    assert not isinstance(found, str)
    assert found[0][0][0].uuid == "u1"


PRODUCTS: dict[str, tuple[str, str]] = {
    "a product": (PRODUCT, PRODUCT),
    "no product": ("", "AMD"),
    "signs that divide": ("Navi 31, rev: 2;", "Navi 31  rev  2"),
}


@pytest.mark.parametrize("sentence", PRODUCTS)
def test_the_annotations_name_the_product_and_are_read_as_the_family(sentence: str) -> None:
    product, name = PRODUCTS[sentence]
    found = family.place(AMD, family.cards(AMD, node({"type": product})), {}, ask(1, 2000, 33))
    assert not isinstance(found, str)
    grants, notes = found
    assert notes["hami.io/amd-devices-to-allocate"] == f";u0,{name},2000,100:;"
    assert notes["hami.io/amd-devices-allocated"] == f";u0,{name},2000,100:;"
    assert AMD.recall(notes) == grants
    assert grants[1][0].vendor == "AMD"


def test_what_hami_wrote_is_read() -> None:
    (slot,) = AMD.recall({"hami.io/amd-devices-allocated": f"u0,{PRODUCT},2000,100:;"})
    assert slot == (Grant("u0", "AMD", 2000, 100),)


def test_quotas_count_percent() -> None:
    found = family.place(AMD, CARDS, ask(2, 2000, 33))
    assert not isinstance(found, str)
    held = charge.of_grants((Kind.APP,), AMD.recall(found[1]), {"AMD": AMD.names})
    assert dict(held.items()) == {COUNT: 2, MEMORY: 4000, CORES: 66}
