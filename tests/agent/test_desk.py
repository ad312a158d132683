"""What the kubelet is answered: which devices, which environment, may a container start."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from hami_admission.agent import desk, podresources
from hami_admission.agent.desk import Desk
from hami_admission.agent.podresources import PodResources
from hami_admission.node import ids, response
from hami_admission.node.admissions import Admissions, Need
from hami_admission.node.options import Options
from hami_admission.node.pods import OwnPod
from hami_admission.node.starting import NotPlaced, OtherCards
from tests.agent.kubelet import StandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hami_admission.agent.podresources import Holding
    from hami_admission.node.options import Decides
    from hami_admission.node.starting import Objection

DEVICES = [device for uuid in ("GPU-a", "GPU-b", "GPU-c") for device in ids.of(uuid, 2)]


class Known:
    """The pods of the node."""

    def __init__(self) -> None:
        self.pods: list[OwnPod] = []
        self.listed = True

    def by_name(self, namespace: str, name: str) -> OwnPod | None:
        return next(
            (pod for pod in self.pods if (pod.namespace, pod.name) == (namespace, name)), None
        )


class Rig:
    def __init__(self, folder: Path, options: Options) -> None:
        self.admissions = Admissions()
        self.known = Known()
        self.refused: list[tuple[str, Objection]] = []
        self.desk = Desk(
            self.admissions,
            self.known,
            PodResources(folder / "kubelet.sock"),
            lambda pod, objection, _: self.refused.append((pod.name, objection)),
        )
        self.desk.options = options

    def pod(self, name: str, *needs: Need) -> None:
        self.known.pods.append(OwnPod(name, "team", name, needs, asks=True, ended=False))
        self.admissions.bound(name, needs)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path, Options(hook_path=str(tmp_path), decides="devices"))


@pytest_asyncio.fixture
async def stand_in(tmp_path: Path) -> AsyncIterator[StandIn]:
    async with StandIn(tmp_path) as kubelet:
        yield kubelet


def test_the_devices_of_the_pod_whose_turn_it_is_are_preferred(rig: Rig) -> None:
    rig.pod("p", Need("main", ("GPU-c",)))
    assert rig.desk.preferred(DEVICES, [], 1) == ["GPU-c-0"]
    rig.desk.options = Options(preferred_allocation=False)
    assert rig.desk.preferred(DEVICES, [], 1) == ["GPU-a-0"]


def test_who_was_served_is_not_asked_for_again(rig: Rig) -> None:
    rig.pod("p", Need("main", ("GPU-c",)))
    rig.pod("q", Need("main", ("GPU-b",)))
    rig.desk.allocate(["GPU-c-0"])
    assert rig.desk.preferred(DEVICES, [], 1) == ["GPU-b-0"]


def test_a_container_has_a_folder_of_its_own_that_is_empty(rig: Rig, tmp_path: Path) -> None:
    found = rig.desk.allocate(["GPU-a-0"])
    (folder,) = (
        each.host for each in found.mounts if not each.read_only and "containers" in each.host
    )
    path = Path(folder)
    assert path.is_relative_to(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o777
    (path / "left by who had it before").touch()
    again = rig.desk.allocate(["GPU-a-0"])
    assert list(path.iterdir()) == []
    files = {each.environment["CUDA_DEVICE_MEMORY_SHARED_CACHE"] for each in (found, again)}
    assert len(files) == 2  # containers of one pod may be given the same devices, one after another
    assert Path(response.LOCKS).stat().st_mode & 0o777 == 0o777


def test_without_isolation_nothing_is_written(rig: Rig, tmp_path: Path) -> None:
    rig.desk.options = Options(hook_path=str(tmp_path), isolation="none")
    rig.desk.allocate(["GPU-a-0"])
    assert list(tmp_path.iterdir()) == []


def test_who_disables_the_control_is_not_preloaded(rig: Rig) -> None:
    rig.pod("p", Need("main", ("GPU-a",), controlled=False))
    found = rig.desk.allocate(["GPU-a-0"])
    assert response.PRELOAD not in {each.container for each in found.mounts}
    assert response.PRELOAD in {each.container for each in rig.desk.allocate(["GPU-b-0"]).mounts}


async def test_a_container_on_other_cards_than_its_own_does_not_start(
    rig: Rig, stand_in: StandIn
) -> None:
    rig.pod("p", Need("main", ("GPU-a",)))
    stand_in.has("p", "main", "GPU-b-0")
    objection = await rig.desk.objection(["GPU-b-0"])
    assert objection.startswith("container main was given GPU-b and has GPU-a annotated")
    assert rig.refused == [("p", OtherCards("main", ("GPU-b",), ("GPU-a",)))]


@pytest.mark.parametrize("decides", ["devices", "environment"])
async def test_a_container_that_nobody_placed_does_not_start(
    rig: Rig, stand_in: StandIn, decides: Decides
) -> None:
    rig.desk.options = Options(decides=decides)
    rig.pod("stranger")
    stand_in.has("stranger", "main", "GPU-b-0")
    objection = await rig.desk.objection(["GPU-b-0"])
    assert "its pod was not placed by hami-admission" in objection
    assert rig.refused == [("stranger", NotPlaced("main"))]


@pytest.mark.parametrize("decides", ["devices", "environment"])
async def test_a_pod_of_an_older_version_of_hami_was_placed(
    rig: Rig, stand_in: StandIn, decides: Decides
) -> None:
    """Its entries were not one for each container."""
    rig.desk.options = Options(decides=decides)
    rig.pod("p", Need("init", ("GPU-a",)))
    stand_in.has("p", "main", "GPU-a-1")
    assert await rig.desk.objection(["GPU-a-1"]) == ""


async def test_who_has_its_cards_starts(rig: Rig, stand_in: StandIn) -> None:
    rig.pod("p", Need("main", ("GPU-a",)))
    stand_in.has("p", "main", "GPU-a-1")
    assert await rig.desk.objection(["GPU-a-1"]) == ""
    assert await rig.desk.objection(["GPU-c-0"]) == ""
    assert rig.refused == []


async def test_who_is_not_known_yet_is_waited_for(rig: Rig, stand_in: StandIn) -> None:
    stand_in.has("p", "main", "GPU-a-0")
    asking = asyncio.create_task(rig.desk.objection(["GPU-a-0"]))
    await asyncio.sleep(0.15)
    rig.pod("p", Need("main", ("GPU-a",)))
    assert await asking == ""
    stand_in.has("never", "main", "GPU-b-0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk, "LOOKS", 1)
        assert "not known to the agent of this node yet" in await rig.desk.objection(["GPU-b-0"])


async def test_before_the_pods_of_the_node_are_listed_nobody_is_kept(
    rig: Rig, stand_in: StandIn
) -> None:
    rig.known.listed = False
    stand_in.has("stranger", "main", "GPU-b-0")
    assert await rig.desk.objection(["GPU-b-0"]) == ""
    assert rig.desk.unchecked == 1


async def test_a_kubelet_that_does_not_say_keeps_nobody_from_starting(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(podresources, "AGAIN_SECONDS", 0)
    rig.pod("p")
    assert await rig.desk.objection(["GPU-b-0"]) == ""
    assert rig.desk.unchecked == 1


async def test_by_environment_the_devices_decide_nothing(rig: Rig, stand_in: StandIn) -> None:
    rig.desk.options = Options()
    rig.pod("p", Need("main", ("GPU-a",)))
    stand_in.has("p", "main", "GPU-b-0")
    assert await rig.desk.objection(["GPU-b-0"]) == ""


async def test_who_asks_at_once_is_answered_by_one_question(
    rig: Rig, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But by none that was begun before."""
    rig.pod("p", Need("main", ("GPU-a",)))
    asked = 0
    holdings = PodResources.holdings

    async def counted(self: PodResources) -> list[Holding]:
        nonlocal asked
        asked += 1
        found = await holdings(self)
        stand_in.has("late", "main", "GPU-b-1")
        return found

    monkeypatch.setattr(PodResources, "holdings", counted)
    rig.pod("late")
    stand_in.has("p", "main", "GPU-a-0")
    found = await asyncio.gather(
        *(rig.desk.objection(["GPU-a-0"]) for _ in range(20)), rig.desk.objection(["GPU-b-1"])
    )
    assert [bool(each) for each in found] == [False] * 20 + [True]
    assert asked == 2
