from __future__ import annotations

import pytest

from hami_admission.model.card import Card
from tests import build

DEVICE = build.device(0)
EXCESS: dict[str, tuple[Card, str]] = {
    "all is there": (Card(DEVICE, 10, 81920, 100, (1, 1, 0, 1)), ""),
    "instances, with their cores rounded up": (Card(DEVICE, 7, 34048, 105, (1,) * 7), ""),
    "a place": (Card(DEVICE, 11), "11 of 10 places"),
    "memory and cores": (
        Card(DEVICE, 1, 90000, 130),
        "90000 of 81920 MiB, 130 of 100 cores",
    ),
    "units": (Card(DEVICE, units=(1, 2, 1, 3)), "units 1 3 twice"),
}


@pytest.mark.parametrize("name", EXCESS)
def test_what_more_is_given_out_than_there_is(name: str) -> None:
    card, text = EXCESS[name]
    assert (card.excess, card.exceeded) == (text, bool(text))
