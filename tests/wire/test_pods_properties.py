"""Whatever is sent: a pod or Malformed."""

from __future__ import annotations

from contextlib import suppress

import msgspec
from hypothesis import given

from hami_admission.wire import pods
from hami_admission.wire.errors import Malformed
from tests import build, strategies

POD = msgspec.json.encode(
    build.pod_json(build.container(limits=build.gpu(1), env=[{"name": "A", "value": "é"}]))
)
FIELDS = ("metadata", "annotations", "spec", "containers", "resources", "limits", "env", "name")


@given(strategies.bodies(*FIELDS, valid=POD))
def test_any_body(body: bytes) -> None:
    with suppress(Malformed):
        found = pods.decode(body)
        assert len(found.kinds) == len(found.containers)
