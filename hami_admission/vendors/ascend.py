"""Huawei Ascend: chips cut into parts of fixed sizes, or shared softly; some with dies in pairs.

Facts/devices.md 8. Each chip is a family of its own, with names, register and quota of its own, so
that no pod for one (910B4) is ever given another with a longer name (910B4-1).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.pod import EnvVar
from hami_admission.model.verdict import Reason
from hami_admission.options import Family
from hami_admission.topology import modules
from hami_admission.vendors import refine, together
from hami_admission.vendors.plain import plain
from hami_admission.vendors.vendor import About, Reading, Vendor, several
from hami_admission.wire import documents, keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hami_admission.model.card import Card
    from hami_admission.model.device import Device
    from hami_admission.model.grant import Grant, PodGrants
    from hami_admission.model.names import ResourceNames
    from hami_admission.model.pod import Container
    from hami_admission.model.request import Request
    from hami_admission.model.verdict import Objection
    from hami_admission.model.wishes import Wishes
    from hami_admission.options import AscendChip, AscendOptions
    from hami_admission.vendors.inventory import Inventory
    from hami_admission.vendors.vendor import Able, Assigned
    from hami_admission.wire.nodes import NodeFacts

SOFT, CUT = "hami-core", "template"
"""How the cards of a node are shared: by a library, or cut into parts."""

NETWORKED = "Ascend910"
"""How chips begin whose cards say in which network they are, as ``NetworkID``."""

OWNED = (keys.ASCEND_VISIBLE_DEVICES, keys.ASCEND_VNPU_SPECS, keys.NPU_MEM_QUOTA, keys.NPU_PRIORITY)
"""Variables of the device plugin, over which those of a pod would win."""


def ascend(options: AscendOptions) -> tuple[Vendor, ...]:
    """The values of all chips."""
    counts = frozenset(chip.resource_name for chip in options.configs)
    return tuple(_chip(chip, counts, soft=options.hami_vnpu_core) for chip in options.configs)


def _chip(chip: AscendChip, counts: frozenset[str], *, soft: bool) -> Vendor:
    """``counts`` are the resources of all chips, ``soft`` is what nodes do that do not say."""
    word, networked = chip.common_word, chip.common_word.startswith(NETWORKED)
    base = plain(
        Family(
            word=word,
            resource_count_name=chip.resource_name,
            resource_memory_name=chip.resource_memory_name,
            resource_core_name=chip.resource_core_name,
            memory_factor=chip.memory_factor,
            register=f"hami.io/node-register-{word}",
            handshake=f"hami.io/node-handshake-{word}",
            use_uuid=f"hami.io/use-{word}-uuid",
            no_use_uuid=f"hami.io/no-use-{word}-uuid",
        )
    )
    pairs, one = "whole modules of two dies", "of one network, as far as it has so many"
    return replace(
        base,
        about=About(
            "Huawei Ascend",
            f"parts in the sizes of the chip, or exact by a library: `{keys.ASCEND_MODE}`",
            "HAMi's ascend-device-plugin, with Huawei's container runtime",
            pairs if chip.super_pod else one if networked else "",
        ),
        parse=refine.then(base.parse, base.names, partial(_sized, chip)),
        inventory=partial(_inventory, base, soft),
        resolve=_resolve,
        choose=_modules if chip.super_pod else together.by_group(_network) if networked else None,
        choosy=several if chip.super_pod else base.choosy,
        score=_score if networked else None,
        annotate=partial(_annotate, base, chip),
        bare=partial(_bare, counts) if chip.overwrite_env else base.bare,
        owned=OWNED,
        reads=(keys.ASCEND_MODE,),
        runtime_class=chip.runtime_class_name,
    )


def _sized(chip: AscendChip, asked: refine.Asked) -> Reading:
    """Memory becomes what is really given, in the limits too; 1 die of a pair becomes 2.

    Upstream then gives such a pod parts of both dies (hazard A2), with which its container does not
    start: Huawei's runtime cuts one NPU of a container, not two. Here it gets both dies whole.
    """
    names, reading, mode = asked.names, asked.reading, asked.note(keys.ASCEND_MODE)
    memory = _given(chip, asked.request.memory_mib or 0, mode)
    objections = tuple(_objections(chip, asked, mode, memory))
    if objections:
        return refine.refused(*objections)
    count, whole = asked.request.count, chip.memory_allocatable
    alone = chip.super_pod and count == 1
    torn = alone and mode != SOFT and memory < whole
    raised = _raised(asked.container, names, torn=torn) if alone else ()
    memory, count = whole if torn else memory, 2 if alone else count
    limits = {names.count: count, names.memory: memory // chip.memory_factor}
    return msgspec.structs.replace(
        reading.asking(count=count, memory_mib=memory, trait=mode),
        limits=asked.lacking(limits),
        warnings=reading.warnings + raised,
    )


def _raised(container: Container, names: ResourceNames, *, torn: bool) -> tuple[str, ...]:
    """What became of one die; ``torn``: it was to be a part of it."""
    pair = f"{container.path}: {names.count}: 1 means 2, the two dies of a module"
    parts = (
        f"{container.path}: {names.memory}: both dies are given whole, because no container can"
        f" have parts of two; for parts add the annotation {keys.ASCEND_MODE}: {SOFT}"
    )
    return (pair, parts) if torn else (pair,)


def _given(chip: AscendChip, mib: int, mode: str) -> int:
    """MiB of the smallest part that has so much, or of the whole chip; 0: no chip has so much.

    Softly just what is asked. Nothing asked means the whole chip; and so does, where limits count
    in larger units, what is left of it when rounded down to those.
    """
    whole = chip.memory_allocatable
    if mib in {0, whole - whole % chip.memory_factor}:
        return whole
    if mode == SOFT and mib <= whole:
        return mib
    fits = [each.memory for each in chip.templates if each.memory >= mib]
    return min(fits, default=whole if mib <= chip.memory_capacity else 0)


def _objections(
    chip: AscendChip, asked: refine.Asked, mode: str, memory: int
) -> Iterator[Objection]:
    """What cannot be had; ``memory`` is what would be given."""
    names, request = asked.names, asked.request
    whole, unit = chip.memory_allocatable, chip.memory_factor
    if mode not in {"", SOFT, CUT}:
        advice = f"must be {SOFT} or {CUT}; without it, either will do"
        yield asked.wrong_note(keys.ASCEND_MODE, advice)
    if chip.super_pod and request.count > 1 and request.count % 2:
        advice = "dies are given out in pairs: write an even number, or 1 for one pair"
        yield asked.wrong(names.count, advice)
    if request.cores and mode != SOFT:
        advice = (
            "parts that are cut have cores of their own; remove it, or add the annotation"
            f" {keys.ASCEND_MODE}: {SOFT}"
        )
        yield asked.wrong(names.cores, advice)
    if not memory:
        advice = f"more than an NPU has; write {whole // unit}, or leave it out, for all of it"
        yield asked.wrong(names.memory, advice)
    elif memory < whole and request.count > 1 and mode != SOFT:
        advice = (
            f"several NPUs of a container are given whole; remove it, or write {whole // unit},"
            f" or add the annotation {keys.ASCEND_MODE}: {SOFT}"
        )
        yield asked.wrong(names.memory, advice)


def _inventory(base: Vendor, soft: bool, facts: NodeFacts) -> Inventory:
    """The registered cards, with how the node shares them; softly, cores are percent."""
    said = facts.annotations.get(keys.ASCEND_SOFT)
    soft = soft if said is None else said == "true"

    def shared(device: Device) -> Device:
        if not soft:
            return msgspec.structs.replace(device, mode=CUT)
        return msgspec.structs.replace(device, mode=SOFT, cores=max(device.cores, 100))

    return base.inventory(facts).each(shared)


def _resolve(request: Request, cards: Sequence[Card]) -> Request | Reason:
    """Pods that say how they want to share fit only nodes that do it so."""
    return Reason.MODE_NOT_FIT if request.trait not in {"", cards[0].device.mode} else request


def _network(device: Device) -> str:
    return device.fact("NetworkID")


def _modules(able: Sequence[Able], count: int, wishes: Wishes) -> Sequence[Able] | Reason:
    """Whole modules of two dies, by the numbers of the dies, wherever they stand in the list."""
    found = modules.whole([card.device.index for card, _ in able], count)
    return Reason.ALLOCATED_TOO_FEW if found is None else [able[n] for n in found]


def _score(cards: Sequence[Card], grants: PodGrants, wishes: Wishes) -> float:
    """Which share of a container's cards is in one network, on average: at most 1.

    Upstream has 0 for cards that do not say; here each of those is alone, and so a single card is
    as good there as anywhere.
    """
    shares = together.shares(_network, cards, grants)
    return sum(shares) / len(shares) if shares else 0.0


def _annotate(base: Vendor, chip: AscendChip, assigned: Assigned) -> dict[str, str]:
    """The common pair, when, and what Huawei's runtime has to do with each NPU (8.1)."""
    devices = assigned.devices
    given = [_told(chip, each, devices[each.uuid]) for slot in assigned.grants for each in slot]
    return {
        **base.annotate(assigned),
        keys.ASCEND_TIME: str(int(assigned.now)),
        f"{keys.ASCEND_GIVEN}{chip.common_word}": msgspec.json.encode(given).decode(),
    }


def _told(chip: AscendChip, grant: Grant, device: Device) -> dict[str, str | int]:
    """A size only where the node cuts; cores are those of the part there, elsewhere percent."""
    part = next((each for each in chip.templates if each.memory == grant.memory_mib), None)
    if device.mode == SOFT:
        size, cores = "", grant.cores
    else:
        size, cores = (part.name, part.ai_core) if part else ("", chip.ai_core)
    return documents.sparse(UUID=grant.uuid, temp=size, memory=grant.memory_mib, core=cores)


def _bare(counts: frozenset[str], container: Container) -> tuple[EnvVar, ...]:
    """No NPU for containers that ask none of any chip, whatever their image says."""
    asking = counts & {*(container.limits or ()), *(container.requests or ())}
    return () if asking else (EnvVar(keys.ASCEND_VISIBLE_DEVICES, ""),)
