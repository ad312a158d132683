"""The device plugin protocol against its other side, on real sockets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from hami_admission.agent.kubelet import Kubelet
from hami_admission.agent.plugin import Plugin
from hami_admission.agent.podresources import Holding, PodResources, Unanswered
from hami_admission.agent.protocol import deviceplugin_pb2 as v1beta1
from hami_admission.node.ids import Offer
from hami_admission.node.response import Mount, Response
from tests.agent.kubelet import StandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path


class Answers:
    """Says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[str], list[str], int]] = []
        self.problem = ""

    def preferred(self, available: Sequence[str], must: Sequence[str], size: int) -> list[str]:
        self.asked.append((list(available), list(must), size))
        return list(available)[-size:]

    def allocate(self, devices: Sequence[str]) -> Response:
        if "broken" in devices:
            raise RuntimeError("no such device")
        return Response(
            {"GIVEN": ",".join(devices)},
            (Mount("/in", "/out", read_only=False),),
            ("/dev/card0",),
            {"a": "b"},
            ("vendor/class=x",),
        )

    async def objection(self, devices: Sequence[str]) -> str:
        return self.problem


@pytest_asyncio.fixture
async def stand_in(tmp_path: Path) -> AsyncIterator[StandIn]:
    async with StandIn(tmp_path) as kubelet:
        yield kubelet


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest_asyncio.fixture
async def plugin(answers: Answers, tmp_path: Path) -> AsyncIterator[Plugin]:
    """Registered for as long as the test lasts."""
    made = Plugin("nvidia.com/gpu", answers)
    await made.offer([Offer("a", healthy=True), Offer("b", healthy=False, numa=1)])
    kubelet = Kubelet(tmp_path, [made])
    task = asyncio.create_task(kubelet.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await kubelet.stop()
    assert not _sockets(tmp_path)


def _sockets(folder: Path) -> list[Path]:
    return list(folder.glob("hami-*"))


async def test_it_registers_and_tells_what_it_has(stand_in: StandIn, plugin: Plugin) -> None:
    assert await stand_in.heard(1) == {"a": "Healthy", "b": "Unhealthy"}
    (request,) = stand_in.registered
    assert (request.version, request.resource_name) == ("v1beta1", "nvidia.com/gpu")
    assert request.endpoint == "hami-nvidia.com-gpu.sock"
    assert request.options.pre_start_required
    assert request.options.get_preferred_allocation_available
    options = await stand_in.ask(
        "GetDevicePluginOptions", v1beta1.Empty(), v1beta1.DevicePluginOptions
    )
    assert options == request.options


async def test_only_another_list_is_told(stand_in: StandIn, plugin: Plugin) -> None:
    await stand_in.heard(1)
    await plugin.offer([Offer("a", healthy=True), Offer("b", healthy=False, numa=1)])
    await plugin.offer([Offer("a", healthy=False)])
    assert await stand_in.heard(2) == {"a": "Unhealthy"}
    await plugin.offer([])
    assert await stand_in.heard(3) == {}


async def test_every_field_of_the_answers(
    stand_in: StandIn, plugin: Plugin, answers: Answers
) -> None:
    await stand_in.heard(1)
    assert await stand_in.preferred(["a", "b", "c"], 2) == ["b", "c"]
    assert answers.asked == [(["a", "b", "c"], [], 2)]
    found = await stand_in.allocate("a", "b")
    assert dict(found.envs) == {"GIVEN": "a,b"}
    (mount,) = found.mounts
    assert (mount.container_path, mount.host_path, mount.read_only) == ("/in", "/out", False)
    (device,) = found.devices
    assert (device.container_path, device.host_path, device.permissions) == (
        "/dev/card0", "/dev/card0", "rw",
    )  # fmt: skip
    assert dict(found.annotations) == {"a": "b"}
    assert [each.name for each in found.cdi_devices] == ["vendor/class=x"]
    assert plugin.allocations == 1


async def test_a_container_that_must_not_start_is_told_why(
    stand_in: StandIn, plugin: Plugin, answers: Answers
) -> None:
    await stand_in.heard(1)
    assert await stand_in.start("a") == ""
    answers.problem = "on other cards"
    assert await stand_in.start("a") == "on other cards"


async def test_a_call_that_fails_ends_nothing_but_itself(stand_in: StandIn, plugin: Plugin) -> None:
    await stand_in.heard(1)
    with pytest.raises(Exception, match="no such device"):
        await stand_in.allocate("broken")
    assert dict((await stand_in.allocate("a")).envs) == {"GIVEN": "a"}


async def test_another_kubelet_is_registered_at_at_once(stand_in: StandIn, plugin: Plugin) -> None:
    await stand_in.heard(1)
    for count in (2, 3):
        await stand_in.restart()
        await stand_in.registrations(count)
        assert await stand_in.heard(count) == {"a": "Healthy", "b": "Unhealthy"}
        assert dict((await stand_in.allocate("a")).envs) == {"GIVEN": "a"}


async def test_a_socket_that_somebody_deletes_is_made_anew(
    stand_in: StandIn, plugin: Plugin, tmp_path: Path
) -> None:
    await stand_in.heard(1)
    (tmp_path / stand_in.registered[0].endpoint).unlink()
    await stand_in.registrations(2)


async def test_a_kubelet_that_comes_later_is_waited_for(tmp_path: Path, plugin: Plugin) -> None:
    await asyncio.sleep(0.3)  # real time: gRPC works in threads of its own
    async with StandIn(tmp_path) as kubelet:
        assert await kubelet.heard(1) == {"a": "Healthy", "b": "Unhealthy"}


async def test_who_has_what_by_the_kubelets_word(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.has("p", "main", "a", "b")
    resources = PodResources(tmp_path / "kubelet.sock")
    assert await resources.holdings() == [
        Holding("team", "p", "main", "nvidia.com/gpu", frozenset({"a", "b"}))
    ]
    stand_in.foreign = ["x", "y"]
    assert await resources.allocatable("nvidia.com/gpu") == {"x", "y"}
    assert await resources.allocatable("of somebody else") == frozenset()
    with pytest.raises(Unanswered, match="List: UNAVAILABLE"):
        await PodResources(tmp_path / "nobody.sock").holdings()
