"""NVIDIA: whole and shared cards, isolated by a library that reads its limits from variables."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.names import ResourceNames
from hami_admission.model.node import Handover
from hami_admission.model.pod import EnvVar, from_field
from hami_admission.vendors import charges, holdings, linked, mig, parse
from hami_admission.vendors.checks import COMMON, COMMON_OF_ANY
from hami_admission.vendors.inventory import Inventory, registered
from hami_admission.vendors.vendor import About, Keys, Reading, Runtime, Vendor
from hami_admission.wire import keys, registers, reservations, wishes
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.model.card import Card
    from hami_admission.model.grant import Grant, PodGrants, SlotGrants
    from hami_admission.model.pod import Container
    from hami_admission.model.request import Request
    from hami_admission.model.verdict import Reason
    from hami_admission.settings import NvidiaOptions
    from hami_admission.vendors.vendor import Assigned, Made
    from hami_admission.wire.nodes import NodeFacts

WORD = "NVIDIA"

RIVALS = ("k8s-device-plugin", "nvidia-device-plugin", "vgpu-device-plugin")
"""Of NVIDIA itself, its operator, and Volcano."""

THERE = ("Reported", "Requesting")
"""How the handshake of a node with HAMi's plugin begins; HAMi 2.7 gives a node up with another."""

RUNTIME = Runtime(
    handler="nvidia",
    question=(
        "grep accept-nvidia-visible-devices-envvar-when-unprivileged"
        " /etc/nvidia-container-runtime/config.toml; if it is false, or cards are given by CDI"
        " alone, run the agent with --mode devices"
    ),
)
"""The NVIDIA container toolkit."""


def nvidia(options: NvidiaOptions) -> Vendor:
    """The value of the family, under the resource names that the options give."""
    names = ResourceNames(
        count=options.resource_count_name,
        memory=options.resource_memory_name,
        percent=options.resource_percent_name,
        cores=options.resource_cores_name,
        priority=options.resource_priority_name,
        unit_mib=options.memory_factor,
    )
    defaults = parse.Defaults(
        options.default_gpu_num, options.default_memory, options.default_cores, exclusive=True
    )
    return Vendor(
        word=WORD,
        about=About(
            "NVIDIA",
            "memory and cores, by HAMi's library; instances of cards in MIG mode",
            "our agent, or HAMi's nvidia-device-plugin",
            f"linked by NVLink: `{keys.TOPOLOGY}`; or on one NUMA node",
        ),
        names=names,
        keys=Keys(
            use_type=keys.NVIDIA_USE_TYPE,
            nouse_type=keys.NVIDIA_NOUSE_TYPE,
            use_uuid=keys.NVIDIA_USE_UUID,
            nouse_uuid=keys.NVIDIA_NOUSE_UUID,
            mode=keys.NVIDIA_MODE,
            numa_bind=keys.NVIDIA_NUMA_BIND,
        ),
        parse=parse.reader(
            vendor=WORD, names=names, defaults=defaults, apart=keys.NVIDIA_STATIC_MIG
        ),
        inventory=partial(_inventory, count=names.count),
        checks=(*COMMON, mig.known),
        checks_of_any=(*COMMON_OF_ANY, mig.known),
        charge=_charge,
        repeats=mig.repeats,
        choose=linked.choose,
        choosy=linked.choosy,
        annotate=_annotate,
        recall=_recall,
        wanted=partial(_wanted, core_policy=options.core_policy),
        bare=partial(_bare, always=options.overwrite_env),
        owned=OWNED,
        late=_late,
        runtime_class=options.runtime_class,
        register=keys.NVIDIA_REGISTER,
        rivals=RIVALS,
        runtime=RUNTIME,
    )


def _inventory(facts: NodeFacts, *, count: str) -> Inventory:
    """The registered cards, with what operators and the agent say about them beside that."""
    found = registered(
        facts, register=keys.NVIDIA_REGISTER, handshake=keys.NVIDIA_HANDSHAKE, count=count
    )
    cordoned = wishes.members(facts.annotations.get(keys.NVIDIA_CORDON, ""))
    scores = facts.annotations.get(keys.NVIDIA_SCORES, "").strip()
    uuids = tuple(device.uuid for device in found.devices)
    rows = registers.decode_scores(scores, uuids) if scores and uuids else ()
    # HAMi's plugin says that it is there; our agent takes that away, for nothing is handed to it.
    theirs = facts.annotations.get(keys.NVIDIA_HANDSHAKE, "").strip().startswith(THERE)
    handover = Handover(keys.NODE_LOCK) if theirs else None
    if not (cordoned or rows or handover):
        return found
    devices = (
        found.devices
        if not (cordoned or rows)
        else tuple(
            msgspec.structs.replace(each, position=n, cordoned=each.uuid in cordoned, links=rows)
            for n, each in enumerate(found.devices)
        )
    )
    return Inventory(devices, found.until, handover)


