"""Predicates about one card, in upstream's order (facts 6.2)."""

from __future__ import annotations

import pytest

from hami_admission.model.card import Card
from hami_admission.model.request import Request
from hami_admission.model.verdict import Reason
from hami_admission.model.wishes import Selection
from hami_admission.vendors import checks
from tests import build

REQUEST = Request("NVIDIA", 1, 2000, 100, 0)
ANY = Selection()

CASES: dict[str, tuple[Card, Selection, Reason | None]] = {
    "a healthy idle card": (Card(build.device()), ANY, None),
    "a sick card": (Card(build.device(healthy=False)), ANY, Reason.CARD_NOT_HEALTH),
    "an unwanted type": (
        Card(build.device()),
        Selection(types=("h200",)),
        Reason.CARD_TYPE_MISMATCH,
    ),
    "an unwanted card": (
        Card(build.device()),
        Selection(not_uuids=frozenset({"GPU-n-0"})),
        Reason.CARD_UUID_MISMATCH,
    ),
    "the last slot": (Card(build.device(slots=10), slots=9), ANY, None),
    "no slot left": (Card(build.device(slots=10), slots=10), ANY, Reason.CARD_SLOTS_EXHAUSTED),
    "a card that offers no slots": (Card(build.device(slots=0)), ANY, Reason.CARD_SLOTS_EXHAUSTED),
    "sick comes before unwanted": (
        Card(build.device(healthy=False)),
        Selection(types=()),
        Reason.CARD_NOT_HEALTH,
    ),
    "type comes before uuid": (
        Card(build.device(), slots=10),
        Selection(types=(), uuids=frozenset()),
        Reason.CARD_TYPE_MISMATCH,
    ),
    "uuid comes before slots": (
        Card(build.device(), slots=10),
        Selection(uuids=frozenset()),
        Reason.CARD_UUID_MISMATCH,
    ),
}


@pytest.mark.parametrize("sentence", CASES)
def test_common(sentence: str) -> None:
    card, selection, expected = CASES[sentence]
    found = (check(card, REQUEST, selection) for check in checks.COMMON)
    assert next(filter(None, found), None) == expected
