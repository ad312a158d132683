"""AWS Neuron: devices of two, four or eight cores; whole devices side by side, or single cores.

Facts/devices.md 4. Cores of a device are its units, and a grant is a mask of them. What a number of
cores means in devices is decided on each node, because instance types differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.model.device import Device
from hami_admission.model.grant import Grant
from hami_admission.model.names import ResourceNames
from hami_admission.model.request import Request
from hami_admission.model.verdict import Objection, Reason
from hami_admission.topology import runs
from hami_admission.vendors import holdings
from hami_admission.vendors.inventory import Inventory
from hami_admission.vendors.vendor import NOTHING, About, Assigned, Keys, Reading, Vendor
from hami_admission.wire import keys, quantities
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hami_admission.model.card import Card
    from hami_admission.model.grant import PodGrants
    from hami_admission.model.pod import Container
    from hami_admission.model.wishes import Wishes
    from hami_admission.settings import NeuronOptions
    from hami_admission.vendors.vendor import Able
    from hami_admission.wire.nodes import NodeFacts

WORD = "AWSNeuron"

MAX_DEVICES, MAX_CORES = 64, 512
"""Of one container; the largest instance has 16 devices and 128 cores."""

GROUPS = (1, 4, 8, 16)
"""Devices of one container on Trainium, each group at a multiple of its size."""


def neuron(options: NeuronOptions) -> Vendor:
    """The value of the family, under the resource names that the options give."""
    names = ResourceNames(count=options.resource_count_name, cores=options.resource_cores_name)

    def parse(container: Container, annotations: Mapping[str, str]) -> Reading:
        return _reading(container, names)

    def inventory(facts: NodeFacts) -> Inventory:
        return _inventory(facts, names)

    def annotate(assigned: Assigned) -> dict[str, str]:
        return _annotate(assigned, names.cores)

    return Vendor(
        word=WORD,
        about=About(
            "AWS Neuron",
            "whole devices, or their cores one by one",
            "AWS's neuron-device-plugin with its scheduler extension, whose annotations we write",
            "side by side: any run on Inferentia, aligned groups of 4, 8 or 16 on Trainium",
            cores="cores of one device, or of several whole devices",
        ),
        names=names,
        keys=Keys(use_uuid=keys.NEURON_USE_UUID, nouse_uuid=keys.NEURON_NOUSE_UUID),
        parse=parse,
        inventory=inventory,
        charge=_charge,
        resolve=_resolve,
        choose=_choose,
        choosy=_choosy,
        annotate=annotate,
        recall=_recall,
    )


def _reading(container: Container, names: ResourceNames) -> Reading:
    """Whole devices, or cores; both at once can mean two things and is refused.

    A request for whole devices has no cores of its own: they are the device's.
    """
    limits, requests = container.limits or {}, container.requests or {}
    given = {name: limits.get(name, requests.get(name)) for name in names.asking}
    asked = {name: value for name, value in given.items() if value is not None}
    if not asked:
        return NOTHING
    objections: list[Objection] = []
    values: dict[str, int] = {}
    for name, raw in asked.items():
        where = f"{container.path}.resources.limits[{name}]"
        high = MAX_DEVICES if name == names.count else MAX_CORES
        try:
            value = quantities.integer(raw)
        except Malformed:
            value = None
        if value is None or not 0 <= value <= high or requests.get(name, raw) != raw:
            advice = f"must be a whole number from 0 to {high}, the same as limit and request"
            objections.append(Objection(where, str(raw)[:60], advice))
        elif value:
            values[name] = value
    cores = values.get(names.cores, 0)
    if cores > 1 and cores % 2:
        where = f"{container.path}.resources.limits[{names.cores}]"
        objections.append(Objection(where, str(cores), "must be 1 or a multiple of 2"))
    if len(values) > 1:
        where = f"{container.path}.resources.limits[{names.cores}]"
        advice = f"{names.count} asks for whole devices with all their cores; name one of the two"
        objections.append(Objection(where, str(cores), advice))
    if objections:
        return Reading(objections=tuple(objections))
    if not values:
        return NOTHING
    count = values.get(names.count, 1)
    lacking = {name: value for name, value in values.items() if limits.get(name) is None}
    return Reading(request=Request(WORD, count, 0, 100, cores), limits=lacking)


def _inventory(facts: NodeFacts, names: ResourceNames) -> Inventory:
    """Made up from the node's capacity: so many devices, so many cores, evenly."""
    capacity = facts.capacity or facts.allocatable or {}
    count = quantities.floor(capacity.get(names.count, 0))
    cores = quantities.floor(capacity.get(names.cores, 0))
    if not count:
        return Inventory()
    if count > MAX_DEVICES or cores % count or not 0 < cores // count <= MAX_CORES // count + 8:
        raise Malformed(f"capacity: {count} {names.count} with {cores} {names.cores}")
    offered = (facts.allocatable or {}).get(names.count)
    if offered is not None and quantities.floor(offered) == 0:
        return Inventory()
    each, kind = cores // count, facts.labels.get(keys.INSTANCE_TYPE_LABEL, "")
    return Inventory(
        tuple(
            Device(
                uuid=f"{facts.name}-{WORD}-{index}",
                index=index,
                type=f"{WORD}-{kind}" if kind else WORD,
                slots=each,
                memory_mib=0,
                cores=each,
                units=each,
                mode="",
            )
            for index in range(count)
        )
    )


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


