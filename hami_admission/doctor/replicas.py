"""Does somebody run: our replicas, and the kube-scheduler beside them?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hami_admission.doctor import finding, webhooks
from hami_admission.vendors import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hami_admission.doctor.finding import Finding
    from hami_admission.doctor.objects import Lease, Scheduler
    from hami_admission.doctor.seen import Observed

LEASES = {
    "hami-admission": "nobody gives quota back",
    "hami-scheduler": "no pod is placed",
}
"""The Leases of our namespace, and what does not happen while nobody holds them."""

_RUNNING, _LEASES, _SCHEDULER = "replicas", "leases", "scheduler"


def check(observed: Observed) -> list[Finding]:
    """The Deployment, both Leases, the configuration of kube-scheduler."""
    leases = [each for name in LEASES for each in _lease(observed, name)]
    return [*_deployment(observed), *leases, *_scheduler(observed)]


def _deployment(observed: Observed) -> Iterator[Finding]:
    looked_at = f"deployment {observed.namespace}/{webhooks.NAME}"
    if observed.deployments.value is None:
        yield finding.unknown(_RUNNING, looked_at, observed.deployments.why)
        return
    found = [each for each in observed.deployments.value if each.place == looked_at.split(" ")[1]]
    if not found:
        text = "not there: hami-admission runs otherwise, or not at all; the Leases tell"
        yield finding.warning(_RUNNING, looked_at, text, "is --namespace right?")
        return
    ready, wanted = found[0].status.ready_replicas, found[0].spec.replicas
    text = f"{ready} of {wanted} replicas are ready"
    logs = f"kubectl -n {observed.namespace} logs deployment/{webhooks.NAME}"
    if not ready:
        yield finding.problem(_RUNNING, looked_at, text, logs)
    elif ready < wanted:
        yield finding.warning(_RUNNING, looked_at, text, logs)
    elif wanted == 1:
        do = f"kubectl -n {observed.namespace} scale deployment {webhooks.NAME} --replicas 2"
        yield finding.warning(_RUNNING, looked_at, f"{text}: no other while it restarts", do)
    else:
        yield finding.ok(_RUNNING, looked_at, text)


def _lease(observed: Observed, name: str) -> Iterator[Finding]:
    looked_at = f"lease {observed.namespace}/{name}"
    seen = observed.leases.get(name)
    if seen is None or (seen.value is None and not seen.absent):
        yield finding.unknown(_LEASES, looked_at, seen.why if seen is not None else "not asked")
        return
    logs = f"kubectl -n {observed.namespace} logs deployment/{webhooks.NAME} --all-containers"
    lease = seen.value
    if lease is None:
        yield finding.problem(_LEASES, looked_at, f"not there: {LEASES[name]}", logs)
    elif not lease.spec.holder_identity:
        yield finding.problem(_LEASES, looked_at, f"nobody holds it: {LEASES[name]}", logs)
    elif fresh(observed, lease):
        yield finding.ok(_LEASES, looked_at, f"held by {lease.spec.holder_identity}")
    elif name in observed.renewed:
        text = f"held by {lease.spec.holder_identity}, whose clock is not that of this machine"
        yield finding.warning(_LEASES, looked_at, text, "look at the clocks of both machines")
    else:
        text = f"{lease.spec.holder_identity} has not renewed it since {lease.spec.renew_time}"
        yield finding.problem(_LEASES, looked_at, f"{text}: {LEASES[name]}", logs)


def fresh(observed: Observed, lease: Lease) -> bool:
    """Was it renewed within its time, by the clock of this machine?"""
    renewed = lease.spec.renew_time
    if renewed is None:
        return False
    age = observed.now - renewed
    return abs(age) <= timedelta(seconds=lease.spec.lease_duration_seconds or 0)


def _scheduler(observed: Observed) -> Iterator[Finding]:
    looked_at = f"configmaps of {observed.namespace}"
    compare = "compare its --config with webhooks/kube-scheduler.yaml"
    if observed.schedulers.value is None:
        yield finding.unknown(_SCHEDULER, looked_at, observed.schedulers.why, compare)
        return
    name = observed.settings.scheduler_name
    found = [
        each
        for each in observed.schedulers.value
        if any(profile.scheduler_name == name for profile in each.profiles or ())
    ]
    if not found:
        text = f"none holds the configuration of a kube-scheduler with profile {name}"
        yield finding.unknown(_SCHEDULER, looked_at, text, compare)
    for each in found:
        yield from _configured(observed, each)


def _configured(observed: Observed, each: Scheduler) -> Iterator[Finding]:
    looked_at = f"configmap {each.place}"
    do = "see webhooks/kube-scheduler.yaml"
    names = [name for vendor in table.build(observed.settings) for name in vendor.names.all]
    managed = {
        resource.name
        for extender in each.extenders or ()
        for resource in extender.managed_resources or ()
        if resource.ignored_by_scheduler
    }
    missing = [name for name in names if name not in managed]
    if not each.extenders:
        yield finding.problem(_SCHEDULER, looked_at, "no extender: it places without cards", do)
    elif missing:
        text = f"the extender does not manage {', '.join(missing)}, ignoredByScheduler"
        yield finding.problem(_SCHEDULER, looked_at, text, do)
    elif each.percentage_of_nodes_to_score != 100:
        text = "percentageOfNodesToScore is not 100: above 100 nodes it shows us a sample only"
        yield finding.warning(_SCHEDULER, looked_at, text, do)
    else:
        yield finding.ok(_SCHEDULER, looked_at, "as it should be")
