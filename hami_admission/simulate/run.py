"""The steps of a scenario through the production code, with a clock of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.admission import admit, changes
from hami_admission.cluster import events
from hami_admission.cluster import snapshot as snapshots
from hami_admission.cluster.state import Cluster
from hami_admission.model.device import Device
from hami_admission.model.quota import Quota
from hami_admission.placement import decision as decisions
from hami_admission.quota import ledger
from hami_admission.simulate import outcome, workloads
from hami_admission.simulate.outcome import Outcome, Placed
from hami_admission.wire import keys, nodes, pods, registers

if TYPE_CHECKING:
    from hami_admission.cluster.bookings import Booking
    from hami_admission.cluster.snapshot import Snapshot
    from hami_admission.model.pod import Pod
    from hami_admission.settings import Settings
    from hami_admission.simulate.scenario import Document, Scenario, Step

START = 1_700_000_000.0
"""The virtual clock's first second; a fixed one, so that two runs print the same."""


def default_nodes() -> list[nodes.NodeFacts]:
    """The cluster that is used when the files hold none: 2 nodes × 8 A100-80G."""
    return [nodes.NodeFacts(name, {keys.NVIDIA_REGISTER: _eight(name)}) for name in _DEFAULT_NAMES]


_DEFAULT_NAMES = ("node-1", "node-2")


def check(scenario: Scenario, settings: Settings) -> list[Outcome]:
    """What admission would do to each pod, quota and placement aside."""
    cluster = Cluster(settings)
    return [_admitted(cluster, scenario, step)[0] for step in scenario.steps]


class Result(msgspec.Struct, frozen=True):
    """What became of each pod, and the cluster after the last of them."""

    outcomes: list[Outcome]
    cluster: Cluster
    quotas: list[Quota]


def simulate(scenario: Scenario, settings: Settings) -> Result:
    """Admission, quota, placement and environment of each pod, in file order."""
    cluster = Cluster(settings)
    for facts in scenario.nodes or default_nodes():
        cluster.apply(events.NodeSeen(facts), START)
    return _run(cluster, scenario, [])


def replay(scenario: Scenario, snapshot: Snapshot) -> Result:
    """The same from a state that was taken; pods that waited then are placed first, by age."""
    cluster = snapshots.restore(snapshot)
    for facts in scenario.nodes:
        cluster.apply(events.NodeSeen(facts), START)
    waiting = sorted(cluster.waiting, key=lambda each: (each[1].since, each[1].pod))
    pods_of = [pod for uid, _ in waiting if (pod := cluster.pod(uid)) is not None]
    again = [_again(cluster, pod, snapshot.taken) for pod in pods_of]
    return _run(cluster, scenario, again)


def _run(cluster: Cluster, scenario: Scenario, outcomes: list[Outcome]) -> Result:
    for quota in scenario.quotas:
        cluster.apply(events.QuotaSeen(quota), START)
    outcomes += [
        _create(cluster, scenario, step, START + number)
        for number, step in enumerate(scenario.steps, 1)
    ]
    final = {(each.namespace, each.name): each for each in scenario.quotas}
    for namespace in sorted(cluster.quotas.namespaces()):
        final |= {(namespace, each.name): each for each in cluster.quotas.of(namespace)}
    return Result(outcomes, cluster, list(final.values()))


def _again(cluster: Cluster, pod: Pod, now: float) -> Outcome:
    """A pod that waited: admitted before, placed now if there is room."""
    return _placed(cluster, pod, None, outcome.of_waiting(pod), now)


