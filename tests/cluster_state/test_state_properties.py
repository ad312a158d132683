from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.placement import decision
from hami_admission.settings import Settings
from tests import build

if TYPE_CHECKING:
    from hami_admission.model.pod import Pod
    from hami_admission.placement.usage import NodeUsage

NODES = ("a", "b")
SHAPES = (
    build.gpu(1, memory=30000, cores=40),
    build.gpu(2, percent=50),
    build.gpu(1),
    build.gpu(3, memory=1000, cores=10),
)


def pending(uid: str) -> Pod:
    """A pod whose shape follows from its uid; every other has an init container."""
    limits = SHAPES[ord(uid) % len(SHAPES)]
    init = (build.container("i", build.gpu(1, memory=50000)),) if ord(uid) % 2 else ()
    return build.pod(build.container(limits=limits), uid=uid, name=uid, init=init)


def bound(cluster: Cluster, uid: str) -> Pod | None:
    """The pod as the Binding of its booking would leave it."""
    booking = cluster.bookings.get(uid)
    demand = cluster.demand(pending(uid))
    if booking is None or demand is None:
        return None
    grants = booking.placement.grants
    notes = decision.notes(booking.node, 0, demand, grants, cluster.vendors)
    document = {"nodeName": booking.node, "annotations": notes}
    shape = SHAPES[ord(uid) % len(SHAPES)]
    init = (build.container("i", build.gpu(1, memory=50000)),) if ord(uid) % 2 else ()
    return build.pod(build.container(limits=shape), uid=uid, name=uid, init=init, **document)


def check_room(cluster: Cluster) -> None:
    """No card is over its slots, memory or cores, and none below zero."""
    for node in cluster.usage().values():
        for card in node.cards["NVIDIA"]:
            assert 0 <= card.slots <= card.device.slots
            assert 0 <= card.memory_mib <= card.device.memory_mib
            assert 0 <= card.cores <= card.device.cores


def schedule(cluster: Cluster, live: dict[str, Pod], verb: str, uid: str, node: str) -> None:
    """What kube-scheduler may do with a pod that is not bound."""
    if verb == "plan":
        demand = cluster.demand(pending(uid))
        assert demand is not None
        cluster.plan(pending(uid), demand, NODES, 0)
    elif verb == "move":
        cluster.book(pending(uid), node, 0)
    elif verb == "bind" and (made := bound(cluster, uid)) is not None:
        cluster.apply(events.PodSeen(made), 0)
        live[uid] = made


verbs = st.sampled_from(("plan", "move", "bind", "end", "expire", "node"))
steps = st.lists(st.tuples(verbs, st.sampled_from("pqrstuvw"), st.sampled_from(NODES)), max_size=40)


@given(steps)
def test_no_card_is_ever_over_its_room_and_in_the_end_all_is_free(
    taken: list[tuple[str, str, str]],
) -> None:
    cluster = Cluster(Settings())
    for name in NODES:
        cluster.apply(events.NodeSeen(build.facts(name, 3)), 0)
    empty = dict(cluster.usage())
    live: dict[str, Pod] = {}
    for now, (verb, uid, node) in enumerate(taken):
        if uid not in live:
            schedule(cluster, live, verb, uid, node)
        if verb == "end":
            cluster.apply(events.PodGone(uid), now)
            live.pop(uid, None)
        elif verb == "expire":
            cluster.bookings.expire(now)
        elif verb == "node":
            cluster.apply(events.NodeGone(node), now)
            cluster.apply(events.NodeSeen(build.facts(node, 3)), now)
        check_room(cluster)
    for uid in "pqrstuvw":
        cluster.bookings.release(uid)
    assert usage(cluster) == usage(fresh(live))
    for uid in "pqrstuvw":
        cluster.apply(events.PodGone(uid), 99)
    assert usage(cluster) == empty


def fresh(live: dict[str, Pod]) -> Cluster:
    """The state of a process that starts now."""
    made = Cluster(Settings())
    for pod in live.values():
        made.apply(events.PodSeen(pod), 0)
    for name in NODES:
        made.apply(events.NodeSeen(build.facts(name, 3)), 0)
    return made


def usage(cluster: Cluster) -> dict[str, NodeUsage]:
    return dict(sorted(cluster.usage().items()))


grant = st.sampled_from(("GPU-a-0,NVIDIA,10,1:;", "GPU-a-1,NVIDIA,20,2:GPU-a-2,NVIDIA,20,2:;"))
tellings = st.lists(st.tuples(st.sampled_from("xyz"), grant), unique_by=lambda each: each[0])


@given(tellings, st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(told: list[tuple[str, str]], random: object) -> None:
    made: list[events.Event] = [events.NodeSeen(build.facts("a", 3))]
    for uid, grants in told:
        notes = {"hami.io/vgpu-devices-allocated": grants}
        container = build.container(limits=build.gpu(1, memory=10))
        pod = build.pod(container, uid=uid, nodeName="a", annotations=notes)
        made.append(events.PodSeen(pod))
    mixed = [*made, *made]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    first, second = Cluster(Settings()), Cluster(Settings())
    for each in made:
        first.apply(each, 0)
    for each in mixed:
        second.apply(each, 0)
    assert first.usage() == second.usage()
