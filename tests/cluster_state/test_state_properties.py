from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.cluster.tables import Tables
from hami_admission.placement import decision
from hami_admission.settings import Settings
from hami_admission.wire import quotas
from tests import build
from tests.budgets import times

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
    if booking is None or demand is None or booking.node not in cluster.usage():
        return None
    grants = booking.placement.grants
    cards = cluster.usage()[booking.node].cards
    notes = decision.notes(decision.Site(booking.node, 0, cards), demand, grants, cluster.vendors)
    document = {"nodeName": booking.node, "annotations": notes}
    shape = SHAPES[ord(uid) % len(SHAPES)]
    init = (build.container("i", build.gpu(1, memory=50000)),) if ord(uid) % 2 else ()
    return build.pod(build.container(limits=shape), uid=uid, name=uid, init=init, **document)


def check_room(cluster: Cluster) -> None:
    """No card is over its slots, memory or cores, and none below zero."""
    assert not cluster.exceeded()
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


WISHES: tuple[dict[str, str], ...] = (
    {},
    {"hami.io/node-scheduler-policy": "spread", "hami.io/gpu-scheduler-policy": "binpack"},
    {"nvidia.com/nouse-gpuuuid": "GPU-a-0,GPU-c-1"},
    {"nvidia.com/numa-bind": "true"},
    {"hami.io/gpu-scheduler-policy": "topology-aware"},
)
MANY = ("a", "b", "c", "d")
asked = st.tuples(
    st.just("ask"), st.sampled_from("pqrs"), st.sampled_from(SHAPES), st.sampled_from(WISHES)
)
held = st.tuples(st.just("held"), st.sampled_from("xyz"), st.sampled_from(MANY), st.integers(0, 2))
ended = st.tuples(st.just("end"), st.sampled_from("pqrsxyz"), st.none(), st.none())
nodes = st.tuples(
    st.just("node"),
    st.sampled_from(MANY),
    st.integers(0, 3),
    st.fixed_dictionaries({
        "healthy": st.booleans(), "cordoned": st.booleans(), "numa": st.integers(0, 1),
        "memory_mib": st.sampled_from((40000, 80000)),
    }),
)  # fmt: skip
gone = st.tuples(st.just("gone"), st.sampled_from(MANY), st.none(), st.none())
quota = st.tuples(
    st.just("quota"), st.integers(0, 90000), st.integers(0, 200), st.integers(0, 4)
)  # fmt: skip


@settings(max_examples=times(1.5), deadline=None)
@given(st.lists(asked | asked | held | ended | nodes | gone | quota, max_size=30))
def test_a_kept_answer_is_the_fresh_answer(steps: list[Any]) -> None:
    cluster = Cluster(Settings())
    for name in MANY:
        cluster.apply(events.NodeSeen(build.facts(name, 2)), 0)
    for now, (verb, subject, first, second) in enumerate(steps):
        if verb == "ask":
            document = build.pod(
                build.container(limits=first), uid=subject, name=subject, annotations=second
            )
            same_twice(cluster, document, now)
        elif verb == "held":
            grants = f"GPU-{first}-{second},NVIDIA,20000,10:;"
            notes = {"hami.io/vgpu-devices-allocated": grants}
            container = build.container(limits=build.gpu(1, memory=20000))
            pod = build.pod(container, uid=subject, nodeName=first, annotations=notes)
            cluster.apply(events.PodSeen(pod), now)
        elif verb == "end":
            cluster.apply(events.PodGone(subject), now)
        elif verb == "node":
            cluster.apply(events.NodeSeen(build.facts(subject, first, **second)), now)
        elif verb == "gone":
            cluster.apply(events.NodeGone(subject), now)
        else:
            body = build.quota_json(version=str(now), gpumem=subject, gpucores=first, gpu=second)
            seen = quotas.decode(msgspec.json.encode(body))
            cluster.apply(events.QuotaSeen(seen), now)


def same_twice(cluster: Cluster, pod: Pod, now: float) -> None:
    """Ask with what is kept, then with nothing kept."""
    demand = cluster.demand(pod)
    assert demand is not None
    answer = cluster.plan(pod, demand, MANY, now)
    kept, cluster.tables = cluster.tables, Tables(cluster.vendors)
    assert cluster.plan(pod, demand, MANY, now) == answer
    cluster.tables = kept
    assert set(answer.fits) | set(answer.unfit) == set(MANY)
    assert not set(answer.fits) & set(answer.unfit)
