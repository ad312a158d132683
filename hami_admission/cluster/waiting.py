"""Pods that were refused for lack of room, and whether what became free would serve one of them.

kube-scheduler may ask before our watch has seen that a card is free; a pod that is refused then
would wait for minutes. Who knows of both, the refusal and the room, has it asked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.verdict import Reason, Unfit
from hami_admission.placement import pod as pods
from hami_admission.placement.pod import Demand

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from hami_admission.placement.usage import NodeUsage
    from hami_admission.vendors.table import Vendors

MAX_REASONS = 32
"""Distinct reasons that are kept of a refused pod."""

MAX_SHAPES = 64
"""Distinct demands that are tried on what became free; with more one is taken to fit."""


UNSEEN_SECONDS = 60.0
"""After which a pod that no watch shows does not wait: it was gone when it was asked about."""


def _nobody() -> None:
    """Where nobody wants to know."""


class Refused(msgspec.Struct, frozen=True):
    """A pod (``namespace/name``) that found no room at unix second ``since``, and the reasons by
    how many nodes gave them."""

    pod: str
    namespace: str
    demand: Demand
    since: float
    reasons: dict[str, int]

    @property
    def by_quota(self) -> bool:
        """Was it the quota that left no room?"""
        return any(Reason.QUOTA_NOT_FIT in reason for reason in self.reasons)


class Waiting:
    """The refused pods by uid, and what became free since the last look."""

    def __init__(self, vendors: Vendors) -> None:
        self._vendors = vendors
        self._refused: dict[str, Refused] = {}
        self._nodes: set[str] = set()
        self._namespaces: set[str] = set()
        self.on_room: Callable[[], None] = _nobody
        """Called when something became free while somebody waits."""

    def __len__(self) -> int:
        return len(self._refused)

    def __iter__(self) -> Iterator[tuple[str, Refused]]:
        return iter(self._refused.items())

    def uids(self) -> frozenset[str]:
        """The pods that wait."""
        return frozenset(self._refused)

    def get(self, uid: str) -> Refused | None:
        """How the pod was refused, if it waits."""
        return self._refused.get(uid)

    def refuse(self, uid: str, refused: Refused) -> None:
        """The pod found no room; it waits since it did so first."""
        before = self._refused.get(uid)
        if before is not None:
            refused = msgspec.structs.replace(refused, since=before.since)
        self._refused[uid] = refused

    def leave(self, uid: str) -> None:
        """The pod waits no more."""
        self._refused.pop(uid, None)

    def expire(self, seen: Collection[str], now: float) -> None:
        """Pods that are not among those wait no more, once a watch had time to show them."""
        for uid in [uid for uid in self._refused if uid not in seen]:
            if self._refused[uid].since <= now - UNSEEN_SECONDS:
                del self._refused[uid]

    def room_on(self, node: str) -> None:
        """Something became free on that node, or it became better otherwise."""
        if self._refused:
            self._nodes.add(node)
            self.on_room()

    def room_in(self, namespace: str) -> None:
        """The quotas of that namespace leave more than before."""
        if self._refused:
            self._namespaces.add(namespace)
            self.on_room()

    def wake(self, usage: Mapping[str, NodeUsage]) -> str | None:
        """A node whose change lets a waiting pod in, if there is one; looks at each change once."""
        nodes, namespaces = self._nodes, self._namespaces
        self._nodes, self._namespaces = set(), set()
        if not self._refused or not (nodes or namespaces):
            return None
        if any(each.by_quota and each.namespace in namespaces for each in self._refused.values()):
            return next(iter(usage), None)
        shapes = list(dict.fromkeys(each.demand for each in self._refused.values()))
        for name in sorted(nodes):
            node = usage.get(name)
            if node is not None and (len(shapes) > MAX_SHAPES or self._serves(shapes, node)):
                return name
        return None

    def _serves(self, shapes: list[Demand], node: NodeUsage) -> bool:
        return not all(
            isinstance(pods.on_node(each, node.cards, self._vendors, None), Unfit)
            for each in shapes
        )
