"""Registers round-trip, and no text does worse than Malformed."""

from __future__ import annotations

from contextlib import suppress
from itertools import combinations
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.model.grant import Grant
from hami_admission.wire import grants, registers
from hami_admission.wire.errors import Malformed
from tests import strategies

if TYPE_CHECKING:
    from hami_admission.model.device import Device

JSON = strategies.json_of(("id", "index", "count", "devmem", "type", "health"))
IDS = st.text("GPU-0:.,; ", min_size=1, max_size=12) | st.sampled_from(["0000:03:00.0", "GPU-a"])
SIZES = st.integers(0, 10**12)
CARDS = st.fixed_dictionaries({"id": IDS, "count": SIZES, "devmem": SIZES, "devcore": SIZES})
LETTERS = "GPU-a0123456789,,,,,,:true\n[] "


@given(strategies.node_devices)
def test_round_trip(devices: tuple[Device, ...]) -> None:
    assert registers.decode(registers.encode(devices)) == devices
    assert registers.encode(devices[::-1]) == registers.encode(devices)


@given(
    st.text()
    | st.text(LETTERS, max_size=60)
    | st.lists(JSON, max_size=3).map(lambda cards: msgspec.json.encode(cards).decode())
    | st.lists(CARDS, max_size=3).map(lambda cards: msgspec.json.encode(cards).decode())
)
def test_any_text(text: str) -> None:
    with suppress(Malformed):
        cards = registers.decode(text)
        assert all(card.uuid and card.memory_mib >= 0 for card in cards)
        assert cards == tuple(sorted(cards, key=lambda card: (card.index, card.uuid)))
        # What is accepted can be given out, and read again from the pod that has it.
        given_out = tuple((Grant(each.uuid, "N", each.memory_mib, each.cores),) for each in cards)
        assert grants.decode(grants.encode(given_out)) == given_out


@given(st.lists(strategies.words, max_size=6, unique=True), st.data())
def test_scores_round_trip(uuids: list[str], data: st.DataObject) -> None:
    score = {
        pair: data.draw(st.integers(0, registers.MAX_SCORE))
        for pair in combinations(range(len(uuids)), 2)
    }
    rows = tuple(
        tuple(score.get((min(a, b), max(a, b)), 0) for b in range(len(uuids)))
        for a in range(len(uuids))
    )
    text = registers.encode_scores(tuple(uuids), rows)
    assert registers.decode_scores(text, tuple(uuids)) == rows
