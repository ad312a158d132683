"""Cards beyond what they have: told once, and again when that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.control.excess import Excess
from hami_admission.settings import Settings
from hami_admission.wire import keys
from tests import build

if TYPE_CHECKING:
    from hami_admission.wire.notices import Notice


def holds(name: str, memory: int) -> events.PodSeen:
    notes = {keys.NVIDIA_ALLOCATED: f"GPU-n-0,NVIDIA,{memory},10:;"}
    asks = build.container(limits=build.gpu(1, memory=memory))
    return events.PodSeen(build.pod(asks, name=name, uid=name, nodeName="n", annotations=notes))


def test_told_once_and_again_when_it_changes() -> None:
    cluster = Cluster(Settings())
    told: list[Notice] = []
    excess = Excess(cluster, told.append)
    cluster.apply(events.NodeSeen(build.facts("n", 1)), 0)
    for name in ("a", "b"):
        excess.look()
        assert told == []
        cluster.apply(holds(name, 50000), 0)
    for _ in range(3):
        excess.look()
    (notice,) = told
    assert (notice.about, notice.name, notice.reason) == ("Node", "n", "CardExceeded")
    assert "GPU-n-0: 100000 of 81920 MiB given out, to team/a, team/b" in notice.message
    cluster.apply(holds("c", 50000), 0)
    excess.look()
    assert len(told) == 2
    for name in ("a", "b", "c"):
        cluster.apply(events.PodGone(name), 0)
    excess.look()
    assert len(told) == 2
    for name in ("a", "b"):
        cluster.apply(holds(name, 50000), 0)
    excess.look()
    assert len(told) == 3
