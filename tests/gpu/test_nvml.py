"""The NVML driver on the cards of this machine; for `make test-gpu`, where there are any."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from hami_admission.agent.nvml import Nvml
from hami_admission.model.instance import Place
from hami_admission.node import inventory, links
from hami_admission.node.options import Options
from hami_admission.wire import keys, registers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture
async def driver() -> AsyncIterator[Nvml]:
    made = await Nvml.start()
    yield made
    await made.close()


async def test_the_cards_and_what_would_be_registered(
    driver: Nvml, capsys: pytest.CaptureFixture[str]
) -> None:
    cards = await driver.cards()
    assert cards
    options = Options(mode="mig" if cards[0].mig else "hami-core")
    found = inventory.build(cards, options, {})
    notes = inventory.published(found, options)
    with capsys.disabled():
        sys.stdout.writelines(f"\n{key}: {value}" for key, value in notes.items())
    text = notes[keys.NVIDIA_REGISTER]
    assert text is not None
    assert len(registers.decode(text)) == len(cards)
    assert links.scores(cards).asymmetric == ()
    for card in cards:
        assert card.uuid.startswith("GPU-")
        assert card.memory_mib is None or card.memory_mib > 0


async def test_a_card_is_cut_and_whole_again(driver: Nvml) -> None:
    """Where a card is in MIG mode, and nothing is on it."""
    for card in await driver.cards():
        if card.profiles and not card.instances:
            profile = card.profiles[0]
            place = Place(card.uuid, profile.name, *profile.places[0])
            await driver.make(place)
            (made,) = (await driver.cards())[card.index].instances
            assert (made.place, made.uuid[:4]) == (place, "MIG-")
            await driver.destroy(made)
            assert (await driver.cards())[card.index].instances == ()


async def test_what_is_used(driver: Nvml) -> None:
    loads = {load.uuid: load for load in await driver.usage()}
    for card in await driver.cards():
        load = loads[card.uuid]
        if load.memory_used is not None and load.memory_size is not None:
            assert 0 <= load.memory_used <= load.memory_size


async def test_events_can_be_waited_for(driver: Nvml) -> None:
    """Healthy cards say nothing for as long as one wait lasts."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(7):
            async for each in driver.events():
                pytest.fail(f"a card said {each}")
