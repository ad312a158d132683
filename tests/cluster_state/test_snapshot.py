"""A snapshot: nothing that decides is lost, nothing that is secret is in it."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hami_admission.cluster import events, snapshot
from hami_admission.cluster.state import Cluster
from hami_admission.model.amounts import Amounts
from hami_admission.model.quota import Hold
from hami_admission.settings import Settings
from hami_admission.wire import keys, quotas, registers
from hami_admission.wire.nodes import NodeFacts
from tests import build
from tests.budgets import times

SECRET = "hunter2"
SCORES = ((0, 110), (110, 0))


def a_pod(name: str, node: str = "", memory: int = 1000, **fields: Any) -> Any:
    """A pod with things that are nobody's business."""
    notes = {"kubectl.kubernetes.io/last-applied-configuration": SECRET, **fields.pop("notes", {})}
    if node:
        notes[keys.NVIDIA_ALLOCATED] = f"GPU-{node}-0,NVIDIA,{memory},10:;"
    env = [{"name": "PASSWORD", "value": SECRET}]
    return build.pod(
        build.container(limits=build.gpu(1, memory=memory), env=env), name=name, uid=name,
        nodeName=node, annotations=notes, labels={"token": SECRET}, **fields,
    )  # fmt: skip


def a_cluster() -> Cluster:
    """Nodes with links and mistakes; pods bound, booked, refused; a quota with a hold."""
    made = Cluster(Settings())
    scores = {keys.NVIDIA_SCORES: registers.encode_scores(("GPU-a-0", "GPU-a-1"), SCORES)}
    facts = build.facts("a", 2)
    made.apply(events.NodeSeen(NodeFacts("a", {**facts.annotations, **scores})), 0)
    made.apply(events.NodeSeen(NodeFacts("damaged", {keys.NVIDIA_REGISTER: "[{"})), 0)
    quota = quotas.decode(msgspec.json.encode(build.quota_json(gpumem=100000)))
    hold = Hold("h", 50, Amounts({"nvidia.com/gpumem": 7}))
    made.apply(events.QuotaSeen(msgspec.structs.replace(quota, holds={"h": hold})), 0)
    made.apply(events.PodSeen(a_pod("bound", "a")), 0)
    wish: dict[str, Any] = {"notes": {keys.NVIDIA_USE_TYPE: "A100", keys.CARD_POLICY: "binpack"}}
    for name, memory in (("booked", 2000), ("refused", 90000)):
        pod = a_pod(name, memory=memory, **wish)
        made.apply(events.PodSeen(pod), 0)
        demand = made.demand(pod)
        assert demand is not None
        made.plan(pod, demand, ["a", "damaged"], 5)
    made.apply(events.Listed(events.Kind.NODES, frozenset({"a", "damaged"})), 0)
    made.apply(events.Listed(events.Kind.QUOTAS, frozenset({"team/quota"})), 0)
    return made


def round_trip(cluster: Cluster) -> Cluster:
    body = snapshot.encode(snapshot.take(cluster, 7), cluster.vendors)
    return snapshot.restore(snapshot.decode(body))


def ask(cluster: Cluster, memory: int, uid: str = "new") -> object:
    pod = a_pod(uid, memory=memory)
    demand = cluster.demand(pod)
    assert demand is not None
    plan = cluster.plan(pod, demand, ["a", "damaged", "unknown"], 8)
    return msgspec.to_builtins(plan), cluster.bookings.get(uid)


def test_nothing_secret_is_in_it() -> None:
    made = a_cluster()
    body = snapshot.encode(snapshot.take(made, 7), made.vendors)
    assert SECRET.encode() not in body
    assert b"last-applied" not in body


def test_the_state_comes_back() -> None:
    made, again = a_cluster(), round_trip(a_cluster())
    assert again.usage() == made.usage()
    assert list(again.nodes()) == list(made.nodes())
    assert again.quotas.of("team") == made.quotas.of("team")
    assert [len(each.holds) for each in again.quotas.of("team")] == [1]
    assert [each.node for each in again.bookings] == ["a"]
    assert {uid: each.reasons for uid, each in again.waiting} == {
        uid: each.reasons for uid, each in made.waiting
    }
    assert {each.pod.uid: each.amounts for each in again.records()} == {
        each.pod.uid: each.amounts for each in made.records()
    }


@settings(max_examples=times(0.25))
@given(st.integers(1, 82000))
def test_it_decides_the_same(memory: int) -> None:
    assert ask(a_cluster(), memory) == ask(round_trip(a_cluster()), memory)


def test_waiting_pods_keep_their_wishes() -> None:
    again = round_trip(a_cluster())
    pod = again.pod("refused")
    assert pod is not None
    demand = again.demand(pod)
    assert demand is not None
    assert demand.wishes.card_order == ("binpack",)
    assert demand.wishes.selection("NVIDIA").types == ("a100",)


def test_what_was_missing_and_when_is_said() -> None:
    body = snapshot.encode(snapshot.take(a_cluster(), 7), a_cluster().vendors)
    found = snapshot.decode(body)
    assert (found.taken, list(found.missing)) == (7, ["pods"])


def test_nodes_that_are_served_for_ever_stay_so() -> None:
    assert {node.until for node in round_trip(a_cluster()).nodes()} == {math.inf}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not a snapshot"),
        (b"[]", "not a snapshot"),
        (b'{"version":1,"nodes":[{"name":5}]}', r"nodes.*name"),
        (b'{"version":1,"quotas":[{"namespace":"a"}]}', "not a snapshot"),
        (b'{"version":2}', "version 2; this program reads 1"),
        (b"{}", "version 0"),
        (b"\xff", "not a snapshot"),
    ],
)
def test_other_files_are_refused(body: bytes, message: str) -> None:
    with pytest.raises(snapshot.Damaged, match=message):
        snapshot.decode(body)
