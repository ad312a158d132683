"""Registers round-trip, and no text does worse than Malformed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.wire import registers
from hami_admission.wire.errors import Malformed
from tests import strategies

if TYPE_CHECKING:
    from hami_admission.model.device import Device

JSON = strategies.json_of(("id", "index", "count", "devmem", "type", "health"))
LETTERS = "GPU-a0123456789,,,,,,:true\n[] "


@given(strategies.node_devices)
def test_round_trip(devices: tuple[Device, ...]) -> None:
    assert registers.decode(registers.encode(devices)) == devices
    assert registers.decode(registers.encode(devices[::-1])) == devices


@given(
    st.text()
    | st.text(LETTERS, max_size=60)
    | st.lists(JSON, max_size=3).map(lambda cards: msgspec.json.encode(cards).decode())
)
def test_any_text(text: str) -> None:
    with suppress(Malformed):
        cards = registers.decode(text)
        assert all(card.uuid and card.memory_mib >= 0 for card in cards)
        assert cards == tuple(sorted(cards, key=lambda card: (card.index, card.uuid)))
