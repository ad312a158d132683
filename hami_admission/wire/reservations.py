"""MIG reservations of a pod, both ways: ``hami.io/vgpu-mig-allocations`` (facts/devices.md 3.4).

A JSON array of ``{containerIndex, deviceIndex, gpuUUID, profile, placement: {start, size}}``, with
``migUUID``, ``gpuInstanceID`` and ``computeInstanceID`` of the instances where they exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.instance import Instance, Place
from hami_admission.wire.errors import Malformed
from hami_admission.wire.instances import WirePlacement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.model.grant import Grant, PodGrants


class _Reservation(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    container_index: int
    device_index: int
    gpu_uuid: str = msgspec.field(name="gpuUUID")
    profile: str
    placement: WirePlacement
    mig_uuid: str | None = msgspec.field(default=None, name="migUUID")
    gpu_instance: int | None = msgspec.field(default=None, name="gpuInstanceID")
    compute_instance: int | None = msgspec.field(default=None, name="computeInstanceID")


class Reserved(msgspec.Struct, frozen=True):
    """What a container has as its card number ``device``; ``instance`` where it exists."""

    container: int
    device: int
    place: Place
    instance: Instance | None


_DECODER = msgspec.json.Decoder(list[_Reservation])


def place(grant: Grant) -> Place:
    """Where an instance lies that was granted."""
    return Place(grant.uuid, grant.profile, grant.units[0], len(grant.units))


def places(grants: PodGrants) -> tuple[Place, ...]:
    """Those of all grants that are instances, each once."""
    found = {place(grant) for slot in grants for grant in slot if grant.profile}
    return tuple(sorted(found))


def encode(grants: PodGrants, made: Mapping[Place, Instance]) -> str:
    """The reservations of the grants that are instances; empty where there is none."""
    found = [
        _encoded(container, device, place(grant), made.get(place(grant)))
        for container, slot in enumerate(grants)
        for device, grant in enumerate(slot)
        if grant.profile
    ]
    return msgspec.json.encode(found).decode() if found else ""


def _encoded(container: int, device: int, at: Place, made: Instance | None) -> _Reservation:
    return _Reservation(
        container_index=container,
        device_index=device,
        gpu_uuid=at.card,
        profile=at.profile,
        placement=WirePlacement(at.start, at.size),
        mig_uuid=None if made is None else made.uuid,
        gpu_instance=None if made is None else made.gpu_instance,
        compute_instance=None if made is None else made.compute_instance,
    )


def read(text: str) -> tuple[Reserved, ...]:
    """What the text says, whatever was granted; raises Malformed."""
    try:
        found = _DECODER.decode(text) if text else []
        return tuple(
            Reserved(each.container_index, each.device_index, _place(each), _instance(each))
            for each in found
        )
    except (msgspec.DecodeError, RecursionError, UnicodeError, Malformed) as error:
        raise Malformed(f"MIG annotation: {error}") from error


def _place(each: _Reservation) -> Place:
    return each.placement.of(each.gpu_uuid, each.profile)


def _instance(each: _Reservation) -> Instance | None:
    if each.mig_uuid is None or each.gpu_instance is None or each.compute_instance is None:
        return None
    return Instance(_place(each), each.mig_uuid, each.gpu_instance, each.compute_instance)


def decode(text: str, grants: PodGrants) -> PodGrants:
    """The grants with the instances that the text says they are; raises Malformed."""
    slots = [list(slot) for slot in grants]
    for each in read(text):
        at = each.place
        grant = _at(slots, each.container, each.device)
        if grant is None or grant.uuid != at.card or grant.profile:
            raise Malformed("MIG annotation: does not agree with the allocated devices")
        slots[each.container][each.device] = msgspec.structs.replace(
            grant, units=tuple(range(at.start, at.start + at.size)), profile=at.profile
        )
    return tuple(map(tuple, slots))


def _at(slots: list[list[Grant]], container: int, device: int) -> Grant | None:
    if 0 <= container < len(slots) and 0 <= device < len(slots[container]):
        return slots[container][device]
    return None
