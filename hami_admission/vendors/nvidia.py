"""NVIDIA: whole and shared cards, isolated by a library that reads its limits from variables."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.names import ResourceNames
from hami_admission.model.node import Handover
from hami_admission.model.pod import EnvVar
from hami_admission.vendors import charges, checks, environment, holdings, linked, mig, parse
from hami_admission.vendors.inventory import Inventory, registered
from hami_admission.vendors.vendor import About, Keys, Runtime, Vendor
from hami_admission.wire import keys, registers, reservations, wishes
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.model.card import Card
    from hami_admission.model.grant import Grant, PodGrants
    from hami_admission.model.request import Request
    from hami_admission.model.verdict import Reason
    from hami_admission.settings import NvidiaOptions
    from hami_admission.vendors.vendor import Assigned
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

VARIABLES = environment.Variables(
    visible=keys.NVIDIA_VISIBLE_DEVICES,
    memory=keys.CUDA_MEMORY_LIMIT,
    cores=keys.CUDA_CORE_LIMIT,
    priority=keys.CUDA_TASK_PRIORITY,
)
"""What the library in the container reads."""


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
    set_by = options.default_gpu_num, options.default_memory, options.default_cores
    defaults = parse.Defaults(
        *set_by, adjustable=True, exclusive=True, apart=keys.NVIDIA_STATIC_MIG
    )
    policy = options.core_policy
    more = () if policy == "default" else (EnvVar(keys.CORE_POLICY, policy),)
    variables = msgspec.structs.replace(VARIABLES, more=more)
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
        parse=parse.reader(vendor=WORD, names=names, defaults=defaults),
        inventory=partial(_inventory, count=names.count),
        checks=(*checks.COMMON, mig.known),
        checks_of_any=(*checks.COMMON_OF_ANY, mig.known),
        charge=_charge,
        repeats=mig.repeats,
        choose=linked.choose,
        choosy=linked.choosy,
        annotate=_annotate,
        recall=_recall,
        wanted=partial(environment.wanted, variables),
        bare=partial(environment.bare, variables, always=options.overwrite_env),
        owned=variables.owned,
        late=partial(environment.late, variables),
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
    devices = found.devices
    if cordoned or rows:
        devices = tuple(
            msgspec.structs.replace(each, position=n, cordoned=each.uuid in cordoned, links=rows)
            for n, each in enumerate(devices)
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
    """Where the reservations cannot be read nobody can tell how much of the cards is taken.

    HAMi before 2.10 wrote an instance as ``UUID[template-slot]``: such cards stay taken, as cards
    in unknown use.
    """
    found = holdings.each(holdings.recalled(notes, allocated=keys.NVIDIA_ALLOCATED), _whole)
    reserved = notes.get(keys.NVIDIA_MIG, "")
    try:
        return reservations.decode(reserved, found) if reserved else found
    except Malformed:
        return holdings.unread(found)


def _whole(grant: Grant) -> Grant:
    uuid, instance, _ = grant.uuid.partition("[")
    return msgspec.structs.replace(grant, uuid=uuid, unread=not uuid) if instance else grant
