"""NVIDIA cards by Volcano's names, on nodes that Volcano's own device plugin serves.

Facts/devices.md 16. Pods whose scheduler is Volcano are left to it, and what it gave them counts
here. Its own MIG (16.4) is not offered: cards of a node in mode ``mig`` serve nobody.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.grant import Grant
from hami_admission.model.node import Handover
from hami_admission.model.pod import Kind
from hami_admission.model.verdict import Objection, Reason
from hami_admission.vendors import charges, checks, holdings, parse, refine
from hami_admission.vendors.inventory import Inventory
from hami_admission.vendors.plain import Cards, described, plain
from hami_admission.vendors.vendor import About
from hami_admission.wire import grants, keys, quantities, registers
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.model.card import Card
    from hami_admission.model.device import Device
    from hami_admission.model.grant import PodGrants
    from hami_admission.model.request import Request
    from hami_admission.model.wishes import Selection
    from hami_admission.options import VolcanoOptions
    from hami_admission.vendors.vendor import Assigned, Reading, Vendor
    from hami_admission.wire.nodes import NodeFacts

WORD = "Volcano"
_THEIRS = "NVIDIA"
"""What the cards are called in the text that Volcano's plugin reads."""

_GROUPS = (keys.POD_GROUP, keys.VOLCANO_GROUP)

_APART, _BESIDE = "apart", "beside"
"""Before the PodGroup in the trait of a request: whether cards that the group uses will do."""


def volcano(options: VolcanoOptions) -> Vendor:
    """The value of the family, under the resource names that the options give."""
    unit = options.memory_factor
    base = plain(
        described(
            options,
            word=WORD,
            resource_memory_percentage_name=options.resource_percent_name,
            register=keys.VOLCANO_REGISTER,
            use_type=keys.NVIDIA_USE_TYPE,
            no_use_type=keys.NVIDIA_NOUSE_TYPE,
            use_uuid=keys.VOLCANO_USE_UUID,
            no_use_uuid=keys.VOLCANO_NOUSE_UUID,
        ),
        # One container gets its cards from one device plugin; and a percentage is stronger than an
        # amount, other than with NVIDIA's names (16.2).
        parse.Defaults(percent_first=True, apart="nvidia.com/"),
        # Pods are handed over one at a time: the plugin gives its cards to the oldest pod of the
        # node that wants as many, and then takes away the lock.
        Cards(decode=partial(_cards, unit), handover=Handover(keys.VOLCANO_LOCK)),
    )
    return replace(
        base,
        about=About(
            "NVIDIA by Volcano's names",
            "memory and cores, by HAMi's library; no MIG; cards apart by PodGroup",
            "volcano-vgpu-device-plugin",
        ),
        keys=msgspec.structs.replace(base.keys, mode=keys.VOLCANO_MODE),
        parse=refine.then(base.parse, base.names, _wishing),
        inventory=partial(_inventory, base),
        checks=(*checks.COMMON, _shared, _apart),
        checks_of_any=(*checks.COMMON_OF_ANY, _shared, _apart),
        charge=partial(_charge, unit),
        annotate=partial(_annotate, unit),
        recall=partial(_recall, unit),
        reads=(keys.VOLCANO_APART, *_GROUPS),
        owned=(keys.NVIDIA_VISIBLE_DEVICES, keys.CUDA_MEMORY_LIMIT, keys.CUDA_CORE_LIMIT),
    )


def _wishing(asked: refine.Asked) -> Reading:
    """With what the pod's annotations say; the plugin takes what it gives to an init container from
    an app container, which fails then."""
    policy, container = asked.note(keys.VOLCANO_APART).strip(), asked.container
    objections = []
    if container.kind is not Kind.APP:
        advice = "Volcano's device plugin serves no init containers; ask in the others alone"
        objections.append(Objection(f"{container.path}.resources", WORD, advice))
    if policy not in {"", "spread"}:
        objections.append(asked.wrong_note(keys.VOLCANO_APART, "allowed: spread"))
    if objections:
        return refine.refused(*objections)
    group, way = _group(asked.annotations), _APART if policy else _BESIDE
    return asked.reading.asking(trait=f"{way} {group}") if group else asked.reading


