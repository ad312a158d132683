"""Says what stands in annotations of ours and is not believed: no process of ours wrote it there.

Cards of pods that do not ask for such (``cluster/records.py``): nothing is counted for them, but
what the container sees is another matter, so somebody should look. What is damaged on pods that
ask: cards stay taken until somebody repairs it. Marks of quotas that came with a copy, from another
cluster or from a backup (``cluster/quotas.py``). And a card that several nodes say they have
(``cluster/inventory.py``): which of them has it, nobody here can tell.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hami_admission.cluster import records
from hami_admission.wire import keys
from hami_admission.wire.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from hami_admission.cluster.records import Record
    from hami_admission.cluster.state import Cluster
    from hami_admission.model.grant import PodGrants
    from hami_admission.model.quota import Quota

    Told = tuple[str, PodGrants, tuple[str, ...]]

log = logging.getLogger(__name__)


class Disbelief:
    """Tells of each object once, and again when it has changed."""

    def __init__(self, cluster: Cluster, tell: Callable[[Notice], None]) -> None:
        self._cluster = cluster
        self._tell = tell
        self._unasked: frozenset[Told] = frozenset()
        self._damaged: frozenset[Told] = frozenset()
        self._twice: frozenset[tuple[str, str]] = frozenset()

    def look(self) -> None:
        """One look."""
        pods = self._cluster.pods
        self._unasked = self._pods(pods.unasked(), self._unasked, _of_unasked)
        self._damaged = self._pods(pods.damaged(), self._damaged, self._of_damaged)
        twice = {(uuid, node) for uuid, nodes in self._cluster.twice.items() for node in nodes}
        for uuid, node in sorted(twice - self._twice):
            self._say(_of_card(uuid, node, self._cluster.twice[uuid]))
        self._twice = frozenset(twice)
        copied = self._cluster.quotas.copied
        while copied:
            self._say(_of_quota(copied.popitem()[1]))

    def _pods(
        self, found: Sequence[Record], told: frozenset[Told], of: Callable[[Record], Notice]
    ) -> frozenset[Told]:
        """Tells of those that are new, or not as they were; gives all of them."""
        now = {(each.pod.uid, each.grants, each.damaged): each for each in found}
        for key, record in now.items():
            if key not in told:
                self._say(of(record))
        return frozenset(now)

    def _of_damaged(self, record: Record) -> Notice:
        pod = record.pod
        message = records.unreadable(record, self._cluster.usage().get(pod.node_name))
        return Notice(pod.namespace, pod.name, pod.uid, "CardsUnreadable", message, "Warning")

    def _say(self, notice: Notice) -> None:
        where = f"{notice.namespace}/{notice.name}"
        log.warning("annotation not believed", extra={"object": where, "why": notice.message})
        self._tell(notice)


def _of_unasked(record: Record) -> Notice:
    pod = record.pod
    message = (
        f"annotations give {records.some(record.unasked)} to containers that do not ask for such;"
        " nothing is counted for it: find who wrote them, and delete the pod"
    )
    return Notice(pod.namespace, pod.name, pod.uid, "CardsNotAskedFor", message, "Warning")


def _of_quota(quota: Quota) -> Notice:
    message = (
        f"annotation {keys.QUOTA_COUNTED} came with a copy of the object, from another cluster or a"
        " backup: it is ignored, and the quota is counted"
    )
    return Notice(
        *(quota.namespace, quota.name, quota.uid, "QuotaMarkIgnored", message, "Warning"),
        about="ResourceQuota",
    )


def _of_card(uuid: str, node: str, nodes: Collection[str]) -> Notice:
    others = ", ".join(sorted({*nodes} - {node}))
    message = (
        f"card {uuid} is registered by {others} as well, and given out by each: which of them has"
        " it? Delete the Node that is no more, or give each card an id of its own"
    )
    return Notice("default", node, node, "CardOnTwoNodes", message, "Warning", uuid, about="Node")
