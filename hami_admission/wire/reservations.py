"""MIG reservations of a pod, both ways: ``hami.io/vgpu-mig-allocations`` (facts/devices.md 3.4).

A JSON array of ``{containerIndex, deviceIndex, gpuUUID, profile, placement: {start, size}}``; the
node adds the ids of the instances that it made, which we do not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from hami_admission.model.grant import Grant, PodGrants

MAX_UNITS = 64


class _Place(msgspec.Struct):
    start: int
    size: int


class _Reservation(msgspec.Struct, rename="camel"):
    container_index: int
    device_index: int
    gpu_uuid: str = msgspec.field(name="gpuUUID")
    profile: str
    placement: _Place


_DECODER = msgspec.json.Decoder(list[_Reservation])


def encode(grants: PodGrants) -> str:
    """The reservations of the grants that are instances; empty where there is none."""
    found = [
        _Reservation(
            container, device, grant.uuid, grant.profile, _Place(grant.units[0], len(grant.units))
        )
        for container, slot in enumerate(grants)
        for device, grant in enumerate(slot)
        if grant.profile
    ]
    return msgspec.json.encode(found).decode() if found else ""


def decode(text: str, grants: PodGrants) -> PodGrants:
    """The grants with the instances that the text says they are; raises Malformed."""
    try:
        found = _DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed(f"MIG annotation: {error}") from error
    slots = [list(slot) for slot in grants]
    for each in found:
        start, size = each.placement.start, each.placement.size
        if start < 0 or size < 1 or start + size > MAX_UNITS or not each.profile:
            raise Malformed(f"MIG annotation: no such place: {start}, {size}")
        grant = _at(slots, each.container_index, each.device_index)
        if grant is None or grant.uuid != each.gpu_uuid or grant.profile:
            raise Malformed("MIG annotation: does not agree with the allocated devices")
        units = tuple(range(start, start + size))
        slots[each.container_index][each.device_index] = msgspec.structs.replace(
            grant, units=units, profile=each.profile
        )
    return tuple(map(tuple, slots))


def _at(slots: list[list[Grant]], container: int, device: int) -> Grant | None:
    if 0 <= container < len(slots) and 0 <= device < len(slots[container]):
        return slots[container][device]
    return None
