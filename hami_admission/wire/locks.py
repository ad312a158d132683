"""The lock of a node, which keeps its device plugin to one pod at a time, both ways.

``2026-08-21T06:20:39Z,namespace,pod`` (facts/scheduling.md 10.2); some plugins want the time alone,
which older versions of HAMi wrote as well.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from hami_admission.wire.errors import Malformed


class Lock(msgspec.Struct, frozen=True):
    """Taken at a unix second, for a pod; without names where nobody says for whom."""

    taken: float
    namespace: str = ""
    name: str = ""

    @property
    def owner(self) -> str:
        """For whom, as messages say it."""
        return f"pod {self.namespace}/{self.name}" if self.name else "some pod"


class Annotated(msgspec.Struct, frozen=True):
    """Annotations of an object, and its version."""

    annotations: dict[str, str]
    version: str


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    annotations: dict[str, str] | None = None
    resource_version: str = ""


class _Object(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()


_DECODER = msgspec.json.Decoder(_Object)


def encode(lock: Lock) -> str:
    """The text, in UTC and whole seconds."""
    when = datetime.fromtimestamp(int(lock.taken), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{when},{lock.namespace},{lock.name}" if lock.name else when


def decode(text: str) -> Lock:
    """The lock; raises Malformed."""
    when, *owner = text.split(",")
    try:
        taken = datetime.fromisoformat(when.strip())
    except ValueError as error:
        raise Malformed(f"{text[:80]!r} is no time, as 2026-08-21T06:20:39Z") from error
    if len(owner) not in {0, 2} or taken.tzinfo is None:
        raise Malformed(f"{text[:80]!r} is not a time, a namespace and a pod with commas between")
    return Lock(taken.timestamp(), *(part.strip() for part in owner))


def annotated(body: bytes) -> Annotated:
    """What a write of a lock has to know of a Node; raises Malformed."""
    try:
        found = _DECODER.decode(body).metadata
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed(f"not a Node: {error}") from error
    return Annotated(found.annotations or {}, found.resource_version)


def patch(annotation: str, text: str | None, version: str) -> bytes:
    """The merge patch that sets or takes away (None) a lock, unless the node has changed since."""
    metadata = {"annotations": {annotation: text}, "resourceVersion": version}
    return msgspec.json.encode({"metadata": metadata})
