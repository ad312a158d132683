"""AMD (facts/devices.md 13): memory, and compute units (CUs) by percent of what a card has."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.grant import Grant
from hami_admission.model.verdict import Reason
from hami_admission.vendors import holdings, parse
from hami_admission.vendors.plain import described, plain
from hami_admission.vendors.vendor import About
from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hami_admission.model.card import Card
    from hami_admission.model.device import Device
    from hami_admission.model.pod import Container
    from hami_admission.model.request import Request
    from hami_admission.model.wishes import Wishes
    from hami_admission.options import AmdOptions
    from hami_admission.vendors.vendor import Able, Assigned, Reading, Vendor

WORD = "AMD"

SEPARATORS = str.maketrans(",:;", "   ")
"""What no name in a device annotation may have."""


def amd(options: AmdOptions) -> Vendor:
    """The value of the family, under the resource names that the options give."""
    family = described(
        options,
        word=WORD,
        register=keys.AMD_REGISTER,
        to_allocate=keys.AMD_TO_ALLOCATE,
        allocated=keys.AMD_ALLOCATED,
        use_type=keys.AMD_USE_TYPE,
        no_use_type=keys.AMD_NOUSE_TYPE,
        use_uuid=keys.AMD_USE_UUID,
        no_use_uuid=keys.AMD_NOUSE_UUID,
    )
    made = plain(family, parse.Defaults(cores=100, least_cores=1))
    return replace(
        made,
        about=About(
            "AMD",
            "memory, and compute units by percent of the card",
            "HAMi's amd-device-plugin",
            "those with most memory first, for the plugin limits all to what the first has",
        ),
        parse=partial(_parse, made),
        charge=_charge,
        choose=_choose,
        annotate=partial(_annotate, made),
        recall=lambda notes: holdings.called(made.recall(notes), WORD),
    )


def _parse(made: Vendor, container: Container, annotations: Mapping[str, str]) -> Reading:
    """By the limits alone."""
    return made.parse(msgspec.structs.replace(container, requests=None), annotations)


def _charge(card: Card, request: Request) -> Grant | Reason:
    """Memory, all of it unless it is named, and the CUs that the percent are of this card."""
    device = card.device
    memory, cores = request.memory_on(device.memory_mib), _cores(device, request.cores)
    if device.memory_mib - card.memory_mib < memory:
        return Reason.CARD_INSUFFICIENT_MEMORY
    if device.cores - card.cores < cores:
        return Reason.CARD_INSUFFICIENT_CORE
    return Grant(device.uuid, WORD, memory, cores, percent=request.cores)


def _cores(device: Device, percent: int) -> int:
    """One CU at least; where the plugin can give them out in groups alone, whole groups."""
    group = device.fact("cuPerWGP")
    size = int(group) if group.isascii() and group.isdigit() and len(group) < 5 else 0
    found = max(device.cores * percent // 100, 1)
    if size > 1:
        found = min(-(-found // size) * size, device.cores)
    return max(found, 1)


def _choose(able: Sequence[Able], count: int, wishes: Wishes) -> Sequence[Able]:
    """The first, those with most memory before others.

    The plugin limits all of them to what the first has (facts/devices.md 19, A1); where cards are
    taken whole, that must not be the smallest.
    """
    return sorted(able[:count], key=lambda each: -each[1].memory_mib)


def _annotate(made: Vendor, assigned: Assigned) -> dict[str, str]:
    """The pair, in which cards are called by their product."""

    def named(grant: Grant) -> Grant:
        product = assigned.devices[grant.uuid].type.translate(SEPARATORS).strip()
        return msgspec.structs.replace(grant, vendor=product or WORD)

    grants = holdings.each(assigned.grants, named)
    return made.annotate(msgspec.structs.replace(assigned, grants=grants))
