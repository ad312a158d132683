"""Families that are described and not programmed: options.Family to a Vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.model.card import Card
from hami_admission.model.grant import Grant, PodGrants
from hami_admission.model.node import Handover
from hami_admission.model.request import Request
from hami_admission.model.wishes import Wishes
from hami_admission.options import CardSize, Family
from hami_admission.placement import wishes as wishes_of
from hami_admission.settings import Settings
from hami_admission.vendors import table
from hami_admission.vendors.plain import plain
from tests.vendors import family
from tests.vendors.family import Json

if TYPE_CHECKING:
    from hami_admission.vendors.vendor import Vendor
    from hami_admission.wire.nodes import NodeFacts

ACME = Family(
    word="Acme",
    resource_count_name="acme.example/npu",
    resource_memory_name="acme.example/mem",
    resource_memory_percentage_name="acme.example/pct",
    resource_core_name="acme.example/cores",
    memory_factor=256,
    use_type="acme.example/use-type",
    no_use_type="acme.example/no-use-type",
    use_uuid="acme.example/use",
    no_use_uuid="acme.example/no-use",
)
"""With everything that users can ask by."""


def acme(**fields: Any) -> Vendor:
    """The family, with these fields of its description otherwise."""
    return plain(msgspec.structs.replace(ACME, **fields))


def asks(npu: object = None, **more: object) -> Json:
    """Limits by Acme's names."""
    given = {"npu": npu, **more}
    return {f"acme.example/{name}": value for name, value in given.items() if value is not None}


REQUESTS: dict[str, tuple[Json, Json, Request | str | None]] = {
    "cards alone": ({}, asks(2), Request("Acme", 2, None, 100, 0)),
    "units of memory": ({}, asks(1, mem=4, cores=30), Request("Acme", 1, 1024, 100, 30)),
    "a percentage": ({}, asks(1, pct=50), Request("Acme", 1, None, 50, 0)),
    "memory without a count": ({}, asks(mem=4), Request("Acme", 1, 1024, 100, 0)),
    "nothing": ({}, asks(0), None),
    "the cores of who names none": (
        {"default_cores": 5}, asks(1, mem=4), Request("Acme", 1, 1024, 100, 5),
    ),
    "more cores than a card has": (
        {"whole_cores": 16}, asks(1, cores=17), "from 0 to 16 (cores of one card)",
    ),
    "bytes": ({}, asks(1, mem="1Gi"), "the unit is 256 MiB already, per card"),
}  # fmt: skip


@pytest.mark.parametrize("sentence", REQUESTS)
def test_request(sentence: str) -> None:
    fields, limits, expected = REQUESTS[sentence]
    found = family.read(acme(**fields), limits)
    if isinstance(expected, str):
        assert expected in family.objection(found)
    else:
        assert (found.request, found.objections) == (expected, ())


def test_what_is_written_into_the_pod_needs_no_further_change() -> None:
    written = family.read(acme(), asks(mem=4)).limits
    assert written == {"acme.example/npu": 1}
    assert family.read(acme(), {**asks(mem=4), **written}).limits == {}


JSON = '[{"id":"a","count":4,"devmem":8192,"devcore":100,"type":"X1","health":true}]'
TEXT = "a,4,8192,100,X1,0,true:"
TWO = "a,4,8192,100,X1,0,true,0,m:b,4,8192,100,X2,0,true,1,m:"
SMALL: Json = {"card": CardSize(slots=2, memory=1024, cores=10)}
ALIKE = [("n-Acme-0", 0, 2, 1024, 10), ("n-Acme-1", 1, 2, 1024, 10)]
ONE = [("a", 0, 4, 8192, 100)]
OWN, COUNT = "hami.io/node-Acme-register", "acme.example/npu"
ASKED = {OWN: JSON, "x.io/hand": "Requesting_1970-01-01 00:00:00"}

Cards = list[tuple[str, int, int, int, int]]
"""Of each its uuid, index, places, MiB and cores."""

INVENTORIES: dict[str, tuple[Json, NodeFacts, Cards, float]] = {
    "as JSON": ({}, family.node({OWN: JSON}), ONE, float("inf")),
    "as text": ({}, family.node({OWN: TEXT}), ONE, float("inf")),
    "another annotation": (
        {"register": "x.io/cards"}, family.node({"x.io/cards": JSON}), ONE, float("inf"),
    ),
    "the usual one is not read then": (
        {"register": "x.io/cards"}, family.node({OWN: JSON}), [], float("inf"),
    ),
    "a plugin that is gone": ({}, family.node({OWN: JSON}, {COUNT: "0"}), [], float("inf")),
    "a handshake": ({"handshake": "x.io/hand"}, family.node(ASKED), ONE, 60),
    "a handshake that nobody named": ({}, family.node(ASKED), ONE, float("inf")),
    "from the capacity": (SMALL, family.node({}, {COUNT: 2}), ALIKE, float("inf")),
    "what is registered is not read then": (
        SMALL, family.node({OWN: JSON}, {COUNT: 2}), ALIKE, float("inf"),
    ),
    "no capacity": (SMALL, family.node({}, {}), [], float("inf")),
}  # fmt: skip


@pytest.mark.parametrize("sentence", INVENTORIES)
def test_inventory(sentence: str) -> None:
    fields, facts, expected, until = INVENTORIES[sentence]
    found = acme(**fields).inventory(facts)
    assert [
        (each.uuid, each.index, each.slots, each.memory_mib, each.cores) for each in found.devices
    ] == expected
    assert found.until == until


