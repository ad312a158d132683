"""The pods that count, by uid, by node and by namespace."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.amounts import Amounts

if TYPE_CHECKING:
    from collections.abc import Collection, KeysView

    from hami_admission.cluster.records import Record


class Pods:
    """Records that are put and taken out; one per uid."""

    def __init__(self) -> None:
        self._by_uid: dict[str, Record] = {}
        self._on_node: defaultdict[str, set[str]] = defaultdict(set)
        self._in_namespace: defaultdict[str, set[str]] = defaultdict(set)
        self._priorities: Counter[int] = Counter()
        self._unasked: set[str] = set()
        self._damaged: set[str] = set()
        self._leaving: set[str] = set()

    def get(self, uid: str) -> Record | None:
        """The record of a pod, if it counts."""
        return self._by_uid.get(uid)

    def all(self) -> Collection[Record]:
        """All of them."""
        return self._by_uid.values()

    def uids(self) -> KeysView[str]:
        """Who they are."""
        return self._by_uid.keys()

    def on(self, node: str) -> list[Record]:
        """Those that are bound to a node."""
        return [self._by_uid[uid] for uid in self._on_node.get(node, ())]

    def of(self, namespace: str) -> list[Record]:
        """Those of a namespace."""
        return [self._by_uid[uid] for uid in self._in_namespace.get(namespace, ())]

    def unasked(self) -> list[Record]:
        """Those whose annotations give them cards that they do not ask for."""
        return [self._by_uid[uid] for uid in sorted(self._unasked)]

    def damaged(self) -> list[Record]:
        """Those whose annotations do not say what they hold."""
        return [self._by_uid[uid] for uid in sorted(self._damaged)]

    def uncount(self, now: float) -> list[Record]:
        """Those that native quota counts no more, as they were; from here on they cost nothing.

        They hold their cards until they have gone: who has lost his node, or waits for somebody who
        has to let him go, may still run.
        """
        late = [
            record
            for record in map(self._by_uid.__getitem__, self._leaving)
            if record.pod.uncounted_after < now
        ]
        for record in late:
            uid = record.pod.uid
            self._leaving.discard(uid)
            self._by_uid[uid] = msgspec.structs.replace(record, amounts=Amounts())
        return late

    def below(self, priority: int) -> bool:
        """Is one of them bound and of lower priority?"""
        return any(each < priority for each in self._priorities)

    def put(self, record: Record) -> None:
        """One that was not there."""
        pod = record.pod
        self._by_uid[pod.uid] = record
        self._in_namespace[pod.namespace].add(pod.uid)
        if record.pod.uncounted_after and record.amounts:
            self._leaving.add(pod.uid)
        if record.unasked:
            self._unasked.add(pod.uid)
        if record.damaged:
            self._damaged.add(pod.uid)
        if record.bound:
            self._on_node[pod.node_name].add(pod.uid)
            self._priorities[pod.priority] += 1

    def pop(self, uid: str) -> Record | None:
        """Take one out, if it is there."""
        record = self._by_uid.pop(uid, None)
        if record is not None:
            pod = record.pod
            self._in_namespace[pod.namespace].discard(uid)
            self._unasked.discard(uid)
            self._damaged.discard(uid)
            self._leaving.discard(uid)
            if record.bound:
                self._on_node[pod.node_name].discard(uid)
                self._priorities[pod.priority] -= 1
                self._priorities += Counter()  # drops what is zero
        return record
