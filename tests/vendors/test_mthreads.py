"""Moore Threads (facts/devices.md 12): sizes, whole cards in total, and one set of cards a pod."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hami_admission.admission import admit, changes
from hami_admission.model.grant import Grant
from hami_admission.model.node import Handover
from hami_admission.model.request import Request
from hami_admission.settings import Settings
from hami_admission.vendors import table
from hami_admission.vendors.inventory import Inventory
from hami_admission.wire.errors import Malformed
from tests import build
from tests.vendors import family

CARD = family.of("Mthreads")
COUNT, MEMORY, CORES = "mthreads.com/vgpu", "mthreads.com/sgpu-memory", "mthreads.com/sgpu-core"
NODE = family.node(capacity={CORES: "64", MEMORY: "384"})
CARDS = family.cards(CARD, NODE)
NUMBER = "mthreads.com/request-gpu-num"


def ask(count: object = None, memory: object = None, cores: object = None) -> family.Json:
    """Amounts by Moore Threads' names."""
    named = {COUNT: count, MEMORY: memory, CORES: cores}
    return {name: value for name, value in named.items() if value is not None}


def whole(count: int) -> Request:
    """So many cards with all that they have."""
    return Request("Mthreads", count, 49152, 100, 16)


Rewritten = dict[str, int]
SIZES = "must be one of 2, 4, 8, 16, 32, 64, 96, in units of 512 MiB"
REQUESTS: dict[str, tuple[family.Json, Request | str | None, Rewritten]] = {
    "a part in units of 512 MiB": (ask(1, 8, 4), Request("Mthreads", 1, 4096, 100, 4), {}),
    "no limit of cores unless it says": (ask(1, 2), Request("Mthreads", 1, 1024, 100, 0), {}),
    "a size alone is one card's": (
        ask(memory=32), Request("Mthreads", 1, 16384, 100, 0), {COUNT: 1},
    ),
    "one card whole": (ask(1), whole(1), {CORES: 16, MEMORY: 96}),
    "one card whole, whatever its cores": (ask(1, cores=4), whole(1), {CORES: 16, MEMORY: 96}),
    "cores alone are a whole card": (
        ask(cores=4), whole(1), {COUNT: 1, CORES: 16, MEMORY: 96},
    ),
    "one whole card as it was left": (ask(1, 96, 16), whole(1), {}),
    "several are whole": (ask(2), whole(2), {CORES: 32, MEMORY: 192}),
    "several are whole, whatever they say": (ask(2, 5, 4), whole(2), {CORES: 32, MEMORY: 192}),
    "several as they were left": (ask("3", "288", "48"), whole(3), {}),
    "zero asks nothing": (ask(0), None, {}),
    "zero with a size": (ask(0, 8), f"limits[{COUNT}]: Invalid value: 0: no card, but a size", {}),
    "negative": (ask(-1), f"limits[{COUNT}]: Invalid value: -1: must be a whole number", {}),
    "a size that there is not": (ask(1, 5), f"limits[{MEMORY}]: Invalid value: 5: {SIZES}", {}),
    "more than a card has": (ask(1, 192), f"limits[{MEMORY}]: Invalid value: 192: {SIZES}", {}),
    "no memory at all": (ask(1, 0), f"limits[{MEMORY}]: Invalid value: 0: {SIZES}", {}),
    "bytes": (ask(1, "8Gi"), f"limits[{MEMORY}]: Invalid value: 8Gi: the unit is 512 MiB", {}),
    "more than a card's cores": (ask(1, 8, 17), f"limits[{CORES}]: Invalid value: 17: must be", {}),
}  # fmt: skip


@pytest.mark.parametrize("sentence", REQUESTS)
def test_request(sentence: str) -> None:
    limits, expected, rewritten = REQUESTS[sentence]
    reading = family.read(CARD, limits)
    if isinstance(expected, str):
        assert expected in family.objection(reading)
        assert reading.request is None
    else:
        assert (reading.request, reading.limits) == (expected, rewritten)


def test_how_many_cards_stands_on_the_pod() -> None:
    assert family.read(CARD, ask(2)).notes == {NUMBER: "2"}
    assert family.read(CARD, ask(1)).notes == {}
    wrong = f"spec.containers[0]: {MEMORY}: 8 is not 2 whole cards, so it is made 192"
    assert family.read(CARD, ask(2, 8)).warnings == (wrong,)


@pytest.mark.parametrize(
    "limits", [ask(2), ask(2, 8, 4), ask(1), ask(1, cores=4), ask(1, 8, 4), ask(cores=4)]
)
def test_admission_asks_for_no_further_change(limits: family.Json) -> None:
    settings = Settings()
    vendors = table.build(settings)
    document = build.pod_json(build.container(limits=limits), annotations={NUMBER: "4"})
    decision = admit.decide(build.noun(document), vendors, settings)
    assert decision.objections == ()
    left = changes.apply(document, changes.operations(decision.changes))
    again = admit.decide(build.noun(left), vendors, settings)
    assert (again.changes, again.requests) == ((), decision.requests)


