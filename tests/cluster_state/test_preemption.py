"""Pods of lower priority in the way: who goes, and for whom the room is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hami_admission.cluster import events, explain, preemption, snapshot
from hami_admission.cluster.state import Cluster
from hami_admission.settings import Settings
from tests import build
from tests.cluster_state.test_state import a_quota, cluster

if TYPE_CHECKING:
    from collections.abc import Collection

    from hami_admission.cluster.preemption import Choice
    from hami_admission.model.pod import Pod
    from hami_admission.placement.place import Plan


def a_pod(uid: str, priority: int = 0, *, node: str = "", card: int = 0, **fields: Any) -> Pod:
    """A pod with a whole card: that card of that node, if one is given."""
    notes = {"hami.io/vgpu-devices-allocated": f"GPU-{node}-{card},NVIDIA,81920,100:;"}
    document = build.pod_json(
        build.container(limits=build.gpu(1)), name=f"p-{uid}", uid=uid, nodeName=node,
        priority=priority, annotations=notes if node else {}, **fields,
    )  # fmt: skip
    return build.noun(document)


def leaving(pod: Pod) -> Pod:
    return msgspec.structs.replace(pod, leaving=True)


def seen(made: Cluster, *pods: Pod) -> None:
    for each in pods:
        made.apply(events.PodSeen(each), 0)


def asked(made: Cluster, pod: Pod, *names: str, now: float = 0) -> Plan:
    demand = made.demand(pod)
    assert demand is not None
    return made.plan(pod, demand, names, now)


def choice(made: Cluster, pod: Pod, *names: str, spared: Collection[str] = ()) -> Choice | None:
    demand = made.demand(pod)
    assert demand is not None
    *_, last = preemption.search(made, pod, demand, names, spared)
    return last


def keep(made: Cluster, pod: Pod, *names: str, until: float = 100) -> None:
    """What is done once the victims were told."""
    demand, found = made.demand(pod), choice(made, pod, *names)
    assert demand is not None
    assert found is not None
    preemption.keep(made, pod, demand, found, until)


def who(found: Choice | None) -> tuple[str, set[str]] | None:
    return None if found is None else (found.node, {each.uid for each in found.victims})


def test_the_node_with_the_least_harm_is_chosen() -> None:
    made = cluster("a", "b", "c", cards=1)
    seen(made, a_pod("1", 5, node="a"), a_pod("2", 3, node="b"), a_pod("3", 9, node="c"))
    assert who(choice(made, a_pod("u", 9), "a", "b", "c")) == ("b", {"2"})
    assert who(choice(made, a_pod("u", 9), "a", "b", "c", spared={"2"})) == ("a", {"1"})
    assert who(choice(made, a_pod("u", 9), "a", "c", spared={"1"})) is None
    assert who(choice(made, a_pod("u", 9), "not there")) is None


def test_who_may_have_others_evicted() -> None:
    made = cluster("a", cards=1)
    seen(made, a_pod("1", 5, node="a"))
    assert preemption.may(made, a_pod("u", 6))
    assert not preemption.may(made, a_pod("u", 5))
    assert not preemption.may(made, a_pod("u", 6, preemptionPolicy="Never"))
    made.apply(events.PodGone("1"), 0)
    assert not preemption.may(made, a_pod("u", 6))
    off = Cluster(Settings(preemption=False))
    seen(off, a_pod("1", 5, node="a"))
    assert not preemption.may(off, a_pod("u", 6))


def test_pods_that_leave_already_are_enough_whatever_their_priority() -> None:
    made = cluster("a", "b", cards=1)
    seen(made, a_pod("1", 0, node="a"), a_pod("2", 9, node="b"))
    seen(made, leaving(a_pod("2", 9, node="b")))
    assert who(choice(made, a_pod("u", 5), "a", "b")) == ("b", set())


def test_two_do_not_wait_for_the_same_pod_to_leave() -> None:
    made = cluster("a", "b", cards=1)
    seen(made, a_pod("1", 0, node="a"), a_pod("2", 0, node="b"))
    seen(made, leaving(a_pod("1", 0, node="a")))
    keep(made, a_pod("u", 5), "a", "b")
    assert who(choice(made, a_pod("u", 5), "a", "b")) == ("a", set())
    assert who(choice(made, a_pod("v", 5), "a", "b")) == ("b", {"2"})


def test_what_is_kept_is_not_for_others_until_the_pod_has_it() -> None:
    made = cluster("a", cards=1)
    seen(made, a_pod("1", 0, node="a"))
    keep(made, a_pod("u", 5), "a")
    made.apply(events.PodGone("1"), 0)
    later = asked(made, a_pod("later", 0), "a")
    assert (later.fits, later.unfit) == ([], {"a": "1/1 CardInsufficientMemory"})
    assert isinstance(made.book(a_pod("later", 0), "a", 0), str)
    assert asked(made, a_pod("equal", 5), "a").fits == []
    assert asked(made, a_pod("u", 5), "a").fits == ["a"]
    assert len(made.nominations) == 0


def test_beside_what_is_kept_there_is_room_for_others() -> None:
    made = cluster("a", cards=2)
    seen(made, a_pod("1", 0, node="a"), a_pod("2", 1, node="a", card=1))
    keep(made, a_pod("u", 5), "a")
    made.apply(events.PodGone("1"), 0)
    made.apply(events.PodGone("2"), 0)
    assert asked(made, a_pod("later", 0), "a").fits == ["a"]
    booking = made.bookings.get("later")
    assert booking is not None
    assert [grant.uuid for slot in booking.placement.grants for grant in slot] == ["GPU-a-1"]


def test_a_higher_pod_does_not_ask_for_whom_room_is_kept() -> None:
    made = cluster("a", cards=1)
    seen(made, a_pod("1", 0, node="a"))
    keep(made, a_pod("u", 5), "a")
    made.apply(events.PodGone("1"), 0)
    assert asked(made, a_pod("higher", 6), "a").fits == ["a"]


def test_nothing_is_kept_for_ever_or_for_the_dead() -> None:
    made = cluster("a", cards=1)
    seen(made, a_pod("1", 0, node="a"))
    keep(made, a_pod("u", 5), "a")
    made.apply(events.PodGone("u"), 0)
    assert len(made.nominations) == 0
    keep(made, a_pod("u", 5), "a", until=100)
    made.apply(events.PodGone("1"), 0)
    assert asked(made, a_pod("later", 0), "a", now=99).fits == []
    assert asked(made, a_pod("later", 0), "a", now=100).fits == ["a"]


def test_upkeep_ends_it_though_nobody_asks() -> None:
    made = cluster("a", cards=1)
    seen(made, a_pod("1", 0, node="a"))
    keep(made, a_pod("u", 5), "a", until=100)
    made.expire(100)
    assert len(made.nominations) == 0


def test_nobody_goes_for_a_pod_that_its_quota_does_not_allow_there() -> None:
    made = cluster("a", cards=1)
    made.apply(events.QuotaSeen(a_quota(gpumem=100)), 0)
    seen(made, a_pod("1", 0, node="a", namespace="other"))
    assert choice(made, a_pod("u", 5), "a") is None


def test_a_snapshot_has_what_is_kept() -> None:
    made = cluster("a", cards=1)
    seen(made, a_pod("1", 0, node="a"))
    keep(made, a_pod("u", 5), "a")
    body = snapshot.encode(snapshot.take(made, 0), made.vendors)
    again = snapshot.restore(snapshot.decode(body))
    assert preemption.may(again, a_pod("v", 5))
    again.apply(events.PodGone("1"), 0)
    assert asked(again, a_pod("later", 0), "a").fits == []


def test_explain_says_for_whom_cards_are_kept() -> None:
    made = cluster("a", cards=1)
    urgent, later = a_pod("u", 5), a_pod("later", 0)
    seen(made, a_pod("1", 0, node="a"), urgent, later)
    keep(made, urgent, "a")
    made.apply(events.PodGone("1"), 0)
    found = explain.explain(made, "team/p-later")
    assert found.warnings == ["cards of node a are kept for team/p-u, which goes first"]
    assert [node.reason for node in found.nodes] == ["1/1 CardInsufficientMemory"]
    found = explain.explain(made, "team/p-u")
    assert found.warnings == [
        "cards of node a are kept for it until who has lower priority has left"
    ]
    assert [node.reason for node in found.nodes] == [""]
