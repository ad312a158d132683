"""MIG by the management library NVML: what a card can be cut into, and cutting it.

A *GPU instance* is a part of a card; what a container sees is a *compute instance* in it. Ours have
one, which is all of the part.
"""

from __future__ import annotations

from ctypes import byref, c_uint
from typing import TYPE_CHECKING, Any

import pynvml

from hami_admission.model.instance import Instance, Place
from hami_admission.node.facts import ProfileFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Handle = Any

SHARED = pynvml.NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED


def either(otherwise: Any, question: Callable[..., Any], *about: Any) -> Any:
    """The answer; what a card does not support is not an error of the machine."""
    try:
        return question(*about)
    except pynvml.NVMLError:
        return otherwise


def text(value: str | bytes) -> str:
    """Older versions of the binding give bytes."""
    return value.decode() if isinstance(value, bytes) else value


def profiles(handle: Handle) -> tuple[ProfileFacts, ...]:
    """The sizes of instances that the card can be cut into, each with the places for it."""
    return tuple(
        ProfileFacts(
            name=_name(info),
            memory_mib=int(info.memorySizeMB),
            multiprocessors=int(info.multiprocessorCount),
            slices=int(info.sliceCount),
            instances=int(info.instanceCount),
            places=either((), _places, handle, info.id),
        )
        for info in _infos(handle)
    )


def instances(handle: Handle) -> tuple[Instance, ...]:
    """Those that there are; one that nobody can use has no uuid."""
    card = text(pynvml.nvmlDeviceGetUUID(handle))
    usable = {gpu: (compute, uuid) for gpu, compute, uuid in _usable(handle)}
    found = []
    for info in _infos(handle):
        for instance in either((), _gpu_instances, handle, info):
            made = pynvml.nvmlGpuInstanceGetInfo(instance)
            start, size = int(made.placement.start), int(made.placement.size)
            compute, uuid = usable.get(made.id, (0, ""))
            place = Place(card, _name(info), start, size)
            found.append(Instance(place, uuid, int(made.id), compute))
    return tuple(found)


def make(place: Place) -> None:
    """Raises NVMLError; nothing is left then."""
    handle = pynvml.nvmlDeviceGetHandleByUUID(place.card)
    info = next((each for each in _infos(handle) if _name(each) == place.profile), None)
    if info is None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
    where = pynvml.c_nvmlGpuInstancePlacement_t(place.start, place.size)
    instance = pynvml.nvmlDeviceCreateGpuInstanceWithPlacement(handle, info.id, byref(where))
    try:
        whole = max(_compute_infos(instance), key=lambda each: int(each.sliceCount))
        pynvml.nvmlGpuInstanceCreateComputeInstance(instance, whole.id)
    except (pynvml.NVMLError, ValueError):
        pynvml.nvmlGpuInstanceDestroy(instance)
        raise


def destroy(instance: Instance) -> None:
    """Raises NVMLError, for example while a process uses it."""
    handle = pynvml.nvmlDeviceGetHandleByUUID(instance.place.card)
    gpu = pynvml.nvmlDeviceGetGpuInstanceById(handle, instance.gpu_instance)
    for info in _compute_infos(gpu):
        for compute in either((), _compute_instances, gpu, info):
            pynvml.nvmlComputeInstanceDestroy(compute)
    pynvml.nvmlGpuInstanceDestroy(gpu)


def _name(info: Any) -> str:
    return text(info.name).removeprefix("MIG ")


def _infos(handle: Handle) -> Iterator[Any]:
    for number in range(pynvml.NVML_GPU_INSTANCE_PROFILE_COUNT):
        info = either(None, pynvml.nvmlDeviceGetGpuInstanceProfileInfoV, handle, number)
        if info is not None:
            yield info


def _compute_infos(instance: Any) -> Iterator[Any]:
    ask = pynvml.nvmlGpuInstanceGetComputeInstanceProfileInfo
    for number in range(pynvml.NVML_COMPUTE_INSTANCE_PROFILE_COUNT):
        info = either(None, ask, instance, number, SHARED)
        if info is not None:
            yield info


def _places(handle: Handle, profile: int) -> tuple[tuple[int, int], ...]:
    count = c_uint()
    pynvml.nvmlDeviceGetGpuInstancePossiblePlacements(handle, profile, None, byref(count))
    found = (pynvml.c_nvmlGpuInstancePlacement_t * count.value)()
    pynvml.nvmlDeviceGetGpuInstancePossiblePlacements(handle, profile, found, byref(count))
    return tuple((int(each.start), int(each.size)) for each in found[: count.value])


def _gpu_instances(handle: Handle, info: Any) -> list[Any]:
    count = c_uint()
    found = (pynvml.c_nvmlGpuInstance_t * max(int(info.instanceCount), 1))()
    pynvml.nvmlDeviceGetGpuInstances(handle, info.id, found, byref(count))
    return list(found[: count.value])


def _compute_instances(instance: Any, info: Any) -> list[Any]:
    count = c_uint()
    found = (pynvml.c_nvmlComputeInstance_t * max(int(info.instanceCount), 1))()
    pynvml.nvmlGpuInstanceGetComputeInstances(instance, info.id, found, byref(count))
    return list(found[: count.value])


def _usable(handle: Handle) -> Iterator[tuple[int, int, str]]:
    """GPU instance, compute instance and uuid of each device that a container can be given."""
    for number in range(either(0, pynvml.nvmlDeviceGetMaxMigDeviceCount, handle)):
        device = either(None, pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, number)
        if device is not None:
            yield (
                int(pynvml.nvmlDeviceGetGpuInstanceId(device)),
                int(pynvml.nvmlDeviceGetComputeInstanceId(device)),
                text(pynvml.nvmlDeviceGetUUID(device)),
            )
