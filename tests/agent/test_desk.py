"""What the kubelet is answered: which devices, which environment, may a container start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from hami_admission.agent.desk import Desk
from hami_admission.agent.podresources import PodResources
from hami_admission.node import ids, response
from hami_admission.node.admissions import Admissions, Need
from hami_admission.node.options import Options
from hami_admission.node.pods import OwnPod
from tests.agent.kubelet import StandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEVICES = [device for uuid in ("GPU-a", "GPU-b", "GPU-c") for device in ids.of(uuid, 2)]


class Known:
    """The pods of the node."""

    def __init__(self) -> None:
        self.pods: list[OwnPod] = []

    def by_name(self, namespace: str, name: str) -> OwnPod | None:
        return next(
            (pod for pod in self.pods if (pod.namespace, pod.name) == (namespace, name)), None
        )


class Rig:
    def __init__(self, folder: Path, options: Options) -> None:
        self.admissions = Admissions()
        self.known = Known()
        self.mismatches: list[tuple[str, str]] = []
        self.desk = Desk(
            self.admissions,
            self.known,
            PodResources(folder / "kubelet.sock"),
            lambda pod, text: self.mismatches.append((pod.name, text)),
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
    assert rig.mismatches == [("p", "container main was given GPU-b and has GPU-a annotated")]


async def test_who_has_its_cards_or_is_not_known_starts(rig: Rig, stand_in: StandIn) -> None:
    rig.pod("p", Need("main", ("GPU-a",)))
    stand_in.has("p", "main", "GPU-a-1")
    stand_in.has("stranger", "main", "GPU-b-0")
    assert await rig.desk.objection(["GPU-a-1"]) == ""
    assert await rig.desk.objection(["GPU-b-0"]) == ""
    assert await rig.desk.objection(["GPU-c-0"]) == ""
    assert rig.mismatches == []


async def test_a_kubelet_that_does_not_say_keeps_nobody_from_starting(rig: Rig) -> None:
    rig.pod("p", Need("main", ("GPU-a",)))
    assert await rig.desk.objection(["GPU-b-0"]) == ""


async def test_by_environment_the_devices_decide_nothing(rig: Rig, stand_in: StandIn) -> None:
    rig.desk.options = Options()
    rig.pod("p", Need("main", ("GPU-a",)))
    stand_in.has("p", "main", "GPU-b-0")
    assert await rig.desk.objection(["GPU-b-0"]) == ""
