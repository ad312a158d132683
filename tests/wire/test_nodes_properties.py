"""Whatever is sent: a node or Malformed."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given

from hami_admission.wire import nodes
from hami_admission.wire.errors import Malformed
from tests import strategies

NODE = b'{"metadata": {"name": "n", "annotations": {"a": "b"}}, "status": {"allocatable": {}}}'


@given(strategies.bodies("metadata", "name", "annotations", "status", "allocatable", valid=NODE))
def test_any_body(body: bytes) -> None:
    with suppress(Malformed):
        assert nodes.decode(body).name
