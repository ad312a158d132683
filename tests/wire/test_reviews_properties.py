"""Whatever is sent: a review with a uid, or Malformed."""

from __future__ import annotations

from contextlib import suppress

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.wire import reviews
from hami_admission.wire.errors import Malformed
from tests import build, strategies

REQUEST = {"uid": "r", "object": build.pod_json(build.container(limits=build.gpu(1)))}
HEAD = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
REVIEW = msgspec.json.encode({**HEAD, "request": REQUEST})
FIELDS = ("apiVersion", "kind", "request", "uid", "object", "spec", "resource", "operation")


@given(strategies.bodies(*FIELDS, valid=REVIEW))
def test_any_body(body: bytes) -> None:
    with suppress(Malformed):
        assert reviews.decode(body).uid


@given(st.fixed_dictionaries({"uid": st.just("r"), "object": strategies.json_of(FIELDS)}))
def test_any_object(request: dict[str, object]) -> None:
    with suppress(Malformed):
        assert reviews.decode(msgspec.json.encode({**HEAD, "request": request})).pod is not None
