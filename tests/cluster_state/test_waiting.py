"""Refused pods are woken by room that serves one of them, and by nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.settings import Settings
from hami_admission.wire import keys, quotas
from tests import build

if TYPE_CHECKING:
    from hami_admission.model.pod import Pod


def a_pod(uid: str, *, node: str = "", memory: int = 81920, **fields: Any) -> Pod:
    """A pod with a card's memory; on a node it holds card 0."""
    grants = f"GPU-{node}-0,NVIDIA,{memory},0:;"
    return build.pod(
        build.container(limits=build.gpu(1, memory=memory)), name=uid, uid=uid, nodeName=node,
        annotations={keys.NVIDIA_ALLOCATED: grants} if node else {}, **fields,
    )  # fmt: skip


def ask(made: Cluster, pod: Pod, now: float = 0) -> bool:
    """What kube-scheduler does; does the pod fit?"""
    demand = made.demand(pod)
    assert demand is not None
    return made.plan(pod, demand, list(made.usage()), now).best is not None


def full(*names: str) -> Cluster:
    """Nodes of one card that ``on-NAME`` holds, and a pod that waits."""
    made = Cluster(Settings())
    for name in names:
        made.apply(events.NodeSeen(build.facts(name, 1)), 0)
        made.apply(events.PodSeen(a_pod(f"on-{name}", node=name)), 0)
    assert not ask(made, a_pod("w"))
    return made


def test_a_freed_card_wakes_once() -> None:
    made = full("a", "b")
    assert made.wake() is None
    made.apply(events.PodGone("on-b"), 0)
    assert made.wake() == "b"
    assert made.wake() is None


def test_nobody_waits() -> None:
    made = full("a")
    made.apply(events.PodGone("w"), 0)
    made.apply(events.PodGone("on-a"), 0)
    assert (made.wake(), len(made.waiting)) == (None, 0)


def test_who_found_room_waits_no_more() -> None:
    made = full("a")
    made.apply(events.PodGone("on-a"), 0)
    assert ask(made, a_pod("w"))
    assert (made.wake(), len(made.waiting)) == (None, 0)


def test_room_that_serves_nobody_wakes_nobody() -> None:
    made = Cluster(Settings())
    made.apply(events.NodeSeen(build.facts("a", 1)), 0)
    for uid, memory in (("small", 1000), ("large", 60000)):
        made.apply(events.PodSeen(a_pod(uid, node="a", memory=memory)), 0)
    assert not ask(made, a_pod("w"))
    made.apply(events.PodGone("small"), 0)
    assert made.wake() is None
    made.apply(events.PodGone("large"), 0)
    assert made.wake() == "a"


def test_a_better_node_wakes_and_an_unchanged_one_does_not() -> None:
    made = full("a")
    made.apply(events.NodeSeen(build.facts("a", 1)), 0)
    assert made.wake() is None
    made.apply(events.NodeSeen(build.facts("b", 1)), 0)
    assert made.wake() == "b"


def test_a_booking_given_back_or_expired_wakes_the_others() -> None:
    made = Cluster(Settings())
    made.apply(events.NodeSeen(build.facts("a", 1)), 0)
    made.apply(events.PodSeen(a_pod("w")), 0)
    assert ask(made, a_pod("first"))
    assert not ask(made, a_pod("w"))
    made.give_back("first")
    assert made.wake() == "a"
    assert ask(made, a_pod("first"))
    assert not ask(made, a_pod("w"))
    assert [each.pod.uid for each in made.expire(60)] == ["first"]
    assert made.wake() == "a"


def test_a_quota_wakes_those_that_it_refused() -> None:
    made = Cluster(Settings())
    made.apply(events.NodeSeen(build.facts("a", 1)), 0)

    def quota(version: str, memory: int) -> None:
        document = build.quota_json(version=version, gpumem=memory)
        made.apply(events.QuotaSeen(quotas.decode(msgspec.json.encode(document))), 0)

    quota("1", 100)
    pod = build.pod(build.container(limits=build.gpu(1, percent=50)), name="w", uid="w")
    assert not ask(made, pod)
    quota("2", 100_000)
    assert made.wake() == "a"
    assert ask(made, pod)


def test_who_waits_since_when_and_why() -> None:
    made = full("a", "b")
    ask(made, a_pod("w"), now=9)
    ((uid, refused),) = made.waiting
    assert (uid, refused.pod, refused.since) == ("w", "team/w", 0)
    assert refused.reasons == {"1/1 CardInsufficientMemory": 2}
    assert made.waiting.get("w") == refused
    made.apply(events.PodSeen(a_pod("w", node="a")), 10)
    assert made.waiting.get("w") is None


def test_a_pod_that_was_gone_when_it_was_asked_about_does_not_wait_for_ever() -> None:
    made = full("n")
    made.apply(events.PodSeen(a_pod("there")), 0)
    for uid in ("there", "gone"):
        assert not ask(made, a_pod(uid))
    made.expire(59)
    assert made.waiting.uids() >= {"there", "gone"}
    made.expire(60)
    assert "there" in made.waiting.uids()
    assert "gone" not in made.waiting.uids()
