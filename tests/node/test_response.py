"""What a container gets of its device ids: names and paths of facts/node.md 1.10 and 1.11."""

from __future__ import annotations

import msgspec
import pytest

from hami_admission.node import response
from hami_admission.node.options import Options
from hami_admission.node.response import Mount
from tests.node.cards import card

CARDS = {uuid: card(n, uuid=uuid) for n, uuid in enumerate(("GPU-a", "GPU-b"))}
DEVICES = ["GPU-b-3", "GPU-a-0"]
FOLDER = f"/usr/local/vgpu/containers/{response.folder(DEVICES)}"


def test_a_share_of_two_cards() -> None:
    found = response.of(DEVICES, "x.cache", Options(), CARDS)
    assert found.environment == {
        "NVIDIA_VISIBLE_DEVICES": "GPU-b,GPU-a",
        "CUDA_DEVICE_MEMORY_SHARED_CACHE": "/usr/local/vgpu/x.cache",
        "LIBCUDA_LOG_LEVEL": "1",
    }
    assert found.mounts == (
        Mount("/usr/local/vgpu/libvgpu.so", "/usr/local/vgpu/libvgpu.so"),
        Mount("/usr/local/vgpu", FOLDER, read_only=False),
        Mount("/tmp/vgpulock", "/tmp/vgpulock", read_only=False),
        Mount("/etc/ld.so.preload", "/usr/local/vgpu/ld.so.preload"),
    )
    assert (found.devices, found.annotations, found.cdi) == ((), {}, ())


def test_who_disables_the_control_has_no_preload() -> None:
    found = response.of(DEVICES, "x.cache", Options(), CARDS, controlled=False)
    assert "/etc/ld.so.preload" not in {mount.container for mount in found.mounts}
    assert "/usr/local/vgpu/libvgpu.so" in {mount.container for mount in found.mounts}


def test_options_that_the_library_reads() -> None:
    options = Options(memory_scaling=1.5, disable_core_limit=True, log_level=3, hook_path="/opt")
    found = response.of(DEVICES, "x.cache", options, CARDS)
    assert found.environment["CUDA_OVERSUBSCRIBE"] == "true"
    assert found.environment["GPU_CORE_UTILIZATION_POLICY"] == "disable"
    assert found.environment["LIBCUDA_LOG_LEVEL"] == "3"
    assert found.environment["CUDA_DEVICE_MEMORY_SHARED_CACHE"] == "/opt/vgpu/x.cache"
    assert found.mounts[3] == Mount("/etc/ld.so.preload", "/opt/vgpu/ld.so.preload")


def test_without_isolation_and_on_instances_there_is_no_library() -> None:
    found = response.of(DEVICES, "x.cache", Options(isolation="none"), CARDS)
    assert (found.environment, found.mounts) == ({"NVIDIA_VISIBLE_DEVICES": "GPU-b,GPU-a"}, ())
    cut = {uuid: msgspec.structs.replace(each, mig=True) for uuid, each in CARDS.items()}
    assert response.of(DEVICES, "x.cache", Options(), cut) == found


LISTS: dict[str, tuple[str, dict[str, str], tuple[str, ...], dict[str, str]]] = {
    "volume-mounts": (
        "volume-mounts", {"NVIDIA_VISIBLE_DEVICES": "/var/run/nvidia-container-devices"}, (), {}),
    "cdi-cri": (
        "cdi-cri", {},
        ("k8s.device-plugin.nvidia.com/gpu=GPU-b", "k8s.device-plugin.nvidia.com/gpu=GPU-a"), {}),
}  # fmt: skip


@pytest.mark.parametrize("case", LISTS.values(), ids=LISTS)
def test_other_ways_to_name_the_cards(
    case: tuple[str, dict[str, str], tuple[str, ...], dict[str, str]],
) -> None:
    strategy, environment, cdi, annotations = case
    options = msgspec.convert({"list_strategies": [strategy], "isolation": "none"}, Options)
    found = response.of(DEVICES, "x.cache", options, CARDS)
    assert (found.environment, found.cdi, found.annotations) == (environment, cdi, annotations)
    if strategy == "volume-mounts":
        assert found.mounts[0] == Mount("/var/run/nvidia-container-devices/GPU-b", "/dev/null")


def test_by_annotation_of_the_runtime() -> None:
    options = Options(list_strategies=("cdi-annotations",), isolation="none")
    found = response.of(["GPU-a-0"], "x.cache", options, CARDS)
    assert list(found.annotations.values()) == ["k8s.device-plugin.nvidia.com/gpu=GPU-a"]
    assert all(key.startswith("cdi.k8s.io/") for key in found.annotations)


def test_device_files_where_the_runtime_does_not_bring_them() -> None:
    found = response.of(DEVICES, "x.cache", Options(pass_device_specs=True), CARDS)
    assert found.devices == (*response.CONTROL_PATHS, "/dev/nvidia1", "/dev/nvidia0")
    assert response.of(["x-0"], "x.cache", Options(pass_device_specs=True), CARDS).devices == ()


def test_the_folder_is_the_same_for_the_same_devices_in_any_order() -> None:
    assert response.folder(DEVICES) == response.folder(DEVICES[::-1])
    assert response.folder(DEVICES) != response.folder(DEVICES[:1])
    assert len(response.folder([f"GPU-{n}" * 9 for n in range(16)])) == 32


def test_cards_may_be_named_by_number_and_the_runtime_may_bring_more() -> None:
    options = Options(
        id_strategy="index", isolation="none", gdrcopy=True, gds=True, mofed=True,
        imex_channels=(0, 1), list_strategies=("envvar", "cdi-cri"),
    )  # fmt: skip
    found = response.of(DEVICES, "x.cache", options, CARDS)
    assert found.environment == {
        "NVIDIA_VISIBLE_DEVICES": "1,0", "NVIDIA_GDRCOPY": "enabled", "NVIDIA_GDS": "enabled",
        "NVIDIA_MOFED": "enabled", "NVIDIA_IMEX_CHANNELS": "0,1",
    }  # fmt: skip
    assert found.cdi == ("k8s.device-plugin.nvidia.com/gpu=1", "k8s.device-plugin.nvidia.com/gpu=0")
