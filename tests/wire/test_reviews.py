"""AdmissionReview in, verdict out."""

from __future__ import annotations

import base64

import msgspec
import pytest

from hami_admission.wire import reviews
from hami_admission.wire.errors import Malformed
from tests import build

POD = build.pod_json(build.container(limits=build.gpu(1)))
PODS = {"group": "", "version": "v1", "resource": "pods"}


def _review(version: str = "v1", **fields: object) -> build.Json:
    request = {"uid": "r", "operation": "CREATE", "resource": PODS, "object": POD, **fields}
    return {
        "apiVersion": f"admission.k8s.io/{version}",
        "kind": "AdmissionReview",
        "request": {name: value for name, value in request.items() if value is not None},
    }


def _decode(document: build.Json) -> reviews.Review:
    return reviews.decode(msgspec.json.encode(document))


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_pod_that_is_created(version: str) -> None:
    found = _decode(_review(version))
    assert found == reviews.Review(f"admission.k8s.io/{version}", "r", build.noun(POD))


def test_what_the_pod_lacks_comes_from_the_request() -> None:
    bare = {"metadata": {"generateName": "job-"}, "spec": POD["spec"]}
    found = _decode(_review(object=bare, namespace="team", name="job-x", dryRun=True))
    assert found.pod is not None
    assert (found.pod.key, found.pod.uid, found.dry_run) == ("team/job-x", "", True)


NOT_OURS: dict[str, build.Json] = {
    "another resource": {"resource": {**PODS, "resource": "deployments"}},
    "another group's pods": {"resource": {**PODS, "group": "metrics.k8s.io"}},
    "a subresource": {"subResource": "binding"},
    "an update": {"operation": "UPDATE"},
    "a deletion, which has no object": {"operation": "DELETE", "object": None},
}


@pytest.mark.parametrize("sentence", NOT_OURS)
def test_not_ours_to_judge(sentence: str) -> None:
    assert _decode(_review(**NOT_OURS[sentence])).pod is None


@pytest.mark.parametrize("field", ["operation", "resource"])
def test_a_review_that_does_not_say_what_it_is_about_is_about_a_pod(field: str) -> None:
    absent: build.Json = {field: None}
    assert _decode(_review(**absent)).pod == build.noun(POD)


WRONG: dict[str, tuple[build.Json, str]] = {
    "unknown version": (_review("v2"), r"want AdmissionReview of .*got 'admission.k8s.io/v2'"),
    "no version": ({**_review(), "apiVersion": ""}, r"^apiVersion and kind"),
    "another kind": ({**_review(), "kind": "Pod"}, r"got 'admission.k8s.io/v1' 'Pod'"),
    "no request": ({**_review(), "request": None}, r"^request: missing"),
    "no uid": (_review(uid=None), r"^request.uid: missing"),
    "an empty uid": (_review(uid=""), r"^request.uid: missing"),
    "no object": (_review(object=None), r"^request.object: missing"),
    "a text as object": (_review(object="p"), r"Expected `object.*\$.request.object"),
}


@pytest.mark.parametrize("sentence", WRONG)
def test_wrong(sentence: str) -> None:
    document, pattern = WRONG[sentence]
    with pytest.raises(Malformed, match=pattern):
        _decode(document)


def test_a_pod_that_is_not_looked_at_is_a_review_that_can_be_answered() -> None:
    found = _decode(_review(object=build.pod_json(*[build.container()] * 257)))
    assert found.pod is None
    assert found.mistake == "spec.containers: more than 256 containers in one pod"
    assert found.uid == "r"


ASKED = reviews.Review("admission.k8s.io/v1beta1", "r", None)


def _reply(body: bytes) -> build.Json:
    reply: build.Json = msgspec.json.decode(body)
    assert (reply["apiVersion"], reply["kind"]) == (ASKED.version, "AdmissionReview")
    response: build.Json = reply["response"]
    assert response["uid"] == "r"
    return response


def test_allowed_without_a_patch() -> None:
    assert _reply(reviews.allow(ASKED)) == {"uid": "r", "allowed": True}


def test_allowed_with_a_patch() -> None:
    patch: list[dict[str, object]] = [{"op": "add", "path": "/spec/schedulerName", "value": "ü"}]
    found = _reply(reviews.allow(ASKED, patch, ("mind this",)))
    assert msgspec.json.decode(base64.b64decode(found.pop("patch"), validate=True)) == patch
    assert found == {
        "uid": "r",
        "allowed": True,
        "patchType": "JSONPatch",
        "warnings": ["mind this"],
    }


def test_warnings_are_cut_where_the_api_server_would() -> None:
    assert _reply(reviews.allow(ASKED, warnings=("x" * 300,)))["warnings"] == ["x" * 256]


REASONS = {403: "Forbidden", 429: "TooManyRequests", 503: "ServiceUnavailable", 500: ""}


@pytest.mark.parametrize("code", REASONS)
def test_denied(code: int) -> None:
    assert _reply(reviews.deny(ASKED, "no", code=code, warnings=("w",))) == {
        "uid": "r",
        "allowed": False,
        "status": {"code": code, "reason": REASONS[code], "message": "no"},
        "warnings": ["w"],
    }


def test_denied_is_forbidden_unless_said_otherwise() -> None:
    assert _reply(reviews.deny(ASKED, "no"))["status"]["code"] == 403
