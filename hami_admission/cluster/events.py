"""What the watches tell: one value per thing that was seen, changed or gone."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hami_admission.model.pod import Pod
from hami_admission.model.quota import Quota
from hami_admission.wire.nodes import NodeFacts


class Kind(StrEnum):
    """The kinds of objects that we follow, under the names that readiness shows."""

    PODS = "pods"
    NODES = "nodes"
    QUOTAS = "resourcequotas"


class PodSeen(msgspec.Struct, frozen=True):
    """A pod of our scheduler as it is now; ``version`` is its number in the watch."""

    pod: Pod
    version: int = 0


class PodGone(msgspec.Struct, frozen=True):
    """A pod that was deleted."""

    uid: str
    version: int = 0


class PodsReached(msgspec.Struct, frozen=True):
    """Up to this version there was nothing else about pods."""

    version: int


class NodeSeen(msgspec.Struct, frozen=True):
    """A node as it is now."""

    facts: NodeFacts


class NodeGone(msgspec.Struct, frozen=True):
    """A node that was deleted."""

    name: str


class QuotaSeen(msgspec.Struct, frozen=True):
    """A quota as it is now."""

    quota: Quota


class QuotaGone(msgspec.Struct, frozen=True):
    """A quota that was deleted."""

    namespace: str
    name: str


class QuotasListing(msgspec.Struct, frozen=True):
    """A list of quotas begins: what it says holds, whatever version was seen before."""


class Listed(msgspec.Struct, frozen=True):
    """A complete list has been delivered; what is not among ``keys`` does not exist any more.

    Keys are pod uids, node names, or ``namespace/name`` of quotas.
    """

    kind: Kind
    keys: frozenset[str]
    version: int = 0


Event = (
    PodSeen
    | PodGone
    | PodsReached
    | NodeSeen
    | NodeGone
    | QuotaSeen
    | QuotaGone
    | QuotasListing
    | Listed
)
