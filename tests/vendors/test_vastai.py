"""Vastai (facts/devices.md 14): places of cards, dies of one card together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.model.grant import Grant
from hami_admission.model.node import Handover
from hami_admission.model.request import Request
from hami_admission.options import VastaiOptions
from hami_admission.settings import Settings
from tests.vendors import family

if TYPE_CHECKING:
    from hami_admission.placement.usage import Cards
    from hami_admission.vendors.vendor import Able

VA = "vastaitech.com/va"
VASTAI = family.of("Vastai")


def entry(index: int, aic: object = None, **more: object) -> dict[str, object]:
    """A card of two places in the register; a die where it is on an AIC."""
    made: dict[str, object] = {
        "id": f"va-{index}", "index": index, "count": 2, "devmem": 16384, "devcore": 8,
        "type": "Vastai-SV100", "health": True,
    }  # fmt: skip
    if aic is not None:
        made["custominfo"] = {"DeviceStrategy": "die", "AIC": aic}
    return made | more


def node(*entries: dict[str, object], offered: int | None = None) -> Any:
    """A node as Vastai's plugin leaves it."""
    notes = {"hami.io/node-va-register": msgspec.json.encode(entries).decode()}
    return family.node(notes, None if offered is None else {VA: offered})


def dies(aics: str) -> Cards:
    """Dies 0, 1 … on these AICs, nothing taken."""
    return family.cards(VASTAI, node(*(entry(n, aic) for n, aic in enumerate(aics))))


CARDS = family.cards(VASTAI, node(entry(1), entry(0)))
PARTS = family.cards(
    VASTAI,
    node(
        *(
            entry(n, custominfo={"DeviceStrategy": "card", "AIC": aic})
            for n, aic in enumerate("abb")
        )
    ),
)
MUTEX = {"hami.io/gpu-scheduler-policy": "mutex"}


def used(given: Cards, *indices: int) -> Cards:
    """Somebody has a place of each of these."""
    own = tuple(Grant(f"va-{index}", "Vastai", 0, 0) for index in indices)
    return family.holding(given, (own,))


REQUESTS: dict[str, tuple[object, object]] = {
    "cards": (3, Request("Vastai", 3, None, 100, 0)),
    "nothing": (0, None),
    "a mistake": ("many", "containers[0].resources.limits[vastaitech.com/va]"),
}


@pytest.mark.parametrize("sentence", REQUESTS)
def test_request(sentence: str) -> None:
    amount, expected = REQUESTS[sentence]
    found = family.read(VASTAI, {VA: amount})
    assert found.limits == {}
    if isinstance(expected, str):
        assert expected in family.objection(found)
    else:
        assert (found.request, found.objections) == (expected, ())


def test_the_cards_are_those_of_the_register_with_100_cores() -> None:
    first = CARDS[0].device
    assert (first.uuid, first.index, first.slots, first.memory_mib) == ("va-0", 0, 2, 16384)
    assert (first.cores, first.healthy, first.fact("AIC")) == (100, True, "")
    die = dies("7")[0].device
    assert (die.fact("DeviceStrategy"), die.fact("AIC")) == ("die", "7")
    assert VASTAI.inventory(node(entry(0))).handover == Handover("hami.io/mutex.lock")


def test_a_plugin_that_has_gone_serves_nothing() -> None:
    assert VASTAI.inventory(node(entry(0), offered=0)).devices == ()
    asked = node(entry(0))
    asked.annotations["hami.io/node-handshake-va"] = "Requesting_1970-01-01 00:00:00"
    assert VASTAI.inventory(asked).until == 60


