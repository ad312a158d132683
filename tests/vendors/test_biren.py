"""Biren (facts/devices.md 15): places, and a plugin that takes its work from the record."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hami_admission.model.grant import Grant, unread
from hami_admission.model.node import Handover
from hami_admission.model.request import Request
from hami_admission.options import BirenOptions
from hami_admission.settings import Settings
from tests.vendors import family

BR = "birentech.com/gpu"
BIREN = family.of("Biren")
TO_ALLOCATE, ALLOCATED = "hami.io/Biren-devices-to-allocate", "hami.io/Biren-devices-allocated"


def node(cards: int, *, offered: int | None = None, **more: object) -> Any:
    """A node as Biren's plugin leaves it."""
    entries = [
        {"id": f"card_{n}", "index": n, "count": 1, "devmem": 65024, "type": "Biren106B",
         "health": True, **more}
        for n in range(cards)
    ]  # fmt: skip
    notes = {"hami.io/node-biren-register": msgspec.json.encode(entries).decode()}
    return family.node(notes, None if offered is None else {BR: offered})


CARDS = family.cards(BIREN, node(3))
USED = family.holding(CARDS, ((Grant("card_1", "Biren", 0, 0),),))


def test_request() -> None:
    assert family.read(BIREN, {BR: 2}).request == Request("Biren", 2, None, 100, 0)
    assert family.read(BIREN, {BR: 0}).request is None
    assert BR in family.objection(family.read(BIREN, {BR: -1}))


def test_the_cards_are_those_of_the_register_with_100_cores() -> None:
    found = BIREN.inventory(node(2))
    assert [(each.uuid, each.index, each.cores) for each in found.devices] == [
        ("card_0", 0, 100), ("card_1", 1, 100),
    ]  # fmt: skip
    assert found.handover == Handover("hami.io/mutex.lock")


def test_a_plugin_that_has_gone_serves_nothing() -> None:
    assert BIREN.inventory(node(2, offered=0)).devices == ()
    asked = node(2)
    asked.annotations["hami.io/node-handshake-biren"] = "Requesting_1970-01-01 00:00:00"
    assert BIREN.inventory(asked).until == 60


PLACES: dict[str, tuple[Any, int, dict[str, str], Any]] = {
    "cards that nobody has": (USED, 2, {}, [0, 2]),
    "too many": (USED, 3, {},
        "1/3 CardTimeSlicingExhausted, 2/3 AllocatedCardsInsufficientRequest"),
    "only these": (CARDS, 1, {"birentech.com/use-gpuuuid": "card_2"}, [2]),
    "not this one": (CARDS, 1, {"birentech.com/nouse-gpuuuid": "card_0"}, [1]),
    "no sick one": (family.cards(BIREN, node(1, health=False)), 1, {}, "1/1 CardNotHealth"),
    "several places": (
        family.holding(family.cards(BIREN, node(1, count=2)), ((Grant("card_0", "Biren", 0, 0),),)),
        1, {}, [0],
    ),
    "mutex": (
        family.holding(family.cards(BIREN, node(1, count=2)), ((Grant("card_0", "Biren", 0, 0),),)),
        1, {"hami.io/gpu-scheduler-policy": "mutex"}, "1/1 ExclusiveDeviceAllocateConflict",
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", PLACES)
def test_placement(sentence: str) -> None:
    given, count, notes, expected = PLACES[sentence]
    found = family.place(BIREN, given, {BR: count}, notes=notes)
    if isinstance(expected, str):
        assert found == expected
    else:
        assert family.indices(given, found[0][0]) == expected


TEXT = ";card_0,Biren,0,0:;card_1,Biren,0,0:;"
HELD = ((), (Grant("card_0", "Biren", 0, 0),), (Grant("card_1", "Biren", 0, 0),))
RECORDS: dict[str, tuple[dict[str, str], Any]] = {
    "both": ({TO_ALLOCATE: TEXT, ALLOCATED: TEXT}, HELD),
    "the plugin took all from the one": ({TO_ALLOCATE: TEXT, ALLOCATED: ";;"}, HELD),
    "the plugin took all from the other": ({TO_ALLOCATE: ";;", ALLOCATED: TEXT}, HELD),
    "the plugin took some, and the empty entry": (
        {TO_ALLOCATE: TEXT, ALLOCATED: ";card_1,Biren,0,0:;"}, HELD,
    ),
    "only one": ({ALLOCATED: TEXT}, HELD),
    "none": ({}, ()),
}  # fmt: skip


@pytest.mark.parametrize("sentence", RECORDS)
def test_what_a_pod_holds_is_known_though_its_plugin_takes_it_away(sentence: str) -> None:
    notes, expected = RECORDS[sentence]
    assert BIREN.recall(notes) == expected


def test_of_a_damaged_record_and_another_the_other_is_read() -> None:
    damaged = TEXT.replace("Biren", "Biren,,")
    assert BIREN.recall({ALLOCATED: damaged, TO_ALLOCATE: TEXT}) == HELD
    assert unread(BIREN.recall({ALLOCATED: damaged})) != ()


def test_the_annotations_are_read_again() -> None:
    found = family.place(BIREN, CARDS, {"cpu": 1}, {BR: 1}, {BR: 1})
    assert not isinstance(found, str)
    grants, notes = found
    assert (grants, notes[TO_ALLOCATE], notes[ALLOCATED]) == (HELD, TEXT, TEXT)
    assert BIREN.recall(notes) == grants


def test_the_name_comes_from_the_options() -> None:
    made = family.of("Biren", Settings(biren=BirenOptions(resource_count_name="x/br")))
    assert made.names.all == ("x/br",)