def _admitted(
    cluster: Cluster, scenario: Scenario, step: Step
) -> tuple[Outcome, admit.Decision, Document]:
    pod = step.pod
    decision = cluster.admit(pod)
    if pod.namespace in scenario.exempt:
        reason = f"namespace {pod.namespace} has label {keys.OPT_OUT_LABEL}: {keys.OPT_OUT_VALUE}"
        decision = admit.Decision(untouched=reason)
    warnings = (*decision.warnings, *workloads.cautions(step, decision))
    decision = msgspec.structs.replace(decision, warnings=warnings)
    patch = changes.operations(decision.changes)
    document = changes.apply(step.document, patch) if patch else step.document
    return outcome.of_decision(step, decision, patch, document), decision, document


def _create(cluster: Cluster, scenario: Scenario, step: Step, now: float) -> Outcome:
    admitted, decision, document = _admitted(cluster, scenario, step)
    if admitted.verdict != "admitted":
        return admitted
    uid = f"simulated-{int(now - START)}"
    pod = msgspec.structs.replace(pods.decode(msgspec.json.encode(document)), uid=uid)
    claim = cluster.claim(pod, decision, now)
    refusal = _charged(cluster, pod, claim, now)
    if refusal is not None:
        return outcome.denied(admitted, str(refusal))
    cluster.apply(events.PodSeen(pod), now)
    return _placed(cluster, pod, step.only_node, admitted, now)


def _placed(cluster: Cluster, pod: Pod, only: str | None, admitted: Outcome, now: float) -> Outcome:
    demand = cluster.demand(pod)
    assert demand is not None, "admitted means that something is asked for"
    names = list(cluster.usage()) if only is None else [only]
    plan = cluster.plan(pod, demand, names, now)
    booking = cluster.bookings.get(pod.uid)
    if booking is None:
        return outcome.unplaced(admitted, plan.unfit)
    settlement = cluster.settlement(booking, now)
    refusal = None if settlement is None else _charged(cluster, pod, settlement, now)
    if refusal is not None:
        cluster.bookings.release(pod.uid)
        return outcome.unplaced(admitted, {booking.node: str(refusal)})
    return _bound(cluster, pod, booking, admitted, plan.unfit, now)


def _bound(
    cluster: Cluster,
    pod: Pod,
    booking: Booking,
    admitted: Outcome,
    unfit: dict[str, str],
    now: float,
) -> Outcome:
    demand, placement = booking.demand, booking.placement
    node = cluster.node(booking.node)
    site = decisions.Site(
        booking.node,
        now,
        cluster.usage()[booking.node].cards,
        containers=tuple(container.name for container in pod.containers),
        handed=node is not None and bool(node.handed(demand.words)),
    )
    notes = decisions.notes(site, demand, placement.grants, cluster.vendors)
    bound = msgspec.structs.replace(
        pod, node_name=booking.node, annotations={**pod.annotations, **notes}
    )
    cluster.apply(events.PodSeen(bound), now)
    _counted(cluster, pod.namespace, now)
    placed = Placed(booking.node, placement.score, placement.grants, notes)
    return outcome.placed(admitted, bound, placed, unfit)


def _charged(cluster: Cluster, pod: Pod, claim: ledger.Claim, now: float) -> ledger.Refusal | None:
    """Charge all quotas that count the pod, or none of them."""
    charged = []
    for quota in cluster.quotas.applying(pod):
        found = ledger.charge(quota, claim)
        if isinstance(found, ledger.Refusal):
            return found
        charged.append(found)
    for quota in charged:
        cluster.apply(events.QuotaSeen(quota), now)
    return None


def _counted(cluster: Cluster, namespace: str, now: float) -> None:
    """The pod was seen: holds end, the pods count themselves."""
    for quota in cluster.quotas.of(namespace):
        found = ledger.reconcile(quota, cluster.counts(quota))
        cluster.apply(events.QuotaSeen(found), now)


def _eight(name: str) -> str:
    return registers.encode(
        tuple(
            Device(
                uuid=f"GPU-{name}-{index}",
                index=index,
                type="NVIDIA A100-SXM4-80GB",
                slots=10,
                memory_mib=81920,
                cores=100,
                numa=index // 4,
            )
            for index in range(8)
        )
    )
