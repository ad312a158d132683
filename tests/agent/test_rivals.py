"""Another plugin for our resource is seen by what the kubelet gives out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.agent.kubelet import Kubelet
from hami_admission.agent.plugin import Plugin
from hami_admission.agent.podresources import PodResources
from hami_admission.agent.rivals import Rivals
from hami_admission.node.ids import Offer
from tests.agent.kubelet import StandIn
from tests.agent.test_plugin import Answers

if TYPE_CHECKING:
    from pathlib import Path

    from hami_admission.wire.notices import Notice


async def test_devices_that_we_never_offered_are_another_plugins(tmp_path: Path) -> None:
    told: list[Notice] = []
    plugin = Plugin("nvidia.com/gpu", Answers())
    await plugin.offer([Offer("a", healthy=True)])
    resources = PodResources(tmp_path / "kubelet.sock")
    rivals = Rivals("n", resources, plugin, Kubelet(tmp_path, [plugin]), told.append)
    assert not await rivals.look()  # a kubelet that does not answer says nothing
    async with StandIn(tmp_path) as kubelet:
        kubelet.foreign = ["a"]
        assert not await rivals.look()
        kubelet.foreign = ["GPU-1", "GPU-2", "a"]
        assert await rivals.look()
        assert rivals.found == 2
        (notice,) = told
        assert (notice.about, notice.name, notice.reason) == ("Node", "n", "OtherDevicePlugin")
        assert "GPU-1 and 1 more" in notice.message
        kubelet.foreign = ["a"]
        assert not await rivals.look()
        assert rivals.found == 0
