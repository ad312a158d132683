"""Pod and Container: only the fields that some decision reads."""

from __future__ import annotations

from enum import IntEnum

import msgspec

Quantity = str | int | float
"""A Kubernetes quantity as it stands in JSON."""


class Kind(IntEnum):
    """When a container runs: before the others, beside all later ones, or last."""

    INIT = 0
    SIDECAR = 1
    APP = 2


class FieldRef(msgspec.Struct, frozen=True, rename="camel"):
    """A field of the pod by its path, as the downward API names it."""

    field_path: str = ""


class EnvSource(msgspec.Struct, frozen=True, rename="camel"):
    """Where a value comes from: a field, or (None) a Secret or ConfigMap, which we never read."""

    field_ref: FieldRef | None = None


class EnvVar(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of a container's environment: a literal or a source.

    It has the form that it has in JSON, so that the many entries of a pod are decoded once.
    """

    name: str = ""
    value: str | None = None
    value_from: EnvSource | None = None

    @property
    def path(self) -> str | None:
        """The field of the pod that the value is taken from, if it is."""
        source = self.value_from
        return None if source is None or source.field_ref is None else source.field_ref.field_path


def from_field(name: str, path: str) -> EnvVar:
    """A variable with the value of a field of the pod."""
    return EnvVar(name, None, EnvSource(FieldRef(path)))


class Container(msgspec.Struct, frozen=True):
    """One container, in init or app position ``index`` of its own list.

    ``limits``, ``requests`` and ``env`` are None where the pod does not have the field at all,
    which a JSON Patch must know.
    """

    name: str
    kind: Kind
    index: int
    limits: dict[str, Quantity] | None = None
    requests: dict[str, Quantity] | None = None
    env: tuple[EnvVar, ...] | None = None
    privileged: bool = False
    env_from: bool = False
    """Has it variables whose names are not in the pod (from a ConfigMap or Secret as a whole)?"""
    has_resources: bool = False

    @property
    def path(self) -> str:
        """Where it stands in the pod: ``spec.initContainers[0]``."""
        return f"spec.{'containers' if self.kind is Kind.APP else 'initContainers'}[{self.index}]"

    @property
    def pointer(self) -> str:
        """The same as a JSON Pointer: ``/spec/initContainers/0``."""
        return f"/spec/{'containers' if self.kind is Kind.APP else 'initContainers'}/{self.index}"


class Pod(msgspec.Struct, frozen=True):
    """A pod; ``containers`` in slot order: init containers with the sidecars first, then apps."""

    namespace: str
    name: str
    uid: str
    containers: tuple[Container, ...]
    annotations: dict[str, str] = {}
    labels: dict[str, str] = {}
    scheduler_name: str = ""
    node_name: str = ""
    runtime_class: str = ""
    priority_class: str = ""
    priority: int = 0
    never_preempts: bool = False
    """Does it wait rather than have others go?"""
    leaving: bool = False
    """Was it told to go? It holds what it has until it has gone."""
    uncounted_after: float = 0.0
    """The unix second after which native quota counts it no more, though it may still be there: it
    was told to go, and its grace is over. 0: it was not."""
    terminating_scope: bool = False
    best_effort: bool = False
    started: bool = False
    """Has the kubelet taken it in?"""
    ended: bool = False

    @property
    def key(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kind of each slot."""
        return tuple(container.kind for container in self.containers)
