"""What admission notes on a pod so that its charge stays what it was while the pod waits.

Cards come and go, and with them what the smallest of them costs. A pod that carries its charge is
counted alike by each replica, after a restart too, and needs no hold once it was seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.cluster import prices
from hami_admission.wire import admitted, keys

if TYPE_CHECKING:
    from hami_admission.admission.admit import Decision
    from hami_admission.cluster.state import Cluster
    from hami_admission.model.pod import Pod


def notes(cluster: Cluster, pod: Pod, decision: Decision) -> dict[str, str]:
    """The annotations that the pod must have beside those of the decision.

    None where its charge does not depend on cards, no quota counts it, or not everything was seen
    yet. What somebody else has written there is replaced.
    """
    given = keys.ADMITTED_AMOUNTS in pod.annotations
    if cluster.missing() or not prices.varies(decision.requests):
        return {}
    if not (given or cluster.quotas.applying(pod)):
        return {}
    amounts = cluster.prices.asked(pod, decision.requests)
    return {keys.ADMITTED_AMOUNTS: admitted.encode(amounts)} if amounts else {}


def overtaken(cluster: Cluster, pod: Pod, decision: Decision) -> bool:
    """Does the pod say another charge than it has now? Cards came or went since it was noted, or
    somebody else has written it."""
    found = prices.admitted(pod, decision.requests)
    if found is None:
        return keys.ADMITTED_AMOUNTS in pod.annotations and prices.varies(decision.requests)
    return found != cluster.prices.asked(pod, decision.requests)
