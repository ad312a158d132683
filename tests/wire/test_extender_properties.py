"""Whatever is sent: an answer or Malformed."""

from __future__ import annotations

from contextlib import suppress

import msgspec
from hypothesis import given

from hami_admission.wire import extender
from hami_admission.wire.errors import Malformed
from tests import build, strategies

ARGS = msgspec.json.encode({"Pod": build.pod_json(build.container()), "NodeNames": ["n"]})
BINDING = b'{"PodName": "p", "PodNamespace": "t", "PodUID": "u", "Node": "n"}'


@given(strategies.bodies("Pod", "NodeNames", "Nodes", "spec", "metadata", valid=ARGS))
def test_candidates(body: bytes) -> None:
    with suppress(Malformed):
        assert isinstance(extender.decode_candidates(body), extender.Candidates)


@given(strategies.bodies("PodName", "PodNamespace", "PodUID", "Node", valid=BINDING))
def test_bindings(body: bytes) -> None:
    with suppress(Malformed):
        assert extender.decode_binding(body).node
