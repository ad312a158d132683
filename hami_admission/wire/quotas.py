"""ResourceQuota JSON: limits, usage, scopes, and the holds that we keep in an annotation."""

from __future__ import annotations

import msgspec

from hami_admission.model.amounts import Amounts
from hami_admission.model.pod import Quantity
from hami_admission.model.quota import Hold, Quota, ScopeTerm
from hami_admission.wire import keys, quantities
from hami_admission.wire.errors import Malformed


class _Wire(msgspec.Struct, rename="camel", frozen=True):
    """Base of the partial Kubernetes types below."""


class _Metadata(_Wire, frozen=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class _Expression(_Wire, frozen=True):
    scope_name: str
    operator: str = "Exists"
    values: list[str] | None = None


class _Selector(_Wire, frozen=True):
    match_expressions: list[_Expression] | None = None


class _Spec(_Wire, frozen=True):
    hard: dict[str, Quantity] | None = None
    scopes: list[str] | None = None
    scope_selector: _Selector | None = None


class _Status(_Wire, frozen=True):
    used: dict[str, Quantity] | None = None


class WireQuota(_Wire, frozen=True):
    """A ResourceQuota as it stands in JSON."""

    metadata: _Metadata = _Metadata()
    spec: _Spec = _Spec()
    status: _Status = _Status()


class _Hold(msgspec.Struct, omit_defaults=True):
    """One entry of the annotation, by pod uid; amounts by resource name."""

    pod: str
    until: int
    amounts: dict[str, int] = {}


MOST_BYTES = 256 * 1024
"""Of all annotations of an object, names included (apimachinery, TotalAnnotationSizeLimitB)."""

MOST_HOLDS_BYTES = 128 * 1024
"""Of the holds: a thousand and more of the usual size. Each write carries them all."""

_OURS = (keys.QUOTA_HOLDS, keys.QUOTA_COUNTED)
_OWN_BYTES = len(keys.QUOTA_HOLDS) + len(keys.QUOTA_COUNTED) + 20

_DECODER = msgspec.json.Decoder(WireQuota)
_HOLDS = msgspec.json.Decoder(dict[str, _Hold])


def decode(body: bytes | msgspec.Raw) -> Quota:
    """One ResourceQuota; keys that are not ``limits.…`` of whole numbers are left out.

    A holds annotation that cannot be read (somebody edited it) counts as empty: the pods count
    themselves once they are seen.
    """
    try:
        wire = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed(f"not a ResourceQuota: {error}") from error
    metadata, spec = wire.metadata, wire.spec
    notes = metadata.annotations or {}
    return Quota(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        version=metadata.resource_version,
        hard=_limits(spec.hard or {}),
        used=_limits(wire.status.used or {}),
        holds=decode_holds(notes.get(keys.QUOTA_HOLDS, "")),
        scopes=_scopes(spec),
        counted=decode_counted(notes.get(keys.QUOTA_COUNTED, "")),
        shared=any(not name.startswith(keys.QUOTA_PREFIX) for name in spec.hard or ()),
        foreign=sum(_bytes(*each) for each in notes.items() if each[0] not in _OURS),
    )


def decode_counted(text: str) -> int:
    """The version up to which pods were counted; 0 for anything else."""
    return int(text) if text.isascii() and text.isdecimal() else 0


def decode_holds(text: str) -> dict[str, Hold]:
    """The annotation's holds by pod uid; none where it is absent or damaged."""
    if not text:
        return {}
    try:
        wire = _HOLDS.decode(text)
        return {
            uid: Hold(hold.pod, hold.until, Amounts(hold.amounts)) for uid, hold in wire.items()
        }
    except (msgspec.DecodeError, RecursionError, ValueError):
        return {}


def encode_holds(holds: dict[str, Hold]) -> str:
    """The annotation's text; uids sorted, so that equal holds are equal text."""
    wire = {
        uid: _Hold(hold.pod, hold.until, dict(hold.amounts.items()))
        for uid, hold in sorted(holds.items())
    }
    return msgspec.json.encode(wire).decode()


def most(quota: Quota) -> int:
    """Bytes that its holds may have, beside the annotations of others."""
    return min(MOST_HOLDS_BYTES, MOST_BYTES - quota.foreign - _OWN_BYTES)


def room(quota: Quota) -> int:
    """Bytes that are left for more holds; negative where there are too many."""
    return most(quota) - len(encode_holds(quota.holds).encode())


def size(uid: str, hold: Hold) -> int:
    """Bytes that one more hold takes."""
    return len(encode_holds({uid: hold}).encode())


def patch(quota: Quota) -> bytes:
    """The merge patch of ``/status`` that writes our part of ``used`` and the holds at once.

    It carries the version that was read, so a write on anything newer is refused with a conflict;
    keys that are not ours are not named, and stay.
    """
    holds = encode_holds(quota.holds) if quota.holds else None
    counted = str(quota.counted) if quota.counted else None
    used = {keys.QUOTA_PREFIX + name: str(value) for name, value in quota.used.items()}
    notes = {keys.QUOTA_HOLDS: holds, keys.QUOTA_COUNTED: counted}
    metadata = {"resourceVersion": quota.version, "annotations": notes}
    return msgspec.json.encode({"metadata": metadata, "status": {"used": used}})


def _limits(values: dict[str, Quantity]) -> dict[str, int]:
    """Whole numbers under ``limits.``, by resource name; fractions are rounded down."""
    found = {}
    for key, value in values.items():
        if key.startswith(keys.QUOTA_PREFIX):
            try:
                found[key.removeprefix(keys.QUOTA_PREFIX)] = max(quantities.floor(value), 0)
            except Malformed:
                continue
    return found


def _scopes(spec: _Spec) -> tuple[ScopeTerm, ...]:
    selector = spec.scope_selector
    terms = [ScopeTerm(name) for name in spec.scopes or ()]
    if selector is not None:
        terms += [
            ScopeTerm(each.scope_name, each.operator, tuple(each.values or ()))
            for each in selector.match_expressions or ()
        ]
    return tuple(terms)


def _bytes(name: str, text: str) -> int:
    return len(name.encode()) + len(text.encode())
