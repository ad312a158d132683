"""Seen: what a look at the cluster gave; Observed: all looks together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from hami_admission.doctor import objects
    from hami_admission.model.pod import Pod
    from hami_admission.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """``value``, or None and why; ``absent`` says that there certainly is no such thing."""

    value: T | None = None
    why: str = ""
    absent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Of the serving certificate: from when to when it is good, and for which names."""

    begins: datetime
    ends: datetime
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A pod that was created with dryRun, as it came back; or the refusal with its status."""

    namespace: str
    pod: objects.Pod | None = None
    status: int = 0
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that the checks look at.

    ``trusted`` are the caBundles (as they stand in the configurations) whose authority has signed
    the serving certificate; ``renewed`` the Leases that were renewed while somebody watched.
    ``reviews`` are settings of the control process, ``api_servers`` where these are reached.
    ``pods`` are the pending ones, ``placed`` those of our scheduler that have a node, as control
    reads them, ``schedulers`` those whose configuration is in a ConfigMap.
    """

    now: datetime
    settings: Settings
    namespace: str
    version: Seen[objects.Version] = field(default_factory=Seen)
    mutating: Seen[list[objects.Configuration]] = field(default_factory=Seen)
    validating: Seen[list[objects.Configuration]] = field(default_factory=Seen)
    certificate: Seen[Certificate] = field(default_factory=Seen)
    trusted: frozenset[str] = frozenset()
    trial: Seen[Trial] = field(default_factory=Seen)
    reviews: Seen[objects.Reviews] = field(default_factory=Seen)
    api_servers: Seen[objects.Slice] = field(default_factory=Seen)
    policies: Seen[list[objects.Policy]] = field(default_factory=Seen)
    bindings: Seen[list[objects.Binding]] = field(default_factory=Seen)
    deployments: Seen[list[objects.Workload]] = field(default_factory=Seen)
    daemons: Seen[list[objects.Workload]] = field(default_factory=Seen)
    leases: Mapping[str, Seen[objects.Lease]] = field(default_factory=dict)
    renewed: frozenset[str] = frozenset()
    schedulers: Seen[list[objects.Scheduler]] = field(default_factory=Seen)
    nodes: Seen[list[objects.Node]] = field(default_factory=Seen)
    quotas: Seen[list[objects.Quota]] = field(default_factory=Seen)
    pods: Seen[list[objects.Pod]] = field(default_factory=Seen)
    placed: Seen[list[Pod]] = field(default_factory=Seen)
    runtime_classes: Seen[list[objects.RuntimeClass]] = field(default_factory=Seen)