LISTS = {"vastaitech.com/use-gpuuuid": "va-0", "vastaitech.com/nouse-gpuuuid": "va-1"}
SICK = family.cards(VASTAI, node(entry(0, health=False), entry(1)))
PLACES: dict[str, tuple[Cards, int, dict[str, str], Any]] = {
    "one by policy": (used(CARDS, 1), 1, {"hami.io/gpu-scheduler-policy": "binpack"}, [1]),
    "all places of a card": (used(CARDS, 0, 0), 2, {},
        "1/2 AllocatedCardsInsufficientRequest, 1/2 CardTimeSlicingExhausted"),
    "not a sick one": (SICK, 1, {}, [1]),
    "only that one": (CARDS, 1, {"vastaitech.com/use-gpuuuid": "va-1"}, [1]),
    "not that one": (CARDS, 2, LISTS,
        "1/2 AllocatedCardsInsufficientRequest, 1/2 CardUuidMismatch"),
    "more than there are": (CARDS, 3, {}, "2/2 NodeInsufficientDevice"),
    "mutex takes idle cards": (used(CARDS, 0), 1, MUTEX, [1]),
    "mutex does not mind the neighbours of a card": (used(CARDS, 0), 2, MUTEX,
        "1/2 AllocatedCardsInsufficientRequest, 1/2 ExclusiveDeviceAllocateConflict"),
    "dies of one AIC": (dies("abb"), 2, {}, [1, 2]),
    "the largest AIC first": (dies("abbcc"), 3, {}, [1, 2, 3]),
    "cards on one AIC that are given out whole": (PARTS, 2, {}, [0, 1]),
    "all dies": (dies("aab"), 3, {}, [0, 1, 2]),
    "one die as the policy says": (dies("abb"), 1, {}, [0]),
    "dies that cannot serve do not count": (used(dies("aabbb"), 2, 2, 3, 3), 2, {}, [0, 1]),
    "mutex takes no die beside a used one": (used(dies("aabb"), 1), 2, MUTEX, [2, 3]),
    "mutex says why": (used(dies("aab"), 1), 2, MUTEX,
        "1/3 AllocatedCardsInsufficientRequest, 2/3 ExclusiveDeviceAllocateConflict"),
    "without mutex dies are taken beside used ones": (used(dies("aab"), 1), 2, {}, [0, 1]),
}  # fmt: skip


@pytest.mark.parametrize("sentence", PLACES)
def test_placement(sentence: str) -> None:
    given, count, notes, expected = PLACES[sentence]
    found = family.place(VASTAI, given, {VA: count}, notes=notes)
    if isinstance(expected, str):
        assert found == expected
    else:
        assert sorted(family.indices(given, found[0][0])) == expected


def able(given: Cards, *indices: int) -> tuple[tuple[Grant, ...], list[Able]]:
    """Grants of these, as one container has them."""
    own = tuple(Grant(f"va-{index}", "Vastai", 0, 0) for index in indices)
    return own, [(given[index], grant) for index, grant in zip(indices, own, strict=True)]


SCORES: dict[str, tuple[Cards, list[tuple[int, ...]], float]] = {
    "all dies on one AIC": (dies("aab"), [(0, 1)], 1.0),
    "dies apart": (dies("aab"), [(1, 2)], 0.5),
    "each container for itself": (dies("aabb"), [(0, 1), (), (1, 2)], 1.5),
    "one card is as good as one die": (CARDS, [(0,)], 1.0),
    "two cards are apart": (CARDS, [(0, 1)], 0.5),
}


@pytest.mark.parametrize("sentence", SCORES)
def test_score(sentence: str) -> None:
    given, slots, expected = SCORES[sentence]
    assert VASTAI.score is not None
    grants = tuple(able(given, *indices)[0] for indices in slots)
    assert VASTAI.score(given, grants, family.BINPACK) == expected


def test_the_annotations_are_read_again() -> None:
    found = family.place(VASTAI, CARDS, {"cpu": 1}, {VA: 2})
    assert not isinstance(found, str)
    grants, notes = found
    text = ";va-0,Vastai,0,0:va-1,Vastai,0,0:;"
    assert notes["hami.io/Vastai-devices-to-allocate"] == text
    assert notes["hami.io/Vastai-devices-allocated"] == text
    assert "hami.io/card-details.Vastai" not in notes
    assert VASTAI.recall(notes) == grants


def test_the_name_comes_from_the_options() -> None:
    made = family.of("Vastai", Settings(vastai=VastaiOptions(resource_count_name="x/va")))
    assert made.names.all == ("x/va",)
