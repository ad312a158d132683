"""AdmissionReview in, verdict and JSON Patch out; v1 and v1beta1 (admission.k8s.io)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.pod import Pod
from hami_admission.wire import pods
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_BYTES = 3 * 1024 * 1024
"""A review carries one object; etcd stores 1.5 MiB of it, JSON in a review is a little longer."""

MAX_WARNING = 256
"""Characters; the API server cuts longer warnings, and all of them together at 4096."""

VERSIONS = ("admission.k8s.io/v1", "admission.k8s.io/v1beta1")


class _Resource(msgspec.Struct, frozen=True):
    resource: str = ""
    group: str = ""


class _Request(msgspec.Struct, rename="camel", frozen=True):
    uid: str = ""
    resource: _Resource | None = None
    sub_resource: str | None = None
    name: str | None = None
    namespace: str | None = None
    operation: str = ""
    dry_run: bool | None = None
    object: pods.WirePod | None = None


class _Review(msgspec.Struct, rename="camel", frozen=True):
    api_version: str = ""
    kind: str = ""
    request: _Request | None = None


class Review(msgspec.Struct, frozen=True):
    """One question of the API server: may this pod be created?

    ``pod`` is None when the review is about something else, which is not ours to judge; or when it
    is about a pod that we do not look at, for the reason in ``mistake``.
    """

    version: str
    uid: str
    pod: Pod | None
    dry_run: bool = False
    mistake: str = ""


_DECODER = msgspec.json.Decoder(_Review)
_ENCODER = msgspec.json.Encoder()


def decode(body: bytes) -> Review:
    """The review; raises Malformed with what is wrong and where, if there is none to answer."""
    try:
        wire = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Malformed(f"not an AdmissionReview: {error}") from error
    if wire.kind != "AdmissionReview" or wire.api_version not in VERSIONS:
        got = f"{wire.api_version[:60]!r} {wire.kind[:60]!r}"
        raise Malformed(f"apiVersion and kind: want AdmissionReview of {VERSIONS}, got {got}")
    request = wire.request
    if request is None:
        raise Malformed("request: missing")
    if not request.uid:
        raise Malformed("request.uid: missing; a reply must repeat it")
    pod, mistake = None, ""
    if _concerns(request):
        if request.object is None:
            raise Malformed("request.object: missing")
        namespace, name = request.namespace or "", request.name or ""
        try:
            pod = pods.build(request.object, namespace=namespace, name=name)
        except Malformed as error:
            mistake = str(error)
    return Review(wire.api_version, request.uid, pod, bool(request.dry_run), mistake)


def allow(
    review: Review, patch: Sequence[dict[str, object]] = (), warnings: Sequence[str] = ()
) -> bytes:
    """The reply that lets the pod in, with a JSON Patch where it has to change."""
    response: dict[str, object] = {"uid": review.uid, "allowed": True}
    if patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = _ENCODER.encode(patch)  # bytes become base64, as Kubernetes wants them
    return _reply(review, response, warnings)


def deny(review: Review, message: str, *, code: int = 403, warnings: Sequence[str] = ()) -> bytes:
    """The reply that refuses the pod with a sentence for its user."""
    reason = {403: "Forbidden", 429: "TooManyRequests", 503: "ServiceUnavailable"}.get(code, "")
    status = {"code": code, "reason": reason, "message": message}
    response = {"uid": review.uid, "allowed": False, "status": status}
    return _reply(review, response, warnings)


def _reply(review: Review, response: dict[str, object], warnings: Sequence[str]) -> bytes:
    if warnings:
        response["warnings"] = [warning[:MAX_WARNING] for warning in warnings]
    return _ENCODER.encode({
        "apiVersion": review.version,
        "kind": "AdmissionReview",
        "response": response,
    })


def _concerns(request: _Request) -> bool:
    """Is it the creation of a pod?"""
    resource = request.resource
    if resource is not None and (resource.group, resource.resource) != ("", "pods"):
        return False
    return request.operation in {"", "CREATE"} and not request.sub_resource
