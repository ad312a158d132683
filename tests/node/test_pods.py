"""What the agent reads of a pod of its node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hami_admission.model.instance import Place
from hami_admission.node import pods
from hami_admission.node.admissions import Need
from hami_admission.wire import keys
from tests import build

if TYPE_CHECKING:
    from hami_admission.node.pods import OwnPod

GRANTS = "GPU-a,NVIDIA,10,0:;;GPU-a,NVIDIA,10,0:GPU-b,NVIDIA,10,0:;"


def own(text: str = GRANTS, **fields: Any) -> OwnPod:
    """A pod with an init container, one without cards, and one with two."""
    document = build.pod_json(
        build.container("plain"), build.container("main"), init=(build.container("init"),),
        uid="u", annotations={keys.NVIDIA_ALLOCATED: text},
    )  # fmt: skip
    document["status"] = fields
    return pods.read(msgspec.json.encode(document))


def test_the_cards_of_each_container_in_the_order_of_the_kubelet() -> None:
    found = own()
    assert found.needs == (Need("init", ("GPU-a",)), Need("main", ("GPU-a", "GPU-b")))
    assert found.cards("main") == found.every_card == {"GPU-a", "GPU-b"}
    assert found.cards("plain") == frozenset()
    assert (found.uid, found.namespace, found.name) == ("u", "team", "p")


def test_the_kubelet_asks_until_it_has_taken_the_pod_in_or_the_pod_is_over() -> None:
    assert own(phase="Pending").asks
    assert not own(phase="Pending", startTime="2026-01-01T00:00:00Z").asks
    assert not own(phase="Failed").asks
    assert own(phase="Failed").ended


def test_a_damaged_annotation_gives_nothing() -> None:
    assert own("nonsense").needs == ()
    assert own("").needs == ()


def test_who_disables_the_control_is_known_by_its_own_variable() -> None:
    for value, controlled in (("true", False), ("TRUE", False), ("false", True), (None, True)):
        env = [] if value is None else [{"name": "CUDA_DISABLE_CONTROL", "value": value}]
        document = build.pod_json(
            build.container(env=env), annotations={keys.NVIDIA_ALLOCATED: "GPU-a,NVIDIA,1,0:;"}
        )
        (need,) = pods.read(msgspec.json.encode(document)).needs
        assert need.controlled is controlled


def test_its_instances_and_who_sees_them() -> None:
    reserved = (
        '[{"containerIndex":2,"deviceIndex":0,"gpuUUID":"GPU-a","profile":"1g","placement":'
        '{"start":6,"size":1},"migUUID":"MIG-1","gpuInstanceID":7,"computeInstanceID":0},'
        '{"containerIndex":9,"deviceIndex":0,"gpuUUID":"GPU-b","profile":"1g","placement":'
        '{"start":0,"size":1},"migUUID":"MIG-2","gpuInstanceID":1,"computeInstanceID":0}]'
    )
    document = build.pod_json(
        build.container("plain"), build.container("main"), init=(build.container("init"),),
        annotations={keys.NVIDIA_ALLOCATED: GRANTS, keys.NVIDIA_MIG: reserved},
    )  # fmt: skip
    found = pods.read(msgspec.json.encode(document))
    assert found.places == (Place("GPU-a", "1g", 6, 1), Place("GPU-b", "1g", 0, 1))
    (seen,) = found.instances
    assert (seen.owner.container, seen.mig_uuid, seen.gpu_instance) == ("main", "MIG-1", 7)
