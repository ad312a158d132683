"""The ids that the kubelet is offered, and which of them we would like it to take."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.node import ids
from hami_admission.node.ids import Offer
from tests import build
from tests.node.cards import uuid

A, B, C = uuid(0), uuid(1), uuid(2)
INSTANCE = "MIG-0a1b2c3d-0000-4000-8000-000000000000"
OLD_INSTANCE = "MIG-GPU-0a1b2c3d-0000-4000-8000-000000000000/1/0"


def test_a_card_has_as_many_ids_as_slots_and_an_instance_one() -> None:
    assert ids.of(A, 3) == (f"{A}-0", f"{A}-1", f"{A}-2")
    assert ids.of(INSTANCE, 3) == (INSTANCE,)
    assert all(len(each) <= 63 for each in ids.of(A, 1000))


CARDS = {
    "one of ours": (f"{A}-7", A),
    "the last there can be": (f"{A}-999", A),
    "a bare uuid, its last part all digits": (A, A),
    "a replica as time slicing names them": (f"{A}::3", A),
    "an instance": (INSTANCE, INSTANCE),
    "an instance with a short name": ("MIG-1", "MIG-1"),
    "an instance of an old driver": (OLD_INSTANCE, OLD_INSTANCE),
    "a short name": ("GPU-a-0", "GPU-a"),
    "no name at all": ("", ""),
    "a number that is none": (f"{A}-x", f"{A}-x"),
}


@pytest.mark.parametrize("sentence", CARDS)
def test_the_card_of_an_id(sentence: str) -> None:
    text, expected = CARDS[sentence]
    assert ids.card(text) == expected


@given(st.uuids(), st.integers(1, 1000))
def test_round_trip(number: object, slots: int) -> None:
    for prefix in ("GPU", "MIG"):
        assert {ids.card(each) for each in ids.of(f"{prefix}-{number}", slots)} == {
            f"{prefix}-{number}"
        }


def test_offers_say_how_the_card_is_and_where() -> None:
    devices = (build.device(0, slots=2), build.device(1, slots=1, healthy=False))
    assert ids.offered(devices, {"GPU-n-1": 1}) == (
        Offer("GPU-n-0-0", True),
        Offer("GPU-n-0-1", True),
        Offer("GPU-n-1-0", False, 1),
    )
    assert {each.numa for each in ids.offered(devices)} == {None}


def of(*cards: str, slots: int = 3) -> list[str]:
    """All ids of some cards, mixed."""
    return [each for some in zip(*(ids.of(card, slots) for card in cards), strict=True)
            for each in some]  # fmt: skip


PREFERRED: dict[str, tuple[list[str], list[str], list[str], int, list[str]]] = {
    "the wanted card": (of(A, B, C), [], [B], 1, [f"{B}-0"]),
    "the wanted cards in their order": (of(A, B, C), [], [C, A], 2, [f"{C}-0", f"{A}-0"]),
    "a card wanted twice, for two instances": (of(A, B), [], [B, B], 2, [f"{B}-0", f"{B}-1"]),
    "what must be in serves the wish": (
        of(A, B, C), [f"{B}-2"], [B, A], 2, [f"{B}-2", f"{A}-0"],
    ),
    "what must be in serves one wish of two": (
        of(A, B), [f"{B}-2"], [B, B], 2, [f"{B}-2", f"{B}-0"],
    ),
    "more must be in than is asked for": (of(A), [f"{A}-0", f"{A}-1"], [], 1, [f"{A}-0"]),
    "what must be in and is not wanted": (
        of(A, B, C), [f"{A}-1"], [C], 2, [f"{A}-1", f"{C}-0"],
    ),
    "no wish: cards that differ": (
        of(A, B, C), [], [], 4, [f"{A}-0", f"{B}-0", f"{C}-0", f"{A}-1"],
    ),
    "no wish: the card with the most ids left": (
        [f"{A}-0", f"{B}-1", f"{B}-2"], [], [], 1, [f"{B}-1"],
    ),
    "a wanted card without a free id: another card": ([f"{A}-0"], [], [B], 1, [f"{A}-0"]),
    "a wanted card that is not here": (of(A), [], ["GPU-x"], 1, [f"{A}-0"]),
    "more wishes than ids asked for": (of(A, B, C), [], [C, B], 1, [f"{C}-0"]),
    "fewer ids than asked for": ([f"{A}-0"], [], [A], 3, [f"{A}-0"]),
    "ten comes after nine": ([f"{A}-10", f"{A}-9"], [], [], 1, [f"{A}-9"]),
    "none": (of(A), [], [A], 0, []),
}  # fmt: skip


@pytest.mark.parametrize("sentence", PREFERRED)
def test_preferred(sentence: str) -> None:
    available, must, wanted, size, expected = PREFERRED[sentence]
    assert ids.preferred(available, must, wanted, size) == tuple(expected)


NAMES = tuple(uuid(n) for n in range(5))


@st.composite
def asked(draw: st.DrawFn) -> tuple[list[str], list[str], list[str], int]:
    """What a kubelet may ask; what must be in is available."""
    every = [each for card in NAMES for each in ids.of(card, 4)]
    available = draw(st.lists(st.sampled_from(every), min_size=1, unique=True))
    must = draw(st.lists(st.sampled_from(available), max_size=3, unique=True))
    size = draw(st.integers(len(must), len(available)))
    return available, must, draw(st.lists(st.sampled_from(NAMES), max_size=5)), size


@given(asked(), st.randoms(use_true_random=False))
def test_the_answer_is_whole_and_the_same_for_any_order(
    question: tuple[list[str], list[str], list[str], int], shuffler: object
) -> None:
    available, must, wanted, size = question
    answer = ids.preferred(available, must, wanted, size)
    assert len(answer) == len(set(answer)) == size
    assert set(must) <= set(answer) <= set(available)
    shuffler.shuffle(available)  # type: ignore[attr-defined]
    assert ids.preferred(available, must, wanted, size) == answer


@given(asked())
def test_wishes_are_met_as_far_as_there_are_ids(
    question: tuple[list[str], list[str], list[str], int],
) -> None:
    available, must, _, size = question
    free = Counter(map(ids.card, available))
    wanted = [card for card in NAMES if free[card]][: max(size - len(must), 0)]
    answer = Counter(map(ids.card, ids.preferred(available, must, wanted, size)))
    assert all(answer[card] >= 1 for card in wanted)


@given(asked())
def test_without_wishes_cards_are_used_evenly(
    question: tuple[list[str], list[str], list[str], int],
) -> None:
    available, _, _, size = question
    answer = Counter(map(ids.card, ids.preferred(available, [], [], size)))
    free = Counter(map(ids.card, available))
    most = max((answer[card] for card in free), default=0)
    assert all(answer[card] >= min(most - 1, free[card]) for card in free)
