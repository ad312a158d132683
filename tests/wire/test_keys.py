"""Names that we share with others."""

from __future__ import annotations

import pytest

from hami_admission.wire import keys

RESERVED = {
    "hami.io/vgpu-node": True,
    "hami.io/vgpu-devices-allocated": True,
    "hami.io/vgpu-devices-to-allocate": True,
    "hami.io/bind-phase": True,
    "hami.io/bind-time": True,
    "hami.io/env-0.nvidia-visible-devices": True,
    "hami.io/node-scheduler-policy": False,
    "hami.io/gpu-scheduler-policy": False,
    "hami.io/webhook": False,
    "nvidia.com/use-gputype": False,
    "example.org/hami.io/vgpu-node": False,
}


@pytest.mark.parametrize("annotation", RESERVED)
def test_reserved(annotation: str) -> None:
    assert keys.reserved(annotation) is RESERVED[annotation]


def test_the_environment_of_a_slot_has_an_annotation_and_a_path() -> None:
    """Design 13."""
    annotation = keys.env_annotation(2, "CUDA_DEVICE_MEMORY_LIMIT_0")
    assert annotation == "hami.io/env-2.cuda-device-memory-limit-0"
    assert keys.reserved(annotation)
    assert keys.annotation_path(annotation) == (
        "metadata.annotations['hami.io/env-2.cuda-device-memory-limit-0']"
    )
