"""Lease JSON (coordination.k8s.io/v1): who leads, and the turn of the record."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from hami_admission.wire.errors import Malformed


class Lease(msgspec.Struct, frozen=True):
    """A Lease as it was read; ``turn`` differs whenever its holder has renewed it."""

    holder: str
    turn: tuple[str, str]
    transitions: int
    version: str


class _Metadata(msgspec.Struct, rename="camel"):
    resource_version: str = ""


class _Spec(msgspec.Struct, rename="camel"):
    holder_identity: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class _Wire(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    spec: _Spec = msgspec.field(default_factory=_Spec)


_DECODER = msgspec.json.Decoder(_Wire)


def decode(body: bytes) -> Lease:
    """One Lease; raises Malformed."""
    try:
        wire = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed(f"not a Lease: {error}") from error
    holder = wire.spec.holder_identity or ""
    turn = (holder, wire.spec.renew_time or "")
    return Lease(holder, turn, wire.spec.lease_transitions or 0, wire.metadata.resource_version)


def encode(
    name: str, namespace: str, *, holder: str, seconds: int, now: float, before: Lease | None
) -> bytes:
    """The Lease as ``holder`` (empty: nobody) writes it; ``now`` is a unix second."""
    metadata = {"name": name, "namespace": namespace}
    if before is not None:
        metadata["resourceVersion"] = before.version
    moved = before is not None and before.holder != holder and bool(holder)
    spec = {
        "holderIdentity": holder,
        "leaseDurationSeconds": seconds,
        "renewTime": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "leaseTransitions": (before.transitions if before is not None else 0) + moved,
    }
    return msgspec.json.encode({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": spec,
    })
