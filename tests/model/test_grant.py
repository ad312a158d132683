"""The peak of what a pod holds, with the vectors of facts 23."""

from __future__ import annotations

import pytest

from hami_admission.model.amounts import Amounts
from hami_admission.model.grant import (
    CORES,
    MEMORY,
    SLOTS,
    Grant,
    PodGrants,
    on_cards,
    peak,
    seated,
)
from hami_admission.model.pod import Kind

INIT, SIDECAR, APP = Kind.INIT, Kind.SIDECAR, Kind.APP

MEMORIES: dict[str, tuple[tuple[tuple[Kind, int], ...], int]] = {
    "nothing": ((), 0),
    "apps run together": (((APP, 5000), (APP, 5000)), 10000),
    "a small init container hides behind the apps": (((INIT, 8000), (APP, 10000)), 10000),
    "a large init container is the peak": (((INIT, 20000), (APP, 10000)), 20000),
    "init containers run one after another": (((INIT, 3000), (INIT, 4000), (APP, 1)), 4000),
    "an init container runs beside the sidecar before it": (
        ((SIDECAR, 2000), (INIT, 20000), (APP, 10000)),
        22000,
    ),
    "but not beside the sidecar after it": (
        ((INIT, 20000), (SIDECAR, 2000), (APP, 10000)),
        20000,
    ),
    "apps run beside all sidecars": (((SIDECAR, 2000), (SIDECAR, 3000), (APP, 10000)), 15000),
    "sidecars alone": (((SIDECAR, 2000), (SIDECAR, 3000)), 5000),
}


@pytest.mark.parametrize("sentence", MEMORIES)
def test_peak(sentence: str) -> None:
    slots, expected = MEMORIES[sentence]
    found = peak([kind for kind, _ in slots], [Amounts({MEMORY: mib}) for _, mib in slots])
    assert found[MEMORY] == expected


def test_dimensions_may_peak_at_different_times() -> None:
    found = peak((INIT, APP), [Amounts({"a": 9, "b": 1}), Amounts({"a": 1, "b": 9})])
    assert found == Amounts({"a": 9, "b": 9})


def test_kinds_and_slots_must_match() -> None:
    with pytest.raises(ValueError, match="shorter"):
        peak((INIT, APP), [Amounts({"a": 9})])


def _on(uuid: str, memory: int, cores: int = 0) -> Grant:
    return Grant(uuid, "NVIDIA", memory, cores)


def _card(uuid: str, slots: int, memory: int, cores: int = 0) -> dict[tuple[str, str], int]:
    return {(uuid, SLOTS): slots, (uuid, MEMORY): memory, (uuid, CORES): cores}


CARDS: dict[str, tuple[tuple[Kind, ...], PodGrants, dict[tuple[str, str], int]]] = {
    "one card, init 8000 and two apps of 5000": (
        (INIT, APP, APP),
        ((_on("a", 8000),), (_on("a", 5000),), (_on("a", 5000),)),
        _card("a", 2, 10000),
    ),
    "one card, init 20000 and an app of 10000": (
        (INIT, APP),
        ((_on("a", 20000),), (_on("a", 10000),)),
        _card("a", 1, 20000),
    ),
    "one container on two cards": (
        (APP,),
        ((_on("a", 2000, 30), _on("b", 2000, 30)),),
        {**_card("a", 1, 2000, 30), **_card("b", 1, 2000, 30)},
    ),
    "one container twice on one card": (
        (APP,),
        ((_on("a", 2000, 30), _on("a", 1000, 10)),),
        _card("a", 2, 3000, 40),
    ),
    "containers without cards": ((INIT, APP), ((), ()), {}),
}


@pytest.mark.parametrize("sentence", CARDS)
def test_on_cards(sentence: str) -> None:
    kinds, grants, expected = CARDS[sentence]
    assert on_cards(kinds, grants) == Amounts(expected)


A, B = (_on("a", 1),), (_on("b", 2),)

SEATED: dict[str, tuple[tuple[Kind, ...], tuple[bool, ...], PodGrants, PodGrants]] = {
    "every container has its entry: nothing is moved": (
        (INIT, APP), (True, True), (A, ()), (A, ()),
    ),
    "HAMi 2.10: the empty entries before the first card are missing": (
        (INIT, APP, APP), (False, False, True), (A,), ((), (), A),
    ),
    "HAMi 2.10: the empty entry of the init container is missing": (
        (INIT, APP, APP), (False, True, True), (A, B), ((), A, B),
    ),
    "HAMi 2.7: entries of app containers only": (
        (INIT, APP, APP), (False, False, True), ((), A), ((), (), A),
    ),
    "HAMi 2.7: an init container that asks was given nothing": (
        (INIT, APP), (True, True), (A,), ((), A),
    ),
    "more entries than containers": ((APP,), (True,), (A, ()), (A,)),
    "more cards than containers that ask: held all at once": (
        (INIT, APP, APP), (True, False, False), (A, B), ((), (), A + B),
    ),
    "nobody asks": ((APP, APP), (), (A,), ((), A)),
    "no grants": ((INIT, APP), (False, True), (), ()),
    "no containers": ((), (), (A,), ()),
}  # fmt: skip


@pytest.mark.parametrize("sentence", SEATED)
def test_entries_find_their_containers(sentence: str) -> None:
    kinds, asks, grants, expected = SEATED[sentence]
    assert seated(kinds, asks, grants) == expected