@pytest.mark.parametrize("fields", [{}, SMALL])
def test_a_lock_keeps_the_node_to_one_pod_where_its_plugin_needs_that(fields: Json) -> None:
    facts = family.node({OWN: JSON}, {COUNT: 2})
    assert acme(**fields).inventory(facts).handover == Handover("hami.io/mutex.lock")
    assert acme(**fields, lock="none").inventory(facts).handover == Handover()


def cards(*taken: Grant, **fields: Any) -> tuple[Card, ...]:
    """Two cards of 8 GiB with that on them."""
    given = family.cards(acme(**fields), family.node({OWN: TWO}))
    return family.holding(given, tuple((each,) for each in taken))


def on(uuid: str, memory: int = 256, cores: int = 10) -> Grant:
    return Grant(uuid, "Acme", memory, cores)


PARTS = [on("a", 1, 1)] * 4

Fit = tuple[Json, tuple[Card, ...], Json, Json, PodGrants | list[Grant] | str]

FITS: dict[str, Fit] = {
    "as it asks": ({}, cards(), asks(1, mem=4, cores=30), {}, [on("a", 1024, 30)]),
    "a percentage of the card": ({}, cards(), asks(1, pct=50), {}, [on("a", 4096, 0)]),
    "the fullest": ({}, cards(on("b")), asks(1, mem=1), {}, [on("b", 256, 0)]),
    "no memory": (
        {}, cards(on("a"), on("b")), asks(1, mem=32), {}, "2/2 CardInsufficientMemory",
    ),
    "no place": (
        {}, cards(*PARTS, *(on("b", 1, 1) for _ in PARTS)), asks(1, mem=1), {},
        "2/2 CardTimeSlicingExhausted",
    ),
    "all of 100 cores is the card alone": (
        {}, cards(on("a", cores=0)), asks(1, mem=1, cores=100), {}, [on("b", 256, 100)],
    ),
    "all of 16 cores too": (
        {"whole_cores": 16}, cards(on("a", cores=0)), asks(1, mem=1, cores=16), {},
        [on("b", 256, 16)],
    ),
    "100 of more is a share": (
        {"whole_cores": 128}, cards(on("a", cores=0)), asks(1, mem=1, cores=100), {},
        [on("a", 256, 100)],
    ),
    "whole cards": ({"charge": "whole"}, cards(on("a")), asks(1), {}, [on("b", 8192, 100)]),
    "no whole card": (
        {"charge": "whole"}, cards(on("a"), on("b")), asks(1), {},
        "2/2 ExclusiveDeviceAllocateConflict",
    ),
    "places": ({"charge": "places"}, cards(on("a")), asks(1), {}, [on("a", 0, 0)]),
    "this one": ({}, cards(), asks(1, mem=1), {"acme.example/use": "b"}, [on("b", 256, 0)]),
    "not that one": (
        {}, cards(), asks(1, mem=1), {"acme.example/no-use": "a"}, [on("b", 256, 0)],
    ),
    "this type": (
        {}, cards(), asks(1, mem=1), {"acme.example/use-type": "x2"}, [on("b", 256, 0)],
    ),
    "not that type": (
        {}, cards(), asks(1, mem=1), {"acme.example/no-use-type": "x1"}, [on("b", 256, 0)],
    ),
    "no such annotation": (
        {"use_uuid": ""}, cards(), asks(1, mem=1), {"acme.example/use": "b"}, [on("a", 256, 0)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", FITS)
def test_fit(sentence: str) -> None:
    fields, given, limits, notes, expected = FITS[sentence]
    vendor = acme(**fields)
    asked = wishes_of.of(notes, ["Acme"], table.Vendors((vendor,)), Settings())
    wishes = Wishes("binpack", ("binpack",), asked.selections)
    found = family.choose(vendor, given, family.read(vendor, limits), wishes)
    assert found == (expected if isinstance(expected, str) else tuple(expected))


NOTES: dict[str, tuple[Json, list[str]]] = {
    "the usual names": ({}, ["hami.io/Acme-devices-allocated", "hami.io/Acme-devices-to-allocate"]),
    "others": (
        {"allocated": "x.io/has", "to_allocate": "x.io/gets"}, ["x.io/gets", "x.io/has"],
    ),
    "one for both": ({"allocated": "x.io/has", "to_allocate": "x.io/has"}, ["x.io/has"]),
}  # fmt: skip


@pytest.mark.parametrize("sentence", NOTES)
def test_annotations_are_written_and_read_again(sentence: str) -> None:
    fields, names = NOTES[sentence]
    vendor = acme(**fields)
    found = family.place(vendor, cards(), {}, asks(1, mem=4, cores=30))
    assert not isinstance(found, str)
    grants, notes = found
    own = {name: text for name, text in notes.items() if text.endswith(";")}
    assert own == dict.fromkeys(names, ";a,Acme,1024,30:;")
    assert vendor.recall(notes) == grants


def test_quotas_count_what_users_write() -> None:
    names = acme().names
    assert names.counted == ("acme.example/npu", "acme.example/mem", "acme.example/cores")
    assert (names.in_units(1024), names.in_units(1025)) == (4, 5)


def test_nobody_is_asked_to_register_what_is_made_up() -> None:
    assert (acme().register, acme(register="x.io/cards").register) == (OWN, "x.io/cards")
    assert acme(**SMALL).register == ""