def test_cards_are_made_up_from_cores_and_memory() -> None:
    found = CARD.inventory(NODE)
    assert (len(found.devices), found.handover, found.until) == (4, Handover(), math.inf)
    card = found.devices[3]
    assert (card.uuid, card.index, card.type) == ("n-mthreads-3", 3, "Mthreads")
    assert (card.slots, card.memory_mib, card.cores) == (100, 49152, 16)
    with pytest.raises(Malformed, match="capacity: card 'n-mthreads-0' has more than"):
        CARD.inventory(family.node(capacity={CORES: "16", MEMORY: "100000000"}))
    gone = Inventory((), math.inf, Handover())
    assert CARD.inventory(family.node(capacity={CORES: "0", MEMORY: "0"})) == gone


ONE, TWO = "n-mthreads-1", "n-mthreads-2"
USED = family.holding(CARDS, ((Grant("n-mthreads-0", "Mthreads", 32768, 8),),))
CASES: dict[str, tuple[Any, family.Json, Any]] = {
    "a part beside another": (USED, ask(1, 32, 8), [0]),
    "no memory left there": (USED, ask(1, 64, 8), [1]),
    "no cores left there": (USED, ask(1, 8, 9), [1]),
    "whole cards": (USED, ask(3), [1, 2, 3]),
    "no four whole cards": (
        USED, ask(4), "1/4 CardInsufficientMemory, 3/4 AllocatedCardsInsufficientRequest",
    ),
    "all cores taken": (
        family.holding(CARDS, ((Grant("n-mthreads-0", "Mthreads", 1024, 16),),)), ask(1, 2), [1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CASES)
def test_choice(sentence: str) -> None:
    given, limits, expected = CASES[sentence]
    found = family.choose(CARD, given, family.read(CARD, limits))
    assert (found if isinstance(found, str) else family.indices(given, found)) == expected


NO_OTHER = "1/4 CardInsufficientMemory, 3/4 CardNotFoundCustomFilterRule"
PLACED: dict[str, tuple[tuple[family.Json, ...], Any]] = {
    "both on one card": ((ask(1, 32, 4), ask(1, 32, 4)), [[0], [0]]),
    "no other card for the second": ((ask(1, 64, 4), ask(1, 64, 4)), NO_OTHER),
    "no second card for the second": ((ask(1, 2, 1), ask(2)), NO_OTHER),
}  # fmt: skip


@pytest.mark.parametrize("sentence", PLACED)
def test_containers_of_a_pod_use_the_same_cards(sentence: str) -> None:
    containers, expected = PLACED[sentence]
    found = family.place(CARD, CARDS, *containers)
    if isinstance(found, str):
        assert found == expected
    else:
        assert [family.indices(CARDS, slot) for slot in found[0]] == expected


def test_a_container_may_use_one_of_two_cards_of_another() -> None:
    """Upstream finds none where the first has two (facts/devices.md 19, M2)."""
    two = family.BINPACK.with_same("Mthreads", frozenset({ONE, TWO}))
    found = family.choose(CARD, CARDS, family.read(CARD, ask(1, 8, 4)), two)
    assert family.indices(CARDS, found) == [1]
    assert len(family.choose(CARD, CARDS, family.read(CARD, ask(2)), two)) == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [("mthreads.ai/use-gpuuuid", TWO), ("mthreads.ai/nouse-gpuuuid", "n-mthreads-0")],
)
def test_lists(key: str, value: str) -> None:
    found = family.place(CARD, CARDS, ask(1, 8, 4), notes={key: value})
    assert not isinstance(found, str)
    assert found[0][0][0].uuid == (TWO if value == TWO else ONE)


def test_the_annotations_are_those_of_the_plugin() -> None:
    found = family.place(CARD, CARDS, ask(1, 8, 4), {}, notes={"mthreads.ai/use-gpuuuid": TWO})
    assert not isinstance(found, str)
    grants, notes = found
    assert notes["hami.io/mthreads-vgpu-devices-allocated"] == f"{TWO},Mthreads,4096,4:;;"
    assert not [name for name in notes if name.endswith("-to-allocate")]
    assert notes["mthreads.com/gpu-index"] == "2"
    assert notes["mthreads.com/predicate-time"] == "1000000000"
    assert notes["mthreads.com/predicate-node"] == "n"
    assert CARD.recall(notes) == grants
    several = family.place(CARD, CARDS, ask(2))
    assert not isinstance(several, str)
    assert several[1]["mthreads.com/gpu-index"] == "0,1"


def test_quotas_count_units() -> None:
    assert CARD.names.counted == (COUNT, MEMORY, CORES)
    assert CARD.names.in_units(49152) == 96
