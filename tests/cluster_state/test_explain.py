"""Explain: every card with its reason, the quota, and the least change that would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.cluster import events, explain
from hami_admission.cluster.changes import Change
from hami_admission.cluster.state import Cluster
from hami_admission.settings import Settings
from hami_admission.wire import keys, quotas, registers
from hami_admission.wire.nodes import NodeFacts
from tests import build

if TYPE_CHECKING:
    from hami_admission.cluster.explain import Explanation
    from hami_admission.model.device import Device

UNLINKED = registers.encode_scores(("GPU-n-0", "GPU-n-1"), ((0, 10), (10, 0)))


def a_cluster(*devices: Device, notes: dict[str, str] | None = None, **quota: Any) -> Cluster:
    made = Cluster(Settings())
    annotations = {keys.NVIDIA_REGISTER: registers.encode(devices), **(notes or {})}
    made.apply(events.NodeSeen(NodeFacts("n", annotations)), 0)
    if quota:
        made.apply(
            events.QuotaSeen(quotas.decode(msgspec.json.encode(build.quota_json(**quota)))), 0
        )
    return made


def explained(
    cluster: Cluster, limits: build.Json, wishes: dict[str, str] | None = None
) -> Explanation:
    pod = build.pod(build.container(limits=limits), uid="u", annotations=wishes)
    cluster.apply(events.PodSeen(pod), 0)
    demand = cluster.demand(pod)
    assert demand is not None
    cluster.plan(pod, demand, ["n"], 5)
    return explain.explain(cluster, "team/p")


def hold(cluster: Cluster, memory: int, cores: int = 0, card: int = 0, name: str = "h") -> None:
    notes = {keys.NVIDIA_ALLOCATED: f"GPU-n-{card},NVIDIA,{memory},{cores}:;"}
    pod = build.pod(build.container(limits=build.gpu(1)), name=name, uid=name, namespace="other",
                    nodeName="n", annotations=notes)  # fmt: skip
    cluster.apply(events.PodSeen(pod), 0)


TWO = (build.device(0), build.device(1))


def test_each_card_says_what_is_free_and_why_it_does_not_serve() -> None:
    made = a_cluster(build.device(0), build.device(1, healthy=False))
    hold(made, 80000, 30)
    found = explained(made, build.gpu(1, memory=2000))
    assert (found.state, found.node, found.since) == ("refused", "", 5)
    (node,) = found.nodes
    assert node.reason == "1/2 CardInsufficientMemory, 1/2 CardNotHealth"
    assert [(each.index, each.free_slots, each.free_memory_mib, each.free_cores, each.reason)
            for each in node.cards] == [
        (0, 9, 1920, 70, "CardInsufficientMemory"), (1, 10, 81920, 100, "CardNotHealth"),
    ]  # fmt: skip


def test_a_card_whose_use_cannot_be_read_says_so_and_who_has_it() -> None:
    made = a_cluster(*TWO)
    notes = {keys.NVIDIA_ALLOCATED: "GPU-n-0,NVIDIA,x,0:;"}
    asks = build.container(limits=build.gpu(1))
    pod = build.pod(asks, name="h", uid="h", namespace="other", nodeName="n", annotations=notes)
    made.apply(events.PodSeen(pod), 0)
    found = explained(made, build.gpu(2, memory=2000))
    (node,) = found.nodes
    assert node.reason == "1/2 AllocatedCardsInsufficientRequest, 1/2 CardUseUnknown"
    assert [(each.free_slots, each.free_memory_mib, each.free_cores) for each in node.cards] == [
        (0, 0, 0), (10, 81920, 100),
    ]  # fmt: skip
    assert [each.reason for each in node.cards] == ["CardUseUnknown", ""]
    says = (
        "annotations that say which NVIDIA cards pod other/h has cannot be read: nobody else is"
        " given GPU-n-0; put them right, or delete the pod"
    )
    assert found.warnings == [says]
    assert explain.explain(made, "other/h").warnings == [says]


CASES: dict[str, tuple[Cluster, build.Json, dict[str, str], tuple[Change, ...]]] = {
    "less memory": (
        a_cluster(*TWO), build.gpu(1, memory=90000), {},
        (Change("nvidia.com/gpumem", "90000", "at most 81920", "n"),),
    ),
    "fewer cards": (
        a_cluster(*TWO), build.gpu(3, memory=10), {},
        (Change("nvidia.com/gpu", "3", "at most 2", "n"),),
    ),
    "another type": (
        a_cluster(*TWO), build.gpu(1), {keys.NVIDIA_USE_TYPE: "H100"},
        (Change("only cards of these types", "wished", "not wished", "n"),),
    ),
    "not that card": (
        a_cluster(build.device(0)), build.gpu(1), {keys.NVIDIA_NOUSE_UUID: "GPU-n-0"},
        (Change("not these cards", "wished", "not wished", "n"),),
    ),
    "one NUMA node or one card": (
        a_cluster(build.device(0, numa=0), build.device(1, numa=1)), build.gpu(2),
        {keys.NVIDIA_NUMA_BIND: "true"},
        (
            Change("nvidia.com/gpu", "2", "at most 1", "n"),
            Change("all cards of a container on one NUMA node", "wished", "not wished", "n"),
        ),
    ),
    "linked cards": (
        a_cluster(*TWO, notes={keys.NVIDIA_SCORES: UNLINKED}), build.gpu(2),
        {keys.TOPOLOGY: "required"},
        (
            Change("nvidia.com/gpu", "2", "at most 1", "n"),
            Change("linked cards only", "wished", "not wished", "n"),
        ),
    ),
    "cards out of service": (
        a_cluster(build.device(0), notes={keys.NVIDIA_CORDON: "GPU-n-0"}), build.gpu(1), {},
        (Change("cards out of service", "GPU-n-0", "healthy and not cordoned", "n"),),
    ),
    "nothing alone is enough": (
        a_cluster(build.device(0)), build.gpu(2, memory=90000), {}, (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_least_change(name: str) -> None:
    cluster, limits, wishes, expected = CASES[name]
    assert tuple(explained(cluster, limits, wishes).changes) == expected


def test_more_quota_or_a_smaller_part_of_a_larger_card() -> None:
    """Half of the smallest card was charged; that card is out of service, and others are larger."""
    small = build.device(0, node="s", memory_mib=10000)
    made = a_cluster(build.device(0), gpumem=6000)
    notes = {keys.NVIDIA_REGISTER: registers.encode((small,)), keys.NVIDIA_CORDON: "GPU-s-0"}
    made.apply(events.NodeSeen(NodeFacts("s", notes)), 0)
    quota = made.quotas.of("team")[0]
    charged = msgspec.structs.replace(quota, used={"nvidia.com/gpumem": 5000}, version="2")
    made.apply(events.QuotaSeen(charged), 0)
    found = explained(made, build.gpu(1, percent=50))
    assert [(each.used, each.own, each.left) for each in found.quotas] == [(5000, 5000, 6000)]
    assert found.changes == [
        Change("nvidia.com/gpumem-percentage", "50", "at most 7", "n"),
        Change("cards out of service", "GPU-s-0", "healthy and not cordoned", "s"),
        Change("ResourceQuota quota: limits.nvidia.com/gpumem", "6000 left", "34960 more", "n"),
    ]


def test_the_largest_share_of_what_is_left() -> None:
    made = a_cluster(*TWO)
    hold(made, 70000, 45, 0, "h0")
    hold(made, 60000, 80, 1, "h1")
    found = explained(made, build.gpu(1, memory=30000, cores=10))
    assert found.changes == [Change("nvidia.com/gpumem", "30000", "at most 21920", "n")]
    found = explained(made, build.gpu(1, memory=1000, cores=60))
    assert found.changes == [Change("nvidia.com/gpucores", "60", "at most 55", "n")]


def test_a_booked_pod_does_not_stand_in_its_own_way() -> None:
    found = explained(a_cluster(build.device(0)), build.gpu(1))
    assert (found.state, found.node, found.changes) == ("booked", "n", [])
    assert found.nodes[0].reason == ""


def test_a_bound_pod_says_what_it_holds_and_its_quota() -> None:
    made = a_cluster(build.device(0), gpumem=100000)
    notes = {keys.NVIDIA_ALLOCATED: "GPU-n-0,NVIDIA,2000,30:;"}
    pod = build.pod(build.container(limits=build.gpu(1, memory=2000)), uid="u", nodeName="n",
                    annotations=notes)  # fmt: skip
    made.apply(events.PodSeen(pod), 0)
    found = explain.explain(made, "team/p")
    assert (found.state, found.node) == ("bound", "n")
    assert [(each.uuid, each.memory, each.cores) for each in found.holds] == [
        ("GPU-n-0", "2000 MiB", 30)
    ]
    assert [(each.resource, each.hard, each.own) for each in found.quotas] == [
        ("nvidia.com/gpumem", 100000, 2000)
    ]


def test_a_pod_that_was_not_asked_about() -> None:
    made = a_cluster(build.device(0))
    made.apply(events.PodSeen(build.pod(build.container(limits=build.gpu(1)), uid="u")), 0)
    assert explain.explain(made, "team/p").state == "not asked about yet"


def test_an_unknown_pod_names_some_that_wait() -> None:
    made = a_cluster(build.device(0))
    explained(made, build.gpu(2))
    with pytest.raises(explain.Unknown, match=r"team/other: no such pod .*; waiting are team/p"):
        explain.explain(made, "team/other")


def test_a_card_beyond_what_it_has_is_not_hidden() -> None:
    made = a_cluster(*TWO)
    hold(made, 80000, 60, name="a")
    assert explain.explain(made, "other/a").warnings == []
    hold(made, 10000, 60, name="b")
    for name in ("a", "b"):
        assert explain.explain(made, f"other/{name}").warnings == [
            "card GPU-n-0 is given out beyond what it has: 90000 of 81920 MiB, 120 of 100 cores"
        ]


def test_parts_of_a_card_are_told_as_such() -> None:
    found = explained(a_cluster(build.device(0)), {"enflame.com/drs-gcu": 3})
    assert [(each.vendor, each.memory) for each in found.asks] == [("Enflame", "3 slices")]
