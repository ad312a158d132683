"""Node JSON: name, annotations, labels and amounts, from which vendors read their cards."""

from __future__ import annotations

import msgspec

from hami_admission.model.pod import Quantity
from hami_admission.wire import keys
from hami_admission.wire.errors import Malformed


class _Metadata(msgspec.Struct, frozen=True):
    name: str = ""
    annotations: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class _Status(msgspec.Struct, frozen=True):
    allocatable: dict[str, Quantity] | None = None
    capacity: dict[str, Quantity] | None = None


class WireNode(msgspec.Struct, frozen=True):
    """A node as it stands in JSON."""

    metadata: _Metadata = _Metadata()
    status: _Status | None = None


class NodeFacts(msgspec.Struct, frozen=True):
    """What vendors look at on a node."""

    name: str
    annotations: dict[str, str] = {}
    allocatable: dict[str, Quantity] | None = None
    capacity: dict[str, Quantity] | None = None
    labels: dict[str, str] = {}


_DECODER = msgspec.json.Decoder(WireNode)


def decode(body: bytes | msgspec.Raw) -> NodeFacts:
    """One Node object; raises Malformed with the path of what is wrong."""
    try:
        wire = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed(f"not a Node: {error}") from error
    if not wire.metadata.name:
        raise Malformed("not a Node: metadata.name is missing")
    return NodeFacts(
        wire.metadata.name,
        wire.metadata.annotations or {},
        wire.status.allocatable if wire.status else None,
        wire.status.capacity if wire.status else None,
        wire.metadata.labels or {},
    )


def wake(now: float) -> bytes:
    """The merge patch of a Node that changes an annotation which nobody reads."""
    return msgspec.json.encode({"metadata": {"annotations": {keys.WAKE: f"{now:.6f}"}}})
