"""A machine that is a file: what it says, what befalls it, what is wrong with it."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from hami_admission.agent.driver import DriverError
from hami_admission.agent.scripted import Scripted, parse
from hami_admission.model.instance import Place
from hami_admission.node.facts import CardEvent, EventKind, Level

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
cards:
- {uuid: GPU-0, memoryMiB: 1000, usedMiB: 10, utilization: 50}
- {uuid: GPU-1, name: H100, numa: 1, mig: true, profiles: [
    {name: 1g.5gb, memoryMiB: 5, multiprocessors: 14, slices: 1, instances: 7, places: [[0, 1]]}]}
links:
- {cards: [GPU-0, GPU-1], nvlinks: 2, level: single-switch}
events:
- {after: 0.1, card: GPU-1, kind: ecc, code: 2}
sick:
- {card: GPU-0, kind: xid, code: 79}
"""


async def events(driver: Scripted, count: int) -> list[CardEvent]:
    found = []
    async with asyncio.timeout(5):
        async for each in driver.events():
            found.append(each)
            if len(found) == count:
                break
    return found


async def test_cards_links_and_use(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(FILE)
    driver = Scripted(path)
    first, second = await driver.cards()
    assert (first.uuid, first.index, first.memory_mib, first.numa) == ("GPU-0", 0, 1000, 0)
    assert first.levels == (("GPU-1", Level.SINGLE_SWITCH),)
    assert first.nvlinks == (second.bus_id,) * 2
    assert (second.name, second.mig, second.profiles[0].multiprocessors) == ("H100", True, 14)
    load, _ = await driver.usage()
    assert (load.memory_used, load.memory_size, load.utilization) == (10 << 20, 1000 << 20, 50)


async def test_what_befalls_cards_and_what_lasts_as_long_as_it_stands_there(
    tmp_path: Path,
) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(FILE)
    driver = Scripted(path)
    found = await events(driver, 3)
    kinds = [(each.card, each.kind, each.code) for each in found]
    assert kinds.count(("GPU-0", EventKind.XID, 79)) == 2
    assert kinds.count(("GPU-1", EventKind.ECC, 2)) == 1
    path.write_text("cards: [{uuid: GPU-9}]\nsick: [{card: null, kind: lost}]\n")
    (event,) = await events(driver, 1)
    assert (event.card, event.kind) == (None, EventKind.LOST)
    assert [card.uuid for card in await driver.cards()] == ["GPU-9"]


async def test_cards_are_cut_as_the_file_allows_and_stay_so(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(FILE)
    place = Place("GPU-1", "1g.5gb", 0, 1)
    await Scripted(path).make(place)
    driver = Scripted(path)  # as after a restart of the agent
    (instance,) = (await driver.cards())[1].instances
    assert (instance.place, instance.uuid[:4]) == (place, "MIG-")
    assert (await driver.cards())[0].instances == ()
    for refused in (
        place,
        msgspec.structs.replace(place, start=1),
        msgspec.structs.replace(place, card="GPU-0"),
    ):
        with pytest.raises(DriverError, match=re.escape(str(refused))):
            await driver.make(refused)
    await driver.destroy(instance)
    assert (await driver.cards())[1].instances == ()


async def test_a_file_that_turns_wrong_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text("cards: [{uuid: GPU-0}]")
    driver = Scripted(path)
    path.write_text("cards: [")
    assert [card.uuid for card in await driver.cards()] == ["GPU-0"]


WRONG = {
    "no YAML": ("cards: [", "while parsing"),
    "a misspelt key": ("cards: [{uuid: a, memory: 1}]", r"\$.cards\[0\]"),
    "a card without a uuid": ("cards: [{}]", "uuid"),
    "another kind of event": ("events: [{card: a, kind: bad}]", r"\$.events\[0\].kind"),
    "a level that there is not": ("links: [{cards: [a, b], level: far}]", r"\$.links\[0\].level"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(case: tuple[str, str]) -> None:
    text, expected = case
    with pytest.raises(DriverError, match=expected):
        parse(text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match=r"nowhere\.yaml"):
        Scripted(tmp_path / "nowhere.yaml")
