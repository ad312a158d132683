"""Which quotas count a pod, and which of their keys are ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hami_admission.model.names import ResourceNames
    from hami_admission.model.pod import Pod
    from hami_admission.model.quota import Quota, ScopeTerm


def managed(names: Iterable[ResourceNames]) -> frozenset[str]:
    """The resource names that we count under ``limits.``; Kubernetes accepts and ignores them."""
    return frozenset(name for each in names for name in each.counted)


def ours(quota: Quota, names: frozenset[str]) -> Quota:
    """The quota with only the keys that we count; its ``hard`` is empty when it has none."""
    hard = {name: value for name, value in quota.hard.items() if name in names}
    return msgspec.structs.replace(
        quota,
        hard=hard,
        used={name: value for name, value in quota.used.items() if name in names},
        shared=quota.shared or hard.keys() != quota.hard.keys(),
    )


def applies(quota: Quota, pod: Pod) -> bool:
    """Does it count this pod, by its scopes, as Kubernetes decides (resource-quotas, scopes)?"""
    return all(_matches(term, pod) for term in quota.scopes)


def _matches(term: ScopeTerm, pod: Pod) -> bool:
    if term.scope == "Terminating":
        return pod.terminating_scope
    if term.scope == "NotTerminating":
        return not pod.terminating_scope
    if term.scope == "BestEffort":
        return pod.best_effort
    if term.scope == "NotBestEffort":
        return not pod.best_effort
    if term.scope == "PriorityClass":
        return _priority(term, pod.priority_class)
    # CrossNamespacePodAffinity counts pods by a field that says nothing about accelerators;
    # Kubernetes refuses such pods on its own.
    return False


def _priority(term: ScopeTerm, name: str) -> bool:
    if term.operator == "Exists":
        return bool(name)
    if term.operator == "DoesNotExist":
        return not name
    return (name in term.values) == (term.operator == "In")
