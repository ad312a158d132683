"""A pod whose price depends on its card carries the charge that it was admitted with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.admission import admit, changes
from hami_admission.cluster import admitted, events, snapshot
from hami_admission.cluster.state import Cluster
from hami_admission.model.quota import Hold
from hami_admission.quota import ledger
from hami_admission.settings import NvidiaOptions, Settings
from hami_admission.wire import keys, quotas
from tests import build

if TYPE_CHECKING:
    from hami_admission.model.pod import Pod

GPU, MEMORY = "nvidia.com/gpu", "nvidia.com/gpumem"
HALF = f"{GPU}=1,{MEMORY}=20000"


def cluster(memory_mib: int = 40000, *, quota: bool = True) -> Cluster:
    """One card of that size, and everything seen; with a quota, or without."""
    made = Cluster(Settings())
    made.apply(events.NodeSeen(build.facts("a", 1, memory_mib=memory_mib)), 0)
    if quota:
        put(made)
    for kind in events.Kind:
        listed = made.quotas.keys() if kind is events.Kind.QUOTAS else frozenset({"a"})
        made.apply(events.Listed(kind, listed), 0)
    return made


def put(made: Cluster, **status: Any) -> None:
    found = quotas.decode(msgspec.json.encode(build.quota_json(gpu=4, gpumem=100000)))
    made.apply(events.QuotaSeen(msgspec.structs.replace(found, **status)), 0)


def a_pod(note: str | None = None, **amounts: int) -> Pod:
    notes = {} if note is None else {keys.ADMITTED_AMOUNTS: note}
    limits = build.gpu(1, **(amounts or {"percent": 50}))
    return build.pod(build.container(limits=limits), name="p", uid="u", annotations=notes)


def noted(made: Cluster, pod: Pod) -> str | None:
    return admitted.notes(made, pod, made.admit(pod)).get(keys.ADMITTED_AMOUNTS)


def overtaken(made: Cluster, pod: Pod) -> bool:
    return admitted.overtaken(made, pod, made.admit(pod))


def test_it_is_noted_where_a_quota_counts_it_and_cards_decide() -> None:
    assert noted(cluster(), a_pod()) == HALF
    assert noted(cluster(), a_pod(memory=1000)) is None
    assert noted(cluster(quota=False), a_pod()) is None
    assert noted(Cluster(Settings()), a_pod()) is None


def test_what_its_user_wrote_there_is_replaced_and_would_not_be_believed() -> None:
    for made in (cluster(), cluster(quota=False)):
        for forged in (f"{GPU}=1,{MEMORY}=1", "", "nonsense"):
            assert noted(made, a_pod(forged)) == HALF
            assert overtaken(made, a_pod(forged))
    assert made.claim(a_pod("nonsense"), made.admit(a_pod()), 0).amounts[MEMORY] == 20000


def test_cards_that_change_between_the_two_calls_are_noticed() -> None:
    made = cluster()
    assert not overtaken(made, a_pod(HALF))
    assert not overtaken(made, a_pod())
    made.apply(events.NodeSeen(build.facts("b", 1, memory_mib=10000)), 0)
    assert overtaken(made, a_pod(HALF))
    fixed = a_pod(HALF, memory=1000)
    assert not overtaken(made, fixed)
    assert made.claim(fixed, made.admit(fixed), 0).amounts[MEMORY] == 1000


@pytest.mark.parametrize("size", [10000, 80000])
def test_a_pod_that_waits_counts_what_it_was_admitted_with_and_needs_no_hold(size: int) -> None:
    made = cluster()
    pod = a_pod(HALF)
    claim = made.claim(pod, made.admit(pod), 0)
    hold = Hold("p", claim.until, claim.amounts)
    put(made, version="2", used=dict(claim.amounts.items()), holds={"u": hold})
    made.apply(events.PodSeen(pod), 0)
    made.apply(events.NodeSeen(build.facts("a", 1, memory_mib=size)), 0)
    made.apply(events.PodSeen(pod), 0)
    for each in (made, snapshot.restore(snapshot.take(made, 0))):
        (quota,) = each.quotas.of("team")
        counted = ledger.reconcile(quota, each.counts(quota))
        assert (counted.holds, counted.used[MEMORY]) == ({}, 20000)


def test_a_pod_of_the_version_before_keeps_its_hold() -> None:
    """It carries nothing: what it was charged stands in the hold alone."""
    made = cluster()
    pod = a_pod()
    claim = made.claim(pod, made.admit(pod), 0)
    hold = Hold("p", claim.until, claim.amounts)
    put(made, version="2", used=dict(claim.amounts.items()), holds={"u": hold})
    made.apply(events.NodeSeen(build.facts("a", 1, memory_mib=10000)), 0)
    made.apply(events.PodSeen(pod), 0)
    (quota,) = made.quotas.of("team")
    counted = ledger.reconcile(quota, made.counts(quota))
    assert (counted.used[MEMORY], list(counted.holds)) == (20000, ["u"])


def test_a_bind_in_flight_keeps_its_hold_until_the_bound_pod_is_seen() -> None:
    made = cluster()
    pod = a_pod(HALF)
    made.apply(events.PodSeen(pod), 0)
    made.apply(events.NodeSeen(build.facts("a", 1, memory_mib=80000)), 0)
    demand = made.demand(pod)
    assert demand is not None
    made.plan(pod, demand, ["a"], 0)
    booking = made.bookings.get("u")
    assert booking is not None
    settled = made.settlement(booking, 0)
    assert settled is not None
    assert (settled.held[MEMORY], settled.amounts[MEMORY]) == (20000, 40000)
    (quota,) = made.quotas.of("team")
    charged = ledger.charge(msgspec.structs.replace(quota, used={GPU: 1, MEMORY: 20000}), settled)
    assert not isinstance(charged, ledger.Refusal)
    put(made, version="2", used=charged.used, holds=charged.holds)
    (quota,) = made.quotas.of("team")
    counted = ledger.reconcile(quota, made.counts(quota))
    assert (counted.used[MEMORY], list(counted.holds)) == (40000, ["u"])


def configured(memory: int = 0, cores: int = 0) -> Cluster:
    options = NvidiaOptions(default_memory=memory, default_cores=cores)
    made = Cluster(Settings(nvidia=options))
    made.apply(events.NodeSeen(build.facts("a", 1, memory_mib=40000)), 0)
    return made


def created(made: Cluster, limits: build.Json, **notes: str) -> Pod:
    """A pod as it leaves the mutating webhook."""
    document = build.pod_json(build.container(limits=limits), name="p", uid="u", annotations=notes)
    decision = made.admit(build.noun(document))
    assert not decision.objections
    return build.noun(changes.apply(document, changes.operations(decision.changes)))


def cost(made: Cluster, pod: Pod) -> tuple[int, int]:
    """Memory and cores that a pod is charged which waits."""
    made.apply(events.PodSeen(pod), 0)
    record = made.pods.get("u")
    assert record is not None
    return record.amounts[MEMORY], record.amounts["nvidia.com/gpucores"]


BEFORE = {"unset": (0, 0), "set": (5000, 20)}
ASKS = {
    "a card": (build.gpu(1), {"unset": (40000, 100), "set": (5000, 100)}),
    "memory": (build.gpu(1, memory=1000), {"unset": (1000, 0), "set": (1000, 20)}),
    "cores": (build.gpu(1, cores=7), {"unset": (40000, 7), "set": (5000, 7)}),
}


@pytest.mark.parametrize("when", BEFORE)
@pytest.mark.parametrize("what", ASKS)
def test_defaults_that_change_while_a_pod_waits_change_nothing_for_it(what: str, when: str) -> None:
    limits, costs = ASKS[what]
    pod = created(configured(*BEFORE[when]), limits)
    for each in (*BEFORE.values(), (800, 3)):
        made = configured(*each)
        assert cost(made, pod) == costs[when]
        waits = made.pod("u")
        assert waits is not None
        assert made.demand(waits) == made.demand(pod) == configured(*BEFORE[when]).demand(pod)
        # What it asks now is said by the settings of now: such a pod was changed on its way.
        unchanged = each == BEFORE[when]
        assert (made.admit(pod).changes == ()) == unchanged


def test_a_pod_that_a_replica_of_before_has_rewritten_is_let_in() -> None:
    """It noted nothing; what it noted otherwise was changed on the way."""
    name = keys.ADMITTED_DEFAULTS + "NVIDIA"
    pod = created(configured(), build.gpu(1, memory=1000))
    assert admit.undone(configured().admit(pod)) is None
    assert admit.undone(configured(cores=20).admit(pod)) is not None
    del pod.annotations[name]
    assert configured().admit(pod).changes != ()
    assert admit.undone(configured().admit(pod)) is None


def test_defaults_that_its_user_wrote_are_replaced_and_nobody_notes_what_is_not_relied_on() -> None:
    name = keys.ADMITTED_DEFAULTS + "NVIDIA"
    assert created(configured(), build.gpu(1), **{name: "1/1"}).annotations[name] == "0/0"
    assert name not in created(configured(), build.gpu(1, memory=1, cores=1)).annotations


@pytest.mark.parametrize("text", ["", "5", "5/", "/5", "-1/0", "a/b", "1/2/3", f"{'9' * 20}/0"])
def test_defaults_that_we_never_wrote_are_those_of_now(text: str) -> None:
    pod = a_pod(memory=1000)
    pod.annotations[keys.ADMITTED_DEFAULTS + "NVIDIA"] = text
    assert cost(configured(cores=20), pod) == (1000, 20)
