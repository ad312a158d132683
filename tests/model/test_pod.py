"""Pod and Container: places and kinds."""

from __future__ import annotations

from hami_admission.model.pod import Kind
from tests import build

POD = build.pod(
    build.container("app-0"),
    build.container("app-1"),
    init=(build.container("init-0"), build.container("side", sidecar=True)),
)


def test_a_container_knows_its_place_in_its_own_list() -> None:
    assert [each.path for each in POD.containers] == [
        "spec.initContainers[0]",
        "spec.initContainers[1]",
        "spec.containers[0]",
        "spec.containers[1]",
    ]
    assert [each.pointer for each in POD.containers] == [
        "/spec/initContainers/0",
        "/spec/initContainers/1",
        "/spec/containers/0",
        "/spec/containers/1",
    ]


def test_kinds_are_in_slot_order() -> None:
    assert POD.kinds == (Kind.INIT, Kind.SIDECAR, Kind.APP, Kind.APP)


def test_key_is_namespace_and_name() -> None:
    assert POD.key == "team/p"
