"""Is somebody else at work here, and does a pod wait for too long?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hami_admission.admission.scope import DEFAULT_SCHEDULER
from hami_admission.doctor import finding
from hami_admission.vendors import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hami_admission.doctor.finding import Finding
    from hami_admission.doctor.objects import Workload
    from hami_admission.doctor.seen import Observed

LONG = timedelta(minutes=10)
"""After which a pending pod is worth a word."""

UPSTREAM_WEBHOOK = "vgpu.hami.io"
UPSTREAM_IMAGE = "projecthami/hami"
UPSTREAM_SCHEDULER = "hami-scheduler"
"""facts/scheduling.md 2 and 14: what a release of HAMi is made of."""

_PLUGINS, _UPSTREAM, _WAITING = "device plugins", "HAMi", "waiting pods"
_PAST = "pods past us"


def check(observed: Observed) -> list[Finding]:
    """Other device plugins, HAMi, pods that wait, and pods that never passed us."""
    return [
        *_plugins(observed),
        *_upstream(observed),
        *_waiting(observed),
        *_past(observed),
    ]


def _plugins(observed: Observed) -> Iterator[Finding]:
    if observed.daemons.value is None:
        yield finding.unknown(_PLUGINS, "daemonsets", observed.daemons.why)
        return
    bad = 0
    for vendor in table.build(observed.settings):
        for each in observed.daemons.value:
            rival = UPSTREAM_IMAGE not in each.images and any(
                word in each.images for word in vendor.rivals
            )
            if rival and each.status.desired_number_scheduled:
                bad += 1
                yield _rival(observed, each, vendor.register, vendor.names.count)
    if not bad:
        yield finding.ok(_PLUGINS, "daemonsets", "no other one for our resources")


def _rival(observed: Observed, each: Workload, register: str, resource: str) -> Finding:
    looked_at = f"daemonset {each.place}"
    wanted = (each.pod.node_selector or {}).items()
    both = sorted(
        node.name
        for node in observed.nodes.value or ()
        if register in (node.metadata.annotations or {})
        and wanted <= (node.metadata.labels or {}).items()
    )
    if both:
        text = (
            f"offers {resource} too, on {finding.some(both)}: the kubelet takes whoever spoke last"
        )
        do = "take it from these nodes, by a label and its nodeSelector"
        return finding.problem(_PLUGINS, looked_at, text, do)
    text = f"offers {resource} on {each.status.desired_number_scheduled} nodes, whole cards"
    return finding.warning(_PLUGINS, looked_at, text, "meant so? Pods of ours never go there")


def _upstream(observed: Observed) -> Iterator[Finding]:
    hooks = [
        configuration.name
        for configuration in observed.mutating.value or ()
        for hook in configuration.webhooks or ()
        if hook.name == UPSTREAM_WEBHOOK
    ]
    for name in hooks:
        looked_at = f"mutatingwebhookconfiguration {name}"
        text = "HAMi's webhook rewrites the pods too"
        do = f"kubectl delete mutatingwebhookconfiguration {name}; docs/migrating.md"
        yield finding.problem(_UPSTREAM, looked_at, text, do)
    schedulers = [
        each
        for each in observed.deployments.value or ()
        if UPSTREAM_IMAGE in each.images and each.spec.replicas
    ]
    for each in schedulers:
        text = "HAMi's scheduler places the same pods"
        do = f"kubectl -n {each.metadata.namespace} scale deployment {each.name} --replicas 0"
        yield finding.problem(_UPSTREAM, f"deployment {each.place}", text, do)
    looks = (observed.mutating, observed.deployments)
    closed = [each.why for each in looks if each.value is None]
    if closed:
        yield finding.unknown(_UPSTREAM, "webhooks and deployments", closed[0])
    elif not hooks and not schedulers:
        yield finding.ok(_UPSTREAM, "webhooks and deployments", "not at work here")


def _waiting(observed: Observed) -> Iterator[Finding]:
    if observed.pods.value is None:
        yield finding.unknown(_WAITING, "pods", observed.pods.why)
        return
    old = [
        each
        for each in observed.pods.value
        if each.spec.scheduler_name in observed.settings.scheduler_names
        and each.metadata.creation_timestamp is not None
        and observed.now - each.metadata.creation_timestamp > LONG
    ]
    waiting = sorted(each.place for each in old if not each.spec.node_name)
    starting = sorted(each.place for each in old if each.spec.node_name)
    if waiting:
        text = f"{len(waiting)} without a node for over 10 minutes: {finding.some(waiting)}"
        do = f"hami-admission explain {waiting[0]}"
        yield finding.warning(_WAITING, "pods", text, do)
    if starting:
        text = (
            f"{len(starting)} placed and not started for over 10 minutes: {finding.some(starting)}"
        )
        namespace, _, name = starting[0].partition("/")
        yield finding.warning(_WAITING, "pods", text, f"kubectl -n {namespace} describe pod {name}")
    if not old:
        yield finding.ok(_WAITING, "pods", "none of ours for over 10 minutes")


def _past(observed: Observed) -> Iterator[Finding]:
    """Pods from before the product, while it was away, or where it does not look."""
    names = table.build(observed.settings).owners.keys()
    past = sorted(
        each.place
        for each in observed.pods.value or ()
        if each.spec.scheduler_name in {"", DEFAULT_SCHEDULER} and names & each.spec.limits
    )
    if past:
        text = (
            f"{len(past)} that ask for our resources wait for another scheduler:"
            f" {finding.some(past)}; nobody counts them, and on a node of our agent their"
            " containers do not start"
        )
        do = "delete these pods and create them again; a Deployment or Job does so by itself"
        yield finding.problem(_PAST, "pods", text, do)
    elif observed.pods.value is not None:
        yield finding.ok(_PAST, "pods", "none that waits has passed by our webhooks")
