"""The Binding that carries a placement (facts 11.1, design 5)."""

from __future__ import annotations

import msgspec

from hami_admission.wire import bindings


def test_notes_are_upstreams_annotations() -> None:
    assert bindings.notes("node-1", 1700000000.9) == {
        "hami.io/vgpu-node": "node-1",
        "hami.io/vgpu-time": "1700000000",
        "hami.io/bind-time": "1700000000",
        "hami.io/bind-phase": "success",
    }


def test_the_binding_names_pod_uid_and_node() -> None:
    body = bindings.encode(namespace="team", name="p", uid="u", node="n", carried={"a": "b"})
    assert msgspec.json.decode(body) == {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "p", "namespace": "team", "uid": "u", "annotations": {"a": "b"}},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "n"},
    }
