"""Says what stands in annotations of ours and is not believed: no process of ours wrote it there.

Cards of pods that do not ask for such (``cluster/records.py``): nothing is counted for them, but
what the container sees is another matter, so somebody should look. Marks of quotas that came with
a copy, from another cluster or from a backup (``cluster/quotas.py``). And a card that several nodes
say they have (``cluster/inventory.py``): which of them has it, nobody here can tell.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hami_admission.wire import keys
from hami_admission.wire.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from hami_admission.cluster.records import Record
    from hami_admission.cluster.state import Cluster
    from hami_admission.model.quota import Quota

log = logging.getLogger(__name__)

MOST_CARDS = 8


class Disbelief:
    """Tells of each object once."""

    def __init__(self, cluster: Cluster, tell: Callable[[Notice], None]) -> None:
        self._cluster = cluster
        self._tell = tell
        self._told: frozenset[str] = frozenset()
        self._twice: frozenset[tuple[str, str]] = frozenset()

    def look(self) -> None:
        """One look."""
        found = self._cluster.pods.unasked()
        for record in found:
            if record.pod.uid not in self._told:
                self._say(_of_pod(record))
        self._told = frozenset(record.pod.uid for record in found)
        twice = {(uuid, node) for uuid, nodes in self._cluster.twice.items() for node in nodes}
        for uuid, node in sorted(twice - self._twice):
            self._say(_of_card(uuid, node, self._cluster.twice[uuid]))
        self._twice = frozenset(twice)
        copied = self._cluster.quotas.copied
        while copied:
            self._say(_of_quota(copied.popitem()[1]))

    def _say(self, notice: Notice) -> None:
        where = f"{notice.namespace}/{notice.name}"
        log.warning("annotation not believed", extra={"object": where, "why": notice.message})
        self._tell(notice)


def _of_pod(record: Record) -> Notice:
    cards, pod = record.unasked, record.pod
    some = ", ".join(cards[:MOST_CARDS]) + ", …" * (len(cards) > MOST_CARDS)
    message = (
        f"annotations give {some} to containers that do not ask for such; nothing is counted for"
        " it: find who wrote them, and delete the pod"
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
