"""Bodies that no API server sends: an answer with a reason each, and the process lives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests import build
from tests.cluster.product import call

if TYPE_CHECKING:
    from tests.cluster.product import Product


def review(**changes: Any) -> bytes:
    """A good review of a pod with an accelerator, but for the changes of its request."""
    pod = build.pod_json(build.container(limits=build.gpu(1)))
    request = {"uid": "u", "operation": "CREATE", "object": pod, "namespace": "team", **changes}
    return json.dumps({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": request,
    }).encode()


def many_containers() -> bytes:
    """A thousand containers that all ask."""
    containers = [build.container(f"c{n}", build.gpu(1)) for n in range(1000)]
    return review(object=build.pod_json(*containers))


BAD_REVIEWS = {
    "nothing": (b"", 400, b"AdmissionReview"),
    "truncated": (review()[:-20], 400, b"AdmissionReview"),
    "not UTF-8": (review().replace(b"team", b"\xff\xfe\xfd\xfc"), 400, b"AdmissionReview"),
    "a list": (b"[]", 400, b"array"),
    "wrong type": (review(object={"spec": {"containers": 7}}), 400, b"containers"),
    "deep nesting": (b"[" * 1_000_000, 400, b"AdmissionReview"),
    "deep nesting in a pod": (
        review(object={"spec": "X"}).replace(b'"X"', b'{"a":' * 500_000 + b"1" + b"}" * 500_000),
        400,
        b"AdmissionReview",
    ),
    "unknown version": (review().replace(b"k8s.io/v1", b"k8s.io/v9"), 400, b"k8s.io/v9"),
    "no uid": (review(uid=""), 400, b"request.uid"),
    "no request": (
        b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}',
        400,
        b"request: missing",
    ),
    "no object": (review(object=None), 400, b"request.object"),
    "10 MB": (review(padding="x" * 10_000_000), 413, b"longer than"),
    # A review, so the API server tells its user; a 400 would be a webhook that failed.
    "a thousand containers": (many_containers(), 200, b'"allowed":false'),
}

BAD_ARGUMENTS = {
    "nothing": (b"", 400, b"extender arguments"),
    "truncated": (b'{"Pod": {"metadata"', 400, b"extender arguments"),
    "no pod": (b'{"NodeNames": []}', 400, b"missing pod"),
    "whole nodes": (b'{"Pod": {}, "Nodes": {"items": []}}', 400, b"nodeCacheCapable"),
    "wrong type": (b'{"Pod": {}, "NodeNames": [1]}', 400, b"NodeNames"),
    "deep nesting": (b'{"x":' * 500_000, 400, b"extender arguments"),
    "10 MB": (b'{"x":"' + b"y" * 10_000_000 + b'"}', 413, b"longer than"),
}

BAD_BINDINGS = {
    "nothing": (b"", 400, b"extender arguments"),
    "no uid": (b'{"PodName":"p","PodNamespace":"n","Node":"x"}', 400, b"PodUID"),
    "wrong type": (b'{"PodName": {}}', 400, b"PodName"),
}

ALL = {
    **{f"{path} {name}": (path, *case) for path in ("/mutate", "/validate", "/webhook")
       for name, case in BAD_REVIEWS.items()},
    **{f"{path} {name}": (path, *case) for path in ("/filter", "/prioritize")
       for name, case in BAD_ARGUMENTS.items()},
    **{f"/bind {name}": ("/bind", *case) for name, case in BAD_BINDINGS.items()},
}  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "word"), ALL.values(), ids=ALL.keys())
async def test_a_reason_and_never_a_trace(
    product: Product, path: str, body: bytes, status: int, word: bytes
) -> None:
    got, answer = await call("POST", path, body)
    assert (got, word in answer) == (status, True), answer[:300]
    assert b"Traceback" not in answer
    assert product.process is not None
    assert product.process.running
    assert (await call("GET", "/readyz"))[0] == 200
    assert "request failed" not in product.process.tail(5)


async def test_routes_that_do_not_exist(product: Product) -> None:
    assert (await call("GET", "/nothing"))[0] == 404
    status, answer = await call("GET", "/mutate")
    assert (status, answer) == (405, b"/mutate: only POST\n")


async def test_quantities_beyond_reason_are_refused_in_words(product: Product) -> None:
    for quantity in ("1e30", "1.5", "-1", "16Gi", "x", "9" * 39):
        pod = build.pod_json(build.container(limits=build.gpu(1, memory=quantity)))
        for path in ("/mutate", "/validate"):
            status, answer = await call("POST", path, review(object=pod))
            response = json.loads(answer)["response"]
            assert (status, response["allowed"]) == (200, False)
            message = response["status"]["message"]
            assert "spec.containers[0].resources.limits[nvidia.com/gpumem]" in message
            assert quantity in message


async def test_old_reviews_are_answered_in_their_version(product: Product) -> None:
    body = review().replace(b"k8s.io/v1", b"k8s.io/v1beta1")
    _, answer = await call("POST", "/webhook", body)
    reply = json.loads(answer)
    assert reply["apiVersion"] == "admission.k8s.io/v1beta1"
    assert reply["response"]["patchType"] == "JSONPatch"