def _charge(card: Card, request: Request) -> Grant | Reason:
    """An instance of a card in MIG mode, a share of any other."""
    if card.device.mode == mig.MODE:
        return mig.instance(card, request)
    return charges.fluid(card, request)


def _annotate(assigned: Assigned) -> dict[str, str]:
    found = holdings.standard(
        assigned, to_allocate=keys.NVIDIA_TO_ALLOCATE, allocated=keys.NVIDIA_ALLOCATED
    )
    reserved = reservations.encode(assigned.grants, assigned.made)
    return {**found, keys.NVIDIA_MIG: reserved} if reserved else found


def _recall(notes: Mapping[str, str]) -> PodGrants:
    """Where the reservations cannot be read the cards stay taken, as cards in unknown use.

    So do those of HAMi before 2.10, which wrote an instance as ``UUID[template-slot]``.
    """
    found = tuple(
        tuple(_whole(grant) for grant in slot)
        for slot in holdings.recalled(notes, allocated=keys.NVIDIA_ALLOCATED)
    )
    reserved = notes.get(keys.NVIDIA_MIG, "")
    try:
        return reservations.decode(reserved, found) if reserved else found
    except Malformed:
        return found


def _whole(grant: Grant) -> Grant:
    uuid, instance, _ = grant.uuid.partition("[")
    return msgspec.structs.replace(grant, uuid=uuid) if instance else grant


OWNED = (keys.NVIDIA_VISIBLE_DEVICES, keys.CUDA_MEMORY_LIMIT, keys.CUDA_CORE_LIMIT)
"""Variables that decide what a container sees or may use of a card."""


def _wanted(slot: int, reading: Reading, *, core_policy: str) -> tuple[EnvVar, ...]:
    request = reading.request
    assert request is not None, "asked only for containers with a request"
    return _environment(slot, request, reading.priority, core_policy)


@lru_cache(maxsize=4096)
def _environment(
    slot: int, request: Request, priority: int | None, core_policy: str
) -> tuple[EnvVar, ...]:
    """Facts/node.md 1.10; literal where it is known now, else by the downward API."""
    memory = request.memory_mib
    wanted = [
        _late_env(slot, keys.NVIDIA_VISIBLE_DEVICES),
        *(
            _late_env(slot, name) if memory is None else EnvVar(name, f"{memory}m")
            for name in _memory_limits(request.count)
        ),
        EnvVar(keys.CUDA_CORE_LIMIT, str(request.cores)),
    ]
    if request.count > 1:  # upstream gives the first card's to all (facts/node.md 1.10)
        wanted += [
            EnvVar(f"{keys.CUDA_CORE_LIMIT}_{index}", str(request.cores))
            for index in range(request.count)
        ]
    if priority is not None:
        wanted.append(EnvVar(keys.CUDA_TASK_PRIORITY, str(priority)))
    if core_policy != "default":
        wanted.append(EnvVar(keys.CORE_POLICY, core_policy))
    return tuple(wanted)


def _bare(container: Container, *, always: bool) -> tuple[EnvVar, ...]:
    """A container without a request sees no card, whatever it says; ``always``: or its image."""
    named = container.env_from or any(
        env.name == keys.NVIDIA_VISIBLE_DEVICES for env in container.env or ()
    )
    return (EnvVar(keys.NVIDIA_VISIBLE_DEVICES, "none"),) if named or always else ()


def _late(request: Request, grants: SlotGrants, made: Made) -> dict[str, str]:
    seen = (_seen(grant, made) for grant in grants)
    values = {keys.NVIDIA_VISIBLE_DEVICES: ",".join(seen)}
    if request.memory_mib is None:
        for name, grant in zip(_memory_limits(request.count), grants, strict=True):
            values[name] = f"{grant.memory_mib}m"
    return values


def _seen(grant: Grant, made: Made) -> str:
    """The instance and not the card, where it has one."""
    instance = made.get(reservations.place(grant)) if grant.profile else None
    return grant.uuid if instance is None else instance.uuid


def _memory_limits(count: int) -> list[str]:
    return [f"{keys.CUDA_MEMORY_LIMIT}_{index}" for index in range(count)]


def _late_env(slot: int, name: str) -> EnvVar:
    return from_field(name, keys.annotation_path(keys.env_annotation(slot, name)))
