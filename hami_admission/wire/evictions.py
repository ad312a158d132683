"""Evictions, and the PodDisruptionBudgets that limit them (policy/v1)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from hami_admission.wire import keys
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class _Wire(msgspec.Struct, rename="camel", frozen=True):
    """Base of the partial Kubernetes types below."""


class Expression(_Wire, frozen=True):
    """One line of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] | None = None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """As apimachinery has it: ``NotIn`` holds where the label is not there at all."""
        value, values = labels.get(self.key), self.values or ()
        if self.operator == "In":
            return value in values
        if self.operator == "NotIn":
            return value not in values
        return (value is not None) == (self.operator == "Exists")


class Selector(_Wire, frozen=True):
    """A label selector; an empty one means all pods of the namespace."""

    match_labels: dict[str, str] | None = None
    match_expressions: tuple[Expression, ...] | None = None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Does it mean a pod with these labels?"""
        wanted = self.match_labels or {}
        return wanted.items() <= labels.items() and all(
            each.matches(labels) for each in self.match_expressions or ()
        )


class _Metadata(_Wire, frozen=True):
    namespace: str = ""
    name: str = ""
    uid: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    deletion_timestamp: str | None = None


class _BudgetSpec(_Wire, frozen=True):
    selector: Selector | None = None


class _BudgetStatus(_Wire, frozen=True):
    disruptions_allowed: int = 0


class _Budget(_Wire, frozen=True):
    metadata: _Metadata = _Metadata()
    spec: _BudgetSpec = _BudgetSpec()
    status: _BudgetStatus = _BudgetStatus()


class _Budgets(_Wire, frozen=True):
    items: tuple[_Budget, ...] = ()


class _PodSpec(_Wire, frozen=True):
    termination_grace_period_seconds: int | None = None


class _Pod(_Wire, frozen=True):
    metadata: _Metadata = _Metadata()
    spec: _PodSpec = _PodSpec()


class Budget(msgspec.Struct, frozen=True):
    """How many more of the pods that a selector means may go now."""

    namespace: str
    name: str
    allowed: int
    selector: Selector | None

    def covers(self, victim: Victim) -> bool:
        """Does it protect that pod? Without a selector it protects none."""
        return (
            self.selector is not None
            and victim.namespace == self.namespace
            and self.selector.matches(victim.labels)
        )


class Victim(msgspec.Struct, frozen=True):
    """A pod that is to go, as it is now; ``grace`` is the seconds that it takes at most.

    A ``mirror`` of a static pod cannot go: the kubelet makes it anew.
    """

    namespace: str
    name: str
    uid: str
    labels: dict[str, str]
    grace: int
    leaving: bool
    mirror: bool


_DEFAULT_GRACE = 30

_BUDGETS = msgspec.json.Decoder(_Budgets)
_POD = msgspec.json.Decoder(_Pod)


def decode_budgets(body: bytes) -> list[Budget]:
    """A PodDisruptionBudgetList; raises Malformed."""
    try:
        wire = _BUDGETS.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed(f"not a PodDisruptionBudgetList: {error}") from error
    return [
        Budget(
            each.metadata.namespace,
            each.metadata.name,
            each.status.disruptions_allowed,
            each.spec.selector,
        )
        for each in wire.items
    ]


def decode_victim(body: bytes) -> Victim:
    """A Pod; raises Malformed."""
    try:
        wire = _POD.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed(f"not a Pod: {error}") from error
    metadata, grace = wire.metadata, wire.spec.termination_grace_period_seconds
    return Victim(
        metadata.namespace,
        metadata.name,
        metadata.uid,
        metadata.labels or {},
        _DEFAULT_GRACE if grace is None else grace,
        metadata.deletion_timestamp is not None,
        keys.MIRROR in (metadata.annotations or {}),
    )


def protected(victims: Iterable[Victim], budgets: Iterable[Budget]) -> frozenset[str]:
    """The uids of those that must stay when all of these are to go: mirrors, and who would be one
    too many for a budget."""
    spared: set[str] = set()
    left = {(each.namespace, each.name): each for each in budgets}
    gone: Counter[tuple[str, str]] = Counter()
    for victim in victims:
        own = [key for key, budget in left.items() if budget.covers(victim)]
        if victim.mirror or any(gone[key] >= left[key].allowed for key in own):
            spared.add(victim.uid)
        else:
            gone.update(own)
    return frozenset(spared)


def encode(namespace: str, name: str, uid: str) -> bytes:
    """The body for POST …/pods/NAME/eviction; the uid makes a pod of the same name safe."""
    return msgspec.json.encode({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
        "deleteOptions": {"preconditions": {"uid": uid}},
    })
