"""Kunlunxin (facts/devices.md 5): whole cards, slices, boards of two wings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.admission import admit
from hami_admission.model.grant import Grant
from hami_admission.model.node import Handover
from hami_admission.model.request import Request
from hami_admission.options import KunlunOptions
from hami_admission.placement import fit
from hami_admission.settings import Settings
from hami_admission.vendors import table
from tests import build
from tests.vendors import family
from tests.vendors.family import BINPACK, SPREAD

if TYPE_CHECKING:
    from hami_admission.model.card import Card
    from hami_admission.wire.nodes import NodeFacts

CARDS, SLICES, MEMORY = "kunlunxin.com/xpu", "kunlunxin.com/vxpu", "kunlunxin.com/vxpu-memory"
WHOLE, PARTS = family.of("kunlun"), family.of("XPU")
Json = dict[str, Any]
LOCK, REGISTER = "hami.io/mutex.lock", "hami.io/node-register-xpu"


def board(count: int = 8, used: str = "") -> tuple[Card, ...]:
    """So many whole cards; those with these indices are in use."""
    given = family.cards(WHOLE, family.node(capacity={CARDS: count}))
    held = tuple(Grant(f"n-kunlun-{index}", "kunlun", 98304, 100) for index in used)
    return family.holding(given, (held,))


def registered(*wrong: Json, handshake: str = "") -> NodeFacts:
    """A node as the device plugin of slices leaves it; ``wrong`` is of the first cards."""
    usual = {"count": 4, "devmem": 98304, "devcore": 100, "type": "XPU-P800", "health": True}
    cards = [{**usual, "id": f"x{n}", "index": n, "numa": n // 4} for n in range(8)]
    for n, each in enumerate(wrong):
        cards[n] |= each
    text = msgspec.json.encode(cards).decode()
    return family.node({REGISTER: text, "hami.io/node-handshake-xpu": handshake})


def sliced(**sizes: tuple[int, ...]) -> tuple[Card, ...]:
    """A board of slices; ``x3=(24576,)`` says which are given out of card 3."""
    held = tuple(
        Grant(uuid, "XPU", size, 100 * size // 98304)
        for uuid, each in sizes.items()
        for size in each
    )
    return family.holding(family.cards(PARTS, registered()), (held,))


def test_whole_cards_are_made_up_from_the_capacity() -> None:
    found = WHOLE.inventory(family.node(capacity={CARDS: "8"}))
    assert found.handover == Handover("")
    card = found.devices[5]
    assert (card.uuid, card.index, card.type) == ("n-kunlun-5", 5, "kunlun")
    assert (card.slots, card.memory_mib, card.cores) == (100, 98304, 100)
    assert [each.numa for each in found.devices] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert WHOLE.inventory(family.node()).devices == ()


def test_cards_in_slices_are_registered() -> None:
    found = PARTS.inventory(registered({"health": False, "numa": 3}))
    assert found.handover == Handover(LOCK)
    card = found.devices[0]
    assert (card.uuid, card.slots, card.memory_mib, card.cores) == ("x0", 4, 98304, 100)
    assert (card.numa, card.healthy, card.type) == (3, False, "XPU-P800")
    silent = registered(handshake="Requesting_1970-01-01 00:00:00")
    assert PARTS.inventory(silent).until == 60.0
    assert PARTS.inventory(family.node()).devices == ()


def slices(memory: int | None, cores: int, count: int = 1) -> Request:
    """So many slices of that size."""
    return Request("XPU", count, memory, 100, cores)


REQUESTS: dict[str, tuple[Json, Request | str | None]] = {
    "whole cards": ({CARDS: 4}, Request("kunlun", 4, None, 100, 0)),
    "no whole card": ({CARDS: 0}, None),
    "no number of cards": ({CARDS: "many"}, f"limits[{CARDS}]: Invalid value: many"),
    "a slice": ({SLICES: 1, MEMORY: 24576}, slices(24576, 25)),
    "a part of a slice": ({SLICES: 1, MEMORY: 1}, slices(24576, 25)),
    "half a card": ({SLICES: 2, MEMORY: 49152}, slices(49152, 50, 2)),
    "more than a quarter": ({SLICES: 1, MEMORY: 24577}, slices(49152, 50)),
    "a card": ({SLICES: 1, MEMORY: 98304}, slices(98304, 100)),
    "more than half": ({SLICES: 1, MEMORY: 49153}, slices(98304, 100)),
    "more than a card": ({SLICES: 1, MEMORY: 98305}, slices(98304, 100)),
    "without memory": ({SLICES: 2}, slices(None, 100, 2)),
    "memory alone": ({MEMORY: 24576}, slices(24576, 25)),
    "no slices of a size": ({SLICES: 0, MEMORY: 1}, f"limits[{SLICES}]: Invalid value: 0"),
    "bytes": ({SLICES: 1, MEMORY: "24Gi"}, "the unit is MiB already"),
}


@pytest.mark.parametrize("sentence", REQUESTS)
def test_request(sentence: str) -> None:
    limits, expected = REQUESTS[sentence]
    reading = family.read(WHOLE if CARDS in limits else PARTS, limits)
    if isinstance(expected, str):
        assert (reading.request, expected in family.objection(reading)) == (None, True)
    else:
        assert (reading.request, reading.objections) == (expected, ())


def test_who_asks_for_more_than_a_card_is_told() -> None:
    reading = family.read(PARTS, {SLICES: 1, MEMORY: 98305})
    assert reading.warnings == (
        "spec.containers[0]: kunlunxin.com/vxpu-memory: no card has 98305 MiB; 98304 are given",
    )


ADMITTED: dict[str, tuple[Json, Json]] = {
    "limits": ({"limits": {SLICES: 1, MEMORY: 30000}}, {"limits": {SLICES: 1, MEMORY: "49152"}}),
    "both": (
        {"limits": {SLICES: 1, MEMORY: 30000}, "requests": {SLICES: 1, MEMORY: "30k"}},
        {"limits": {SLICES: 1, MEMORY: "49152"}, "requests": {SLICES: 1, MEMORY: "49152"}},
    ),
    "requests": (
        {"requests": {SLICES: 1, MEMORY: 30000}},
        {"limits": {SLICES: "1", MEMORY: "49152"}, "requests": {SLICES: 1, MEMORY: "49152"}},
    ),
    "a limit and a request": (
        {"limits": {SLICES: 1}, "requests": {MEMORY: 30000}},
        {"limits": {SLICES: 1, MEMORY: "49152"}, "requests": {MEMORY: "49152"}},
    ),
    "nothing to round": ({"limits": {SLICES: 1, MEMORY: 49152}}, {}),
}


@pytest.mark.parametrize("sentence", ADMITTED)
def test_the_size_of_the_slice_is_written(sentence: str) -> None:
    given, expected = ADMITTED[sentence]
    document = family.admitted(build.container(**given))
    assert document["spec"]["containers"][0]["resources"] == {**given, **expected}


USE, NO_USE = "hami.io/use-xpu-uuid", "hami.io/no-use-xpu-uuid"
OLD_USE, OLD_NO_USE = "baidu.com/use-gpuuuid", "baidu.com/nouse-gpuuuid"
UUIDS = [f"n-kunlun-{n}" for n in range(8)]
CHOICES: dict[str, tuple[tuple[Card, ...], int, dict[str, str], list[int] | str]] = {
    "a card": (board(), 1, {}, [0]),
    "a card of the wing with three": (board(used="4"), 1, {}, [5]),
    "two of the wing with two": (board(used="01"), 2, {}, [2, 3]),
    "wings go by index, not by place": (board(used="26")[::-1], 4, {}, [0, 1, 4, 5]),
    "two counterparts": (board(used="012456"), 2, {}, [3, 7]),
    "two without a link": (board(used="012457"), 2, {},
        "2/8 NumaNotFit, 6/8 ExclusiveDeviceAllocateConflict"),
    "three": (board(), 3, {}, "8/8 NumaNotFit"),
    "a wing of six": (board(6, used="0"), 3, {}, [3, 4, 5]),
    "counterparts of six": (board(6, used="0134"), 2, {}, [2, 5]),
    "one that is not listed": (board(7), 4, {}, [0, 1, 2, 3]),
    "the board": (board(), 8, {}, list(range(8))),
    "only these": (board(), 1, {USE: "n-kunlun-6"}, [6]),
    "not these": (board(), 1, {NO_USE: "n-kunlun-0,n-kunlun-1"}, [2]),
    "only these, by the older name": (board(), 1, {OLD_USE: "n-kunlun-6"}, [6]),
    "not these, by the older name": (board(), 1, {OLD_NO_USE: "n-kunlun-0"}, [1]),
    "both lists hold": (
        board(), 1, {USE: ",".join(UUIDS[2:]), OLD_USE: ",".join(UUIDS[:4]), NO_USE: UUIDS[2],
        OLD_NO_USE: UUIDS[5]}, [3],
    ),
    "in no list of both": (board(), 1, {USE: UUIDS[2], OLD_USE: UUIDS[3]}, "8/8 CardUuidMismatch"),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CHOICES)
def test_choice_of_whole_cards(sentence: str) -> None:
    given, count, notes, expected = CHOICES[sentence]
    found = family.place(WHOLE, given, {CARDS: count}, notes=notes)
    assert (found if isinstance(found, str) else family.indices(given, found[0][0])) == expected


@pytest.mark.parametrize("name", [USE, OLD_USE])
def test_a_list_of_no_cards_is_refused(name: str) -> None:
    pod = build.pod(build.container(limits={CARDS: 1}), annotations={name: ","})
    decision = admit.decide(pod, table.build(Settings()), Settings())
    assert [each.field for each in decision.objections] == [f"metadata.annotations[{name}]"]


Q, H = 24576, 49152
QUARTER: Json = {SLICES: 1, MEMORY: Q}
SICK = family.cards(PARTS, registered({"health": False}, {"health": False}))
FITS: dict[str, tuple[tuple[Card, ...], Json, list[int]]] = {
    "beside slices of its size": (sliced(x0=(Q, Q, Q)), QUARTER, [0]),
    "not beside larger ones": (sliced(x0=(H,)), QUARTER, [1]),
    "not beside smaller ones": (sliced(x0=(Q,)), {SLICES: 1, MEMORY: H}, [1]),
    "not on a full card": (sliced(x0=(Q, Q, Q, Q)), QUARTER, [1]),
    "not on a card without room": (sliced(x0=(H, H)), {SLICES: 1, MEMORY: H}, [1]),
    "whole beside nobody": (sliced(x0=(Q,)), {SLICES: 1}, [1]),
    "not on a sick card": (SICK, QUARTER, [2]),
    "each of another card": (sliced(x4=(Q,)), {SLICES: 2, MEMORY: Q}, [0, 1]),
    "two that are linked": (
        sliced(x0=(H,), x1=(H,), x2=(H,), x4=(H,), x5=(H,), x6=(H,)), {SLICES: 2, MEMORY: Q},
        [3, 7],
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", FITS)
def test_fit_of_slices(sentence: str) -> None:
    given, limits, expected = FITS[sentence]
    grants = family.choose(PARTS, given, family.read(PARTS, limits))
    assert family.indices(given, grants) == expected


def test_a_card_in_slices_of_another_size_says_so() -> None:
    given = sliced(**{f"x{n}": (H,) for n in range(7)}, x7=(Q, Q, Q, Q))
    found = family.choose(PARTS, given, family.read(PARTS, QUARTER))
    assert found == "1/8 CardTimeSlicingExhausted, 7/8 CardNotFoundCustomFilterRule"
    alone = {"hami.io/gpu-scheduler-policy": "mutex"}
    given = sliced(**{f"x{n}": (Q,) for n in range(8)})
    found = family.place(PARTS, given, QUARTER, notes=alone)
    assert found == "8/8 ExclusiveDeviceAllocateConflict"


def test_two_without_a_link_are_refused_at_once() -> None:
    given = sliced(**{f"x{n}": (H,) for n in (0, 1, 2, 4, 5, 7)})
    request = family.read(PARTS, {SLICES: 2, MEMORY: Q}).request
    assert request is not None
    assert str(fit.possible(PARTS, given, request, BINPACK)) == (
        "2/8 NumaNotFit, 6/8 CardNotFoundCustomFilterRule"
    )


def test_within_a_wing_policy_decides() -> None:
    given, one = sliced(x1=(Q,), x2=(Q, Q)), family.read(PARTS, QUARTER)
    assert family.indices(given, family.choose(PARTS, given, one, BINPACK)) == [2]
    assert family.indices(given, family.choose(PARTS, given, one, SPREAD)) == [0]


SCORES: dict[str, tuple[str, int, float]] = {
    "the rest of a wing": ("01", 2, 3),
    "a card beside one": ("0", 1, 3),
    "a card beside two": ("01", 1, 2),
    "a card that makes a wing full": ("012", 1, 3),
    "a card of a fresh wing": ("0123", 1, 1),
    "a card of a fresh board": ("", 1, 0),
    "two of a fresh board": ("", 2, 1),
    "four of a fresh board": ("", 4, 2),
    "a fresh board": ("", 8, 3),
}


@pytest.mark.parametrize("sentence", SCORES)
def test_a_node_is_judged_by_the_board_as_it_would_be(sentence: str) -> None:
    """Upstream compares with the new cards alone (facts/devices.md 19, K3)."""
    used, count, expected = SCORES[sentence]
    found = family.place(WHOLE, board(used=used), {CARDS: count})
    assert not isinstance(found, str)
    assert WHOLE.score is not None
    assert WHOLE.score(board(used=used), found[0], BINPACK) == expected


def test_annotations_of_whole_cards() -> None:
    found = family.place(WHOLE, board(used="0"), {CARDS: 2}, {}, {CARDS: 1}, {})
    assert not isinstance(found, str)
    grants, notes = found
    assert notes["hami.io/kunlun-allocated"] == (
        "n-kunlun-1,kunlun,98304,100:n-kunlun-2,kunlun,98304,100:;;n-kunlun-3,kunlun,98304,100:;;"
    )
    assert notes["BAIDU_COM_DEVICE_IDX"] == "3"
    assert family.place(WHOLE, board(), {CARDS: 2})[1]["BAIDU_COM_DEVICE_IDX"] == "0,1"  # type: ignore[index]
    assert not [name for name in notes if "to-allocate" in name]
    assert WHOLE.recall(notes) == grants


def test_annotations_of_slices() -> None:
    found = family.place(PARTS, sliced(), QUARTER, {SLICES: 1})
    assert not isinstance(found, str)
    grants, notes = found
    text = "x0,XPU,24576,25:;x1,XPU,98304,100:;"
    assert notes["hami.io/xpu-devices-to-allocate"] == text
    assert notes["hami.io/xpu-devices-allocated"] == text
    assert PARTS.recall(notes) == grants


def test_names_come_from_the_options() -> None:
    options = KunlunOptions(
        resource_count_name="x/c", resource_v_count_name="x/v", resource_v_memory_name="x/m"
    )
    settings = Settings(kunlun=options)
    assert family.of("kunlun", settings).names.all == ("x/c",)
    parts = family.of("XPU", settings)
    assert parts.names.counted == ("x/v", "x/m")
    assert family.read(parts, {"x/v": 1, "x/m": 5}).limits == {"x/m": 24576}
