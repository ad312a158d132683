"""AWS Neuron: devices of two, four or eight cores; whole devices side by side, or single cores.

Facts/devices.md 4. Cores of a device are its units, and a grant is a mask of them. What a number of
cores means in devices is decided on each node, because instance types differ.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.device import Device
from hami_admission.model.grant import Grant
from hami_admission.model.names import ResourceNames
from hami_admission.model.request import Request
from hami_admission.model.verdict import Reason
from hami_admission.options import CardSize
from hami_admission.topology import runs
from hami_admission.vendors import holdings, parse, refine, together
from hami_admission.vendors.inventory import Inventory, made_up
from hami_admission.vendors.plain import described, plain
from hami_admission.vendors.vendor import NOTHING, About, Assigned, Reading, Vendor, several
from hami_admission.wire import keys
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hami_admission.model.card import Card
    from hami_admission.model.pod import Container
    from hami_admission.settings import NeuronOptions
    from hami_admission.vendors.inventory import Maker
    from hami_admission.vendors.vendor import Parse
    from hami_admission.wire.nodes import NodeFacts

WORD = "AWSNeuron"

MAX_DEVICES, MAX_CORES = 64, 512
"""Of one container; the largest instance has 16 devices and 128 cores."""

MAX_UNITS = 32
"""Cores of one device (none has over eight), for annotations of pods have their mask."""

GROUPS = (1, 4, 8, 16)
"""Devices of one container on Trainium, each group at a multiple of its size."""


def neuron(options: NeuronOptions) -> Vendor:
    """The value of the family, under the resource names that the options give."""
    base = plain(
        described(
            options,
            word=WORD,
            resource_core_name=options.resource_cores_name,
            card=CardSize(),
            to_allocate=keys.NEURON_ALLOCATED,
            allocated=keys.NEURON_ALLOCATED,
            use_uuid=keys.NEURON_USE_UUID,
            no_use_uuid=keys.NEURON_NOUSE_UUID,
        )
    )
    names = base.names
    counts = (
        parse.Defaults(most=MAX_DEVICES),
        parse.Defaults(most=MAX_CORES, counted="cores of one container"),
    )
    devices, cores = (
        parse.reader(vendor=WORD, names=ResourceNames(count=name), defaults=each)
        for name, each in zip(names.asking, counts, strict=True)
    )
    return replace(
        base,
        about=About(
            "AWS Neuron",
            "whole devices, or their cores one by one",
            "AWS's neuron-device-plugin with its scheduler extension, whose annotations we write",
            "side by side: any run on Inferentia, aligned groups of 4, 8 or 16 on Trainium",
            cores="cores of one device, or of several whole devices",
        ),
        parse=partial(_reading, devices, cores, names),
        inventory=partial(_inventory, names),
        charge=_charge,
        resolve=_resolve,
        choose=together.by_index(_side_by_side),
        choosy=several,
        annotate=partial(_annotate, base),
        recall=lambda notes: holdings.unmasked(base.recall(notes)),
    )


def _reading(
    by_devices: Parse,
    by_cores: Parse,
    names: ResourceNames,
    container: Container,
    annotations: Mapping[str, str],
) -> Reading:
    """Whole devices, or cores; both at once can mean two things and is refused.

    A request for whole devices has no cores of its own: they are the device's.
    """
    devices, cores = by_devices(container, annotations), by_cores(container, annotations)
    objections = [*devices.objections, *cores.objections]
    number = cores.request.count if cores.request else 0
    if number > 1 and number % 2:
        advice = "must be 1 or a multiple of 2"
        objections.append(refine.wrong_amount(container, names.cores, advice))
    if devices.request and cores.request:
        advice = f"{names.count} asks for whole devices with all their cores; name one of the two"
        objections.append(refine.wrong_amount(container, names.cores, advice))
    if objections:
        return Reading(objections=tuple(objections))
    if cores.request:
        return cores.asking(count=1, memory_mib=0, cores=number)
    return devices.asking(memory_mib=0) if devices.request else NOTHING


def _inventory(names: ResourceNames, facts: NodeFacts) -> Inventory:
    """Made up from the node's capacity: so many devices, so many cores, evenly."""
    kind = facts.labels.get(keys.INSTANCE_TYPE_LABEL, "")
    named = f"{WORD}-{kind}" if kind else WORD

    def make(amounts: list[int]) -> tuple[int, Maker]:
        count, cores = amounts
        each = cores // count if count else 0
        if count and (count > MAX_DEVICES or cores % count or not 0 < each <= MAX_UNITS):
            raise Malformed(f"capacity: {count} {names.count} with {cores} {names.cores}")
        return count, lambda node, index: Device(
            f"{node}-{WORD}-{index}", index, named, each, 0, each, mode="", units=each
        )

    return Inventory(made_up(facts, names.asking, make))


def _resolve(request: Request, cards: Sequence[Card]) -> Request | Reason:
    """Whole devices as they are; cores as part of one device, or as whole devices."""
    each = cards[0].device.units
    if request.cores == 0:
        return Request(WORD, request.count, 0, 100, each)
    if request.cores <= each:
        return request
    if request.cores % each:
        return Reason.CARD_INSUFFICIENT_CORE
    return Request(WORD, request.cores // each, 0, 100, each)


def _charge(card: Card, request: Request) -> Grant | Reason:
    """Neighbouring cores where there are some free, else the first free ones."""
    free = card.free_units
    if len(free) < request.cores:
        return Reason.CARD_INSUFFICIENT_CORE
    units = runs.first(free, request.cores) or free[: request.cores]
    return Grant(card.device.uuid, WORD, 0, request.cores, units)


def _side_by_side(free: Sequence[int], count: int, device: Device) -> Sequence[int] | None:
    """One device as the policy says; several side by side.

    Inferentia devices stand in a chain, any neighbours will do; Trainium's are used in groups.
    """
    if count == 1:
        return free[:1]
    if "inf" in device.type.lower():
        return runs.first(free, count)
    return runs.aligned(free, count) if count in GROUPS else None


def _annotate(base: Vendor, assigned: Assigned) -> dict[str, str]:
    """What AWS's own scheduler extension writes, and our record of the masks."""
    masked = msgspec.structs.replace(assigned, grants=holdings.masked(assigned.grants))
    by_core = any(request.cores for slot in assigned.requests for request in slot)
    ids = [
        str(number)
        for slot in assigned.grants
        for grant in slot
        for number in _ids(grant, assigned.devices[grant.uuid], by_core=by_core)
    ]
    found = base.annotate(masked) | {
        keys.NEURON_IDS: ",".join(ids),
        keys.NEURON_ALLOC_TIME: str(int(assigned.now * 1_000_000_000)),
        keys.NEURON_DONE: "false",
        keys.NEURON_NODE: assigned.node,
    }
    return {**found, keys.NEURON_RESOURCE_TYPE: base.names.cores} if by_core else found


def _ids(grant: Grant, device: Device, *, by_core: bool) -> list[int]:
    """Indices of devices, or of cores counted through all devices of the node."""
    if not by_core:
        return [device.index]
    return [device.units * device.index + unit for unit in grant.units]
