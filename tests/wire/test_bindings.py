"""The Binding that carries a placement (facts 11.1, design 5)."""

from __future__ import annotations

import msgspec

from hami_admission.model.grant import Grant
from hami_admission.wire import bindings

GRANTS = ((), (Grant("GPU-a", "NVIDIA", 3000, 20),))


def test_notes_are_upstreams_annotations_and_the_late_environment() -> None:
    late: tuple[dict[str, str], ...] = ({}, {"NVIDIA_VISIBLE_DEVICES": "GPU-a"})
    assert bindings.notes("node-1", 1700000000.9, {("to", "got"): GRANTS}, late) == {
        "hami.io/vgpu-node": "node-1",
        "hami.io/vgpu-time": "1700000000",
        "hami.io/bind-time": "1700000000",
        "hami.io/bind-phase": "success",
        "to": ";GPU-a,NVIDIA,3000,20:;",
        "got": ";GPU-a,NVIDIA,3000,20:;",
        "hami.io/env-1.nvidia-visible-devices": "GPU-a",
    }


def test_notes_without_grants_still_say_where_and_when() -> None:
    assert set(bindings.notes("n", 0, {}, ())) == {
        "hami.io/vgpu-node",
        "hami.io/vgpu-time",
        "hami.io/bind-time",
        "hami.io/bind-phase",
    }


def test_the_binding_names_pod_uid_and_node() -> None:
    body = bindings.encode(namespace="team", name="p", uid="u", node="n", carried={"a": "b"})
    assert msgspec.json.decode(body) == {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "p", "namespace": "team", "uid": "u", "annotations": {"a": "b"}},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "n"},
    }
