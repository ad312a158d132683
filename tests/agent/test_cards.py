"""The cards through time: the kubelet and the Node are told, and whoever has a sick card."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from hami_admission.agent.cards import Cards
from hami_admission.agent.desk import Desk
from hami_admission.agent.driver import DriverError
from hami_admission.agent.plugin import Plugin
from hami_admission.agent.register import Register
from hami_admission.agent.scripted import Scripted
from hami_admission.kube import errors
from hami_admission.node.facts import CardEvent, EventKind
from hami_admission.node.options import Options
from hami_admission.node.pods import OwnPod
from hami_admission.wire import keys, registers
from tests.agent.test_plugin import Answers
from tests.agent.test_register import Node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hami_admission.wire.notices import Notice

pytestmark = pytest.mark.virtual_time

SCRIPT = "cards: [{uuid: GPU-0}, {uuid: GPU-1}]"


class Driver(Scripted):
    """A file, and what the test says on top."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.told: asyncio.Queue[CardEvent] = asyncio.Queue()
        self.failure: DriverError | None = None

    async def cards(self) -> Any:
        if self.failure is not None:
            raise self.failure
        return await super().cards()

    async def events(self) -> AsyncIterator[CardEvent]:
        while True:
            yield await self.told.get()


class Pods:
    """One pod that has the first card."""

    def with_card(self, uuid: str) -> list[OwnPod]:
        pod = OwnPod("u", "team", "p", (), asks=False, ended=False)
        return [pod] if uuid == "GPU-0" else []


class Rig:
    def __init__(self, folder: Path, **options: Any) -> None:
        (folder / "script.yaml").write_text(SCRIPT)
        self.now = 1000.0
        self.driver = Driver(folder / "script.yaml")
        settings = {"isolation": "none", "quiet_seconds": 10, "split_count": 2, **options}
        self.cards = Cards("n", self.driver, Options(**settings), Pods(), lambda: self.now)
        self.plugin = Plugin("nvidia.com/gpu", Answers())
        self.node = Node()
        self.told: list[Notice] = []
        self.register = Register(self.node, "n")
        self.desk = Desk.__new__(Desk)

    async def run(self, *events: CardEvent) -> None:
        """Until everybody was told of these."""
        for each in events:
            self.driver.told.put_nowait(each)
        await self.cards.look()
        tasks = [
            asyncio.create_task(
                self.cards.run(self.plugin, self.register, self.desk, self.told.append)
            ),
            asyncio.create_task(self.cards.listen()),
        ]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @property
    def registered(self) -> dict[str, bool]:
        text = self.node.annotations[keys.NVIDIA_REGISTER]
        assert text is not None
        return {device.uuid: device.healthy for device in registers.decode(text)}

    @property
    def healthy(self) -> set[str]:
        return {each.id for each in self.plugin.offers if each.healthy}


def xid(card: str | None = "GPU-0", code: int = 79, at: float = 1000.0) -> CardEvent:
    return CardEvent(card, EventKind.XID, code, at)


async def test_the_cards_are_offered_to_the_kubelet_and_on_the_node(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.run()
    assert rig.healthy == {"GPU-0-0", "GPU-0-1", "GPU-1-0", "GPU-1-1"}
    assert rig.registered == {"GPU-0": True, "GPU-1": True}
    assert set(rig.desk.cards) == {"GPU-0", "GPU-1"}
    assert rig.told == []


async def test_a_sick_card_is_told_to_everybody_and_so_is_its_recovery(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.run(xid())
    assert rig.healthy == {"GPU-1-0", "GPU-1-1"}
    assert rig.registered == {"GPU-0": False, "GPU-1": True}
    assert [(each.about, each.name, each.reason) for each in rig.told] == [
        ("Node", "n", "CardSick"),
        ("Pod", "p", "CardSick"),
    ]
    assert "card GPU-0: Xid 79" in rig.told[0].message
    await rig.run(xid())
    assert len(rig.told) == 2
    rig.now = 1010.0
    await rig.run()
    assert rig.registered == {"GPU-0": True, "GPU-1": True}
    assert [each.reason for each in rig.told[2:]] == ["CardRecovered"]


async def test_a_fault_of_a_program_is_none_of_the_card(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.run(xid(code=31))
    assert rig.registered == {"GPU-0": True, "GPU-1": True}
    assert rig.told == []


async def test_a_driver_that_does_not_answer_leaves_everything_as_it_was(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.run()
    rig.driver.failure = DriverError("away")
    with pytest.raises(DriverError):
        await rig.cards.look()
    rig.driver.failure = None
    await rig.run(xid())
    assert rig.registered == {"GPU-0": False, "GPU-1": True}


async def test_the_kubelet_is_told_though_the_api_server_is_away(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.node.failure = errors.Unreachable(0, "away")
    await rig.run(xid())
    assert rig.healthy == {"GPU-1-0", "GPU-1-1"}
    rig.node.failure = None
    await rig.run()
    assert rig.registered == {"GPU-0": False, "GPU-1": True}


async def test_other_settings_are_taken_while_it_runs(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.run()
    rig.cards.use(Options(isolation="none", split_count=1, hidden_uuids=("GPU-1",)))
    await rig.run()
    assert rig.healthy == {"GPU-0-0"}
    assert rig.registered == {"GPU-0": True}


async def test_without_the_isolation_library_no_card_is_offered(tmp_path: Path) -> None:
    rig = Rig(tmp_path, isolation="library", hook_path=str(tmp_path))
    await rig.run()
    assert (rig.healthy, rig.registered) == (set(), {})
    (tmp_path / "vgpu").mkdir()
    for name in ("libvgpu.so", "ld.so.preload"):
        (tmp_path / "vgpu" / name).touch()
    await rig.run()
    assert rig.registered == {"GPU-0": True, "GPU-1": True}
