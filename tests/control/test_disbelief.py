"""What stands in our annotations and is not believed is told, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.control.disbelief import Disbelief
from hami_admission.settings import Settings
from hami_admission.wire import keys, quotas
from tests import build

if TYPE_CHECKING:
    from hami_admission.wire.notices import Notice

FORGED = {keys.NVIDIA_ALLOCATED: "GPU-n-0,NVIDIA,81920,100:;"}


def told(cluster: Cluster) -> tuple[Disbelief, list[Notice]]:
    """Somebody who looks, and what was said."""
    heard: list[Notice] = []
    return Disbelief(cluster, heard.append), heard


def test_cards_that_a_pod_does_not_ask_for_are_told_once_and_cost_nothing() -> None:
    cluster = Cluster(Settings())
    looks, heard = told(cluster)
    pod = build.pod(build.container(), name="p", uid="u", nodeName="n", annotations=FORGED)
    cluster.apply(events.PodSeen(pod), 0)
    (record,) = cluster.records()
    assert (dict(record.amounts.items()), dict(record.held.items())) == ({}, {})
    for _ in range(3):
        looks.look()
    (notice,) = heard
    assert (notice.about, notice.name, notice.reason) == ("Pod", "p", "CardsNotAskedFor")
    assert "GPU-n-0" in notice.message
    cluster.apply(events.PodGone("u"), 0)
    looks.look()
    cluster.apply(events.PodSeen(pod), 0)
    looks.look()
    assert len(heard) == 2


def test_what_a_pod_has_and_cannot_be_read_is_told_until_it_is_put_right() -> None:
    cluster = Cluster(Settings())
    looks, heard = told(cluster)
    cluster.apply(events.NodeSeen(build.facts("n", 2)), 0)
    asks = build.container(limits=build.gpu(1, memory=1))

    def see(text: str) -> None:
        notes = {keys.NVIDIA_ALLOCATED: text}
        pod = build.pod(asks, name="p", uid="u", nodeName="n", annotations=notes)
        cluster.apply(events.PodSeen(pod), 0)
        looks.look()

    for _ in range(3):
        see("GPU-n-0,NVIDIA,x,0:;")
    (notice,) = heard
    assert (notice.about, notice.name, notice.reason) == ("Pod", "p", "CardsUnreadable")
    assert notice.message == (
        "annotations that say which NVIDIA cards pod team/p has cannot be read: nobody else is"
        " given GPU-n-0; put them right, or delete the pod"
    )
    see("GPU-n-0")
    assert "no such card of node n is given to new pods" in heard[1].message
    see("GPU-n-0,NVIDIA,1,0:;")
    assert len(heard) == 2
    for _ in range(2):
        see("GPU-n-0")
    assert "it keeps what it was seen to hold before" in heard[2].message
    assert len(heard) == 3


def test_a_mark_that_came_with_a_copy_is_told_once() -> None:
    cluster = Cluster(Settings())
    looks, heard = told(cluster)
    quota = quotas.decode(msgspec.json.encode(build.quota_json(version="9", gpumem=7)))
    cluster.apply(events.QuotaSeen(msgspec.structs.replace(quota, counted=10)), 0)
    for _ in range(3):
        looks.look()
    (notice,) = heard
    assert (notice.about, notice.name) == ("ResourceQuota", "quota")
    assert notice.reason == "QuotaMarkIgnored"


def test_a_card_that_two_nodes_say_they_have_is_told_on_both_until_it_is_not() -> None:
    cluster = Cluster(Settings())
    looks, heard = told(cluster)
    cluster.apply(events.NodeSeen(build.facts("a", 2)), 0)
    looks.look()
    same = msgspec.structs.replace(build.facts("a", 2), name="b")
    cluster.apply(events.NodeSeen(same), 0)
    for _ in range(3):
        looks.look()
    found = {(each.about, each.name, each.cause) for each in heard}
    assert found == {("Node", node, f"GPU-a-{n}") for node in "ab" for n in range(2)}
    assert len(heard) == 4
    assert "registered by b as well" in next(e for e in heard if e.name == "a").message
    cluster.apply(events.NodeSeen(build.facts("b", 2)), 0)
    looks.look()
    assert (len(heard), cluster.twice) == (4, {})
    cluster.apply(events.NodeSeen(same), 0)
    cluster.apply(events.NodeGone("a"), 0)
    looks.look()
    assert (len(heard), cluster.twice) == (4, {})
