"""The quotas by namespace, and what each counts of the pods that we know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.model.amounts import Amounts
from hami_admission.quota import ledger, limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hami_admission.cluster.records import Record
    from hami_admission.model.pod import Pod
    from hami_admission.model.quota import Quota


class Quotas:
    """All ResourceQuota objects that limit something of ours."""

    def __init__(self, managed: frozenset[str]) -> None:
        self._managed = managed
        self._by_namespace: dict[str, dict[str, Quota]] = {}

    def put(self, quota: Quota) -> None:
        """A quota as it is now; an older version than the one we know is passed over.

        Kubernetes calls versions opaque, but they are numbers of etcd; where one is not, the last
        to come is taken.
        """
        known = self._by_namespace.setdefault(quota.namespace, {})
        before = known.get(quota.name)
        if before is not None and before.uid == quota.uid and _older(quota, before):
            return
        ours = limits.ours(quota, self._managed)
        if ours.hard:
            known[quota.name] = ours
        else:
            self.remove(quota.namespace, quota.name)

    def remove(self, namespace: str, name: str) -> None:
        """A quota that is gone."""
        known = self._by_namespace.get(namespace, {})
        known.pop(name, None)
        if not known:
            self._by_namespace.pop(namespace, None)

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


def counted(quota: Quota, records: Iterable[Record]) -> dict[str, ledger.Counted]:
    """What each known pod of the namespace counts for in this quota, by uid."""
    return {
        record.pod.uid: ledger.Counted(_limited(quota, record.amounts), record.bound)
        for record in records
        if limits.applies(quota, record.pod)
    }


def claim(quota: Quota, each: ledger.Claim) -> ledger.Claim:
    """The part of a claim that this quota limits."""
    return ledger.Claim(
        each.uid, each.pod, _limited(quota, each.amounts), each.until, _limited(quota, each.held)
    )


def _limited(quota: Quota, amounts: Amounts[str]) -> Amounts[str]:
    return Amounts({name: amounts[name] for name in quota.hard})


def _older(quota: Quota, known: Quota) -> bool:
    if not (quota.version.isdecimal() and known.version.isdecimal()):
        return False
    return int(quota.version) < int(known.version)
