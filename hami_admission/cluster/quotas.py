"""The quotas by namespace, and what each counts of the pods that we know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.amounts import Amounts, total
from hami_admission.quota import ledger, limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hami_admission.cluster.pods import Pods
    from hami_admission.cluster.records import Record
    from hami_admission.model.pod import Pod
    from hami_admission.model.quota import Quota


_PLAUSIBLE = 120
"""Seconds that a hold may have left when it is seen first; with more or less than none, some
replica's clock is wrong, or we were not there."""


_MOST_ENDED = 10_000
"""Pods that are remembered after their end, until no hold of theirs can turn up."""


class Quotas:
    """All ResourceQuota objects that limit something of ours.

    ``records`` gives the pods of a namespace; ``patience`` is how many seconds a hold has that was
    found without a believable end.
    """

    def __init__(
        self,
        managed: frozenset[str],
        records: Callable[[str], Iterable[Record]],
        patience: int,
    ) -> None:
        self._managed = managed
        self._records = records
        self._patience = patience
        self._by_namespace: dict[str, dict[str, Quota]] = {}
        self._totals: dict[tuple[str, str], Amounts[str]] = {}
        self._ends: dict[tuple[str, str], dict[str, tuple[int, float]]] = {}
        self._ended: dict[str, None] = {}
        self._seen = 0
        self._reached = 0
        self._old: set[tuple[str, str]] = set()
        self.copied: dict[tuple[str, str], Quota] = {}
        """Those that came with a mark of a count that is of another cluster or a backup, by
        namespace and name, until somebody has told of them: the next write takes the mark away."""

    def put(self, quota: Quota, now: float) -> None:
        """A quota as it is now; an older version than the one we know is passed over.

        Kubernetes calls versions opaque, but they are numbers of etcd; where one is not, the last
        to come is taken.
        """
        known = self._by_namespace.setdefault(quota.namespace, {})
        before, key = known.get(quota.name), (quota.namespace, quota.name)
        if (
            before is not None
            and before.uid == quota.uid
            and key not in self._old
            and _older(quota, before)
        ):
            return
        self._old.discard(key)
        ours = limits.ours(_believed(quota), self._managed)
        if ours.hard and ours.counted != quota.counted:
            self.copied[key] = quota
        if not ours.hard:
            self.remove(quota.namespace, quota.name)
            return
        known[quota.name] = ours
        self._note_ends(key, ours, now)
        if before is None or (before.scopes, before.hard.keys()) != (ours.scopes, ours.hard.keys()):
            self._totals[key] = total(
                _limited(ours, record.amounts)
                for record in self._records(quota.namespace)
                if limits.applies(ours, record.pod)
            )

    def remove(self, namespace: str, name: str) -> None:
        """A quota that is gone."""
        known = self._by_namespace.get(namespace, {})
        known.pop(name, None)
        self._totals.pop((namespace, name), None)
        self._ends.pop((namespace, name), None)
        self.copied.pop((namespace, name), None)
        if not known:
            self._by_namespace.pop(namespace, None)

    def add(self, record: Record) -> None:
        """A pod that counts from now on."""
        for quota in self.applying(record.pod):
            key = (quota.namespace, quota.name)
            self._totals[key] = self._totals[key].plus(_limited(quota, record.amounts))

    def subtract(self, record: Record) -> None:
        """A pod that was added and counts no more."""
        for quota in self.applying(record.pod):
            key = (quota.namespace, quota.name)
            self._totals[key] = self._totals[key].minus(_limited(quota, record.amounts))

    def uncount(self, pods: Pods, now: float) -> frozenset[str]:
        """Pods that native quota counts no more cost nothing; gives their namespaces."""
        late = pods.uncount(now)
        for record in late:
            self.subtract(record)
        return frozenset(record.pod.namespace for record in late)

    def counts(self, quota: Quota, held: Mapping[str, Record]) -> ledger.Counts:
        """What the pods of the namespace count for in a quota; ``held`` are those with a hold."""
        return ledger.Counts(
            self._totals.get((quota.namespace, quota.name), Amounts()),
            {
                uid: ledger.Counted(record.amounts, record.bound, record.fixed)
                for uid, record in held.items()
                if limits.applies(quota, record.pod)
            },
        )

    def end(self, uid: str) -> None:
        """The pod was there and is no more, maybe so soon that its hold is."""
        self._ended[uid] = None
        if len(self._ended) > _MOST_ENDED:
            del self._ended[next(iter(self._ended))]

    def ended(self, quota: Quota) -> frozenset[str]:
        """The holds of pods that are no more."""
        return frozenset(uid for uid in quota.holds if uid in self._ended)

    # Who may count: only who has seen all the pods that the ledger counts already. Otherwise a
    # replica whose watch is late would take back what another has counted.

    def reach(self, version: int, *, seen: bool = True) -> None:
        """All changes of pods up to this version were taken in (``seen``: one of them was new)."""
        self._reached = max(self._reached, version)
        if seen:
            self._seen = max(self._seen, version)

    def listed(self, version: int) -> None:
        """A whole list of pods came. One that is older than what was reached is of an etcd that was
        restored: what came after it has not happened. 0: not known."""
        if version:
            self._reached = self._seen = version

    def anew(self) -> None:
        """A list of quotas begins: what it says of each holds, though it be of an older version. A
        write of ours on that would be refused, if it is not the last."""
        self._old = {
            (namespace, name) for namespace, known in self._by_namespace.items() for name in known
        }

    def may_count(self, quota: Quota) -> bool:
        """Have we seen every pod that the ledger counts?"""
        return quota.counted <= self._reached

    def stamped(self, quota: Quota) -> Quota:
        """The quota as counted by us; where there is nothing yet, nothing can be taken back."""
        if not (quota.counted or any(quota.used.values())):
            return quota
        return msgspec.structs.replace(quota, counted=max(quota.counted, self._seen))

    def late(self, quota: Quota, now: float) -> dict[str, str]:
        """Holds whose time is over, by uid with the pod's name."""
        ends = self._ends.get((quota.namespace, quota.name), {})
        return {
            uid: hold.pod for uid, hold in quota.holds.items() if ends.get(uid, (0, now))[1] <= now
        }

    def _note_ends(self, key: tuple[str, str], quota: Quota, now: float) -> None:
        """When each hold ends by our own clock; that of who made it may be hours off."""
        before = self._ends.get(key, {})
        ends: dict[str, tuple[int, float]] = {}
        for uid, hold in quota.holds.items():
            known = before.get(uid)
            if known is not None and known[0] == hold.until:
                ends[uid] = known
            else:
                believable = 0 <= hold.until - now <= _PLAUSIBLE
                ends[uid] = (hold.until, hold.until if believable else now + self._patience)
        self._ends[key] = ends

    def get(self, namespace: str, name: str) -> Quota | None:
        """One quota, if it limits something of ours."""
        return self._by_namespace.get(namespace, {}).get(name)

    def of(self, namespace: str) -> list[Quota]:
        """The quotas of a namespace, in name order, which is the order of charging."""
        known = self._by_namespace.get(namespace)
        return [] if known is None else [known[name] for name in sorted(known)]

    def applying(self, pod: Pod) -> list[Quota]:
        """The quotas that count this pod."""
        return [quota for quota in self.of(pod.namespace) if limits.applies(quota, pod)]

    def namespaces(self) -> frozenset[str]:
        """Namespaces with a quota of ours."""
        return frozenset(self._by_namespace)

    def keys(self) -> frozenset[str]:
        """``namespace/name`` of all."""
        return frozenset(
            f"{namespace}/{name}"
            for namespace, known in self._by_namespace.items()
            for name in known
        )


def _limited(quota: Quota, amounts: Amounts[str]) -> Amounts[str]:
    return Amounts({name: amounts[name] for name in quota.hard})


def _believed(quota: Quota) -> Quota:
    """Without a mark that was copied, which would keep everybody from counting it."""
    return msgspec.structs.replace(quota, counted=0) if quota.copied else quota


def _older(quota: Quota, known: Quota) -> bool:
    if not (quota.version.isdecimal() and known.version.isdecimal()):
        return False
    return int(quota.version) < int(known.version)
