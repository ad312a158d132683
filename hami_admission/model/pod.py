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


class EnvVar(msgspec.Struct, frozen=True):
    """One entry of a container's environment.

    ``value`` is the literal; ``path`` the field of the pod it is taken from; both None: some other
    source (a Secret, a ConfigMap), which no decision of ours looks into.
    """

    name: str
    value: str | None = None
    path: str | None = None


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
    terminating_scope: bool = False
    best_effort: bool = False
    ended: bool = False

    @property
    def key(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kind of each slot."""
        return tuple(container.kind for container in self.containers)