def _choose(able: Sequence[Able], count: int, wishes: Wishes) -> Sequence[Able] | Reason:
    """One device as the policy says; several side by side, by their index.

    Inferentia devices stand in a chain, any neighbours will do; Trainium's are used in groups.
    """
    if count == 1:
        return able[:1]
    by_index = {card.device.index: (card, grant) for card, grant in able}
    if "inf" in able[0][0].device.type.lower():
        run = runs.first(tuple(by_index), count)
    else:
        run = runs.aligned(tuple(by_index), count) if count in GROUPS else None
    return Reason.NUMA_NOT_FIT if run is None else [by_index[index] for index in run]


def _choosy(count: int, wishes: Wishes) -> bool:
    return count > 1


def _annotate(assigned: Assigned, cores: str) -> dict[str, str]:
    """What AWS's own scheduler extension writes, and our record of the masks."""
    masked = tuple(
        tuple(
            Grant(each.uuid, each.vendor, 0, sum(1 << unit for unit in each.units)) for each in slot
        )
        for slot in assigned.grants
    )
    by_core = any(request.cores for slot in assigned.requests for request in slot)
    ids = [
        str(number)
        for slot in assigned.grants
        for grant in slot
        for number in _ids(grant, assigned.devices[grant.uuid], by_core=by_core)
    ]
    found = holdings.standard(
        Assigned(assigned.node, assigned.now, assigned.requests, masked, assigned.devices),
        to_allocate=keys.NEURON_ALLOCATED,
        allocated=keys.NEURON_ALLOCATED,
    )
    found |= {
        keys.NEURON_IDS: ",".join(ids),
        keys.NEURON_ALLOC_TIME: str(int(assigned.now * 1_000_000_000)),
        keys.NEURON_DONE: "false",
        keys.NEURON_NODE: assigned.node,
    }
    return {**found, keys.NEURON_RESOURCE_TYPE: cores} if by_core else found


def _ids(grant: Grant, device: Device, *, by_core: bool) -> list[int]:
    """Indices of devices, or of cores counted through all devices of the node."""
    if not by_core:
        return [device.index]
    return [device.units * device.index + unit for unit in grant.units]


def _recall(notes: Mapping[str, str]) -> PodGrants:
    found = holdings.recalled(notes, allocated=keys.NEURON_ALLOCATED)
    return tuple(tuple(map(_unmasked, slot)) for slot in found)


def _unmasked(grant: Grant) -> Grant:
    units = tuple(unit for unit in range(MAX_CORES) if grant.cores >> unit & 1)
    return Grant(grant.uuid, grant.vendor, 0, len(units), units)
