"""What containers use, whose it is by the kubelet's word, and the feedback that they get."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hami_admission.agent.cards import Cards
from hami_admission.agent.monitor import Monitor
from hami_admission.agent.podresources import Holding, Unanswered
from hami_admission.agent.scripted import Scripted
from hami_admission.node import region, response
from hami_admission.node.admissions import Need
from hami_admission.node.options import Options
from hami_admission.node.pods import OwnPod
from hami_admission.node.usage import Owner
from tests.node import regions as made

if TYPE_CHECKING:
    from pathlib import Path

POD = OwnPod("uid", "team", "p", (Need("main", ("GPU-a",)),), asks=False, ended=False)
OLD = OwnPod("old", "team", "of-hami", (Need("main", ("GPU-a",)),), asks=False, ended=False)


class Pods:
    def __init__(self, *pods: OwnPod) -> None:
        self.pods = pods

    def all(self) -> tuple[OwnPod, ...]:
        return self.pods

    def by_name(self, namespace: str, name: str) -> OwnPod | None:
        return next((pod for pod in self.pods if pod.name == name), None)

    def with_card(self, uuid: str) -> list[OwnPod]:
        return []


class Kubelet:
    def __init__(self, *holdings: Holding) -> None:
        self.given = list(holdings)
        self.away = False

    async def holdings(self) -> list[Holding]:
        if self.away:
            raise Unanswered("away")
        return self.given


class Rig:
    def __init__(self, folder: Path) -> None:
        self.root = folder / "vgpu" / "containers"
        self.root.mkdir(parents=True)
        script = folder / "script.yaml"
        script.write_text("cards: [{uuid: GPU-a, usedMiB: 100, utilization: 40}]")
        driver = Scripted(script)
        options = Options(hook_path=str(folder), isolation="none")
        held = Holding("team", "p", "main", "nvidia.com/gpu", frozenset({"GPU-a-0"}))
        pods = Pods(POD, OLD)
        self.kubelet = Kubelet(held)
        self.cards = Cards("n", driver, options, pods, lambda: 0.0)
        self.monitor = Monitor(driver, self.cards, pods, self.kubelet)

    def put(self, folder: str, data: bytes) -> Path:
        (self.root / folder).mkdir()
        path = self.root / folder / "x.cache"
        path.write_bytes(data)
        return path

    async def look(self) -> bool:
        await self.cards.look()
        self.cards.decide()
        return await self.monitor.look()


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def test_a_region_belongs_to_who_has_the_devices_of_its_folder(rig: Rig) -> None:
    value = made.new()
    made.join(value, 7, data=5 << 20)
    rig.put(response.folder(["GPU-a-0"]), made.file(value))
    rig.put("old_main", made.file(made.new()))
    rig.put(response.folder(["GPU-a-9"]), made.file(made.new()))
    assert await rig.look()
    owners = {row.owner for row in rig.monitor.table.rows}
    assert owners == {
        Owner("team", "p", "uid", "main"),
        Owner("team", "of-hami", "old", "main"),
    }
    (row,) = (row for row in rig.monitor.table.rows if row.owner.pod == "p")
    assert row.memory_used == 5 << 20
    assert rig.monitor.table.regions["ownerless"] == 1
    (card,) = rig.monitor.table.cards
    assert (card.uuid, card.memory_used, card.utilization) == ("GPU-a", 100 << 20, 40)


async def test_feedback_is_written_and_nobody_waits_when_we_go(rig: Rig) -> None:
    file = rig.put(response.folder(["GPU-a-0"]), made.file(made.new(recent_kernel=-1)))
    await rig.look()
    found = region.read(file.read_bytes())
    assert found is not None
    assert found.recent_kernel == 0
    file.write_bytes(made.file(made.new(recent_kernel=-1)))
    rig.monitor.release()
    found = region.read(file.read_bytes())
    assert found is not None
    assert (found.recent_kernel, found.utilization_switch) == (0, 1)


async def test_without_a_region_the_kubelet_is_not_asked(rig: Rig) -> None:
    rig.kubelet.away = True
    assert not await rig.look()
    assert rig.monitor.table.rows == ()
    rig.put("any", made.file(made.new()))
    with pytest.raises(Unanswered):
        await rig.look()