def _group(annotations: Mapping[str, str]) -> str:
    """The PodGroup by its name alone: namespaces are not looked at, other than by Volcano."""
    found = (annotations.get(name, "").strip() for name in _GROUPS)
    return next(filter(None, found), "")


def _inventory(base: Vendor, facts: NodeFacts) -> Inventory:
    """The registered cards, where the kubelet offers some of number, memory and cores (16.2)."""
    offered, counted = facts.allocatable, base.names.counted
    if offered is None or all(quantities.floor(offered.get(name, 0)) for name in counted):
        return base.inventory(facts)
    return Inventory()


@lru_cache(maxsize=8192)
def _cards(unit: int, text: str) -> tuple[Device, ...]:
    """Of ``UUID,count,memory,type,health,mode:`` for each; the last one's mode is the node's.

    A card has 100 cores; its place is its index. Raises Malformed.
    """
    parts = [part.split(",") for part in text.split(":") if part.strip()]
    if not parts or not all(len(part) >= 6 for part in parts):
        raise Malformed("register annotation: a card has not the 6 fields of Volcano's plugin")
    mode = parts[-1][5]
    common = "".join(
        f"{uuid},{count},{memory},100,{kind},0,{health},{index},{mode}:"
        for index, (uuid, count, memory, kind, health, *_) in enumerate(parts)
    )
    return tuple(
        msgspec.structs.replace(device, memory_mib=device.memory_mib * unit)
        for device in registers.decode(common)
    )


def _shared(card: Card, request: Request, selection: Selection) -> Reason | None:
    """Instances of cards are cut by Volcano's plugin in a way of its own, which we leave alone."""
    return Reason.MODE_NOT_FIT if card.device.mode == "mig" else None


def _apart(card: Card, request: Request, selection: Selection) -> Reason | None:
    """Policy ``spread``: no card that a container of the same PodGroup uses."""
    word, _, group = request.trait.partition(" ")
    return Reason.CARD_CUSTOM_RULE if word == _APART and card.with_trait(group) else None


def _charge(unit: int, card: Card, request: Request) -> Grant | Reason:
    """A share as of any NVIDIA card; of a percentage whole units, which the plugin reads."""
    memory = request.memory_on(card.device.memory_mib)
    asked = msgspec.structs.replace(request, memory_mib=memory - memory % unit)
    found = charges.fluid(card, asked)
    group = request.trait.partition(" ")[2]
    return msgspec.structs.replace(found, trait=group) if isinstance(found, Grant) else found


def _annotate(unit: int, assigned: Assigned) -> dict[str, str]:
    """Containers without cards have no place in the text, and nothing ends the last one (16.2)."""
    given = tuple(filter(None, assigned.grants))
    text = grants.encode(
        holdings.each(
            given, lambda each: Grant(each.uuid, _THEIRS, each.memory_mib // unit, each.cores)
        )
    ).removesuffix(";")
    seconds = str(int(assigned.now))
    return {
        keys.VOLCANO_ALLOCATED: text,
        keys.VOLCANO_TO_ALLOCATE: text,
        keys.VOLCANO_NODE: assigned.node,
        keys.VOLCANO_TIME: seconds,
        keys.VOLCANO_BIND_TIME: seconds,
        keys.VOLCANO_BIND_PHASE: keys.BIND_PHASE_ALLOCATING,
    }


def _recall(unit: int, notes: Mapping[str, str]) -> PodGrants:
    """By container that has cards; which those are the pod's requests say (``grant.seated``)."""
    group = _group(notes)
    return holdings.each(
        holdings.recalled(notes, allocated=keys.VOLCANO_ALLOCATED),
        lambda each: msgspec.structs.replace(
            each, vendor=WORD, memory_mib=each.memory_mib * unit, trait=group
        ),
    )
