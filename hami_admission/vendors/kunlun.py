"""Kunlunxin: whole cards, and equal slices of cards, on boards of two wings (facts/devices.md 5).

Several cards of one container are linked to one another. Wings go by the index of a card, on
boards of any even size, and a node is judged by the board as it would be then: upstream goes by
places in a sorted list of eight, and by the new cards alone.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.verdict import Reason
from hami_admission.options import CardSize, Family
from hami_admission.topology import wings
from hami_admission.vendors import charges
from hami_admission.vendors.plain import plain
from hami_admission.vendors.vendor import About, Keys
from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hami_admission.model.card import Card
    from hami_admission.model.grant import Grant, PodGrants
    from hami_admission.model.pod import Container
    from hami_admission.model.request import Request
    from hami_admission.model.wishes import Wishes
    from hami_admission.options import KunlunOptions
    from hami_admission.vendors.inventory import Inventory
    from hami_admission.vendors.vendor import Able, Assigned, Reading, Vendor
    from hami_admission.wire.nodes import NodeFacts

CARD_MIB = 98_304
SLICES_MIB = (24_576, 49_152, CARD_MIB)
"""A card is given out in slices of one of these sizes; with the largest it is whole."""

CARDS = "board"
"""The fact that says how many cards the board of a card has."""

KEYS = Keys(
    use_uuid=keys.XPU_USE_UUID,
    nouse_uuid=keys.XPU_NOUSE_UUID,
    older_use_uuid=keys.BAIDU_USE_UUID,
    older_nouse_uuid=keys.BAIDU_NOUSE_UUID,
)


def kunlun(options: KunlunOptions) -> tuple[Vendor, ...]:
    """The values of whole cards (``kunlun``) and of slices (``XPU``)."""
    whole = plain(
        Family(
            word="kunlun",
            resource_count_name=options.resource_count_name,
            charge="whole",
            card=CardSize(slots=100, memory=CARD_MIB),
            to_allocate=keys.KUNLUN_ALLOCATED,
            allocated=keys.KUNLUN_ALLOCATED,
            lock="none",
        )
    )
    slices = plain(
        Family(
            word="XPU",
            resource_count_name=options.resource_v_count_name,
            resource_memory_name=options.resource_v_memory_name,
            register=keys.XPU_REGISTER,
            handshake=keys.XPU_HANDSHAKE,
            to_allocate=keys.XPU_TO_ALLOCATE,
            allocated=keys.XPU_ALLOCATED,
        )
    )
    sizes = "slices of 24, 48 or 96 GiB, of one size on a card"
    return (
        replace(_on_boards(whole, "whole cards"), score=_score, annotate=partial(_annotate, whole)),
        replace(_on_boards(slices, sizes), parse=partial(_sized, slices), charge=_slice),
    )


def _on_boards(vendor: Vendor, sharing: str) -> Vendor:
    """Whose cards stand on boards; made-up ones have their wing for a NUMA node."""

    def inventory(facts: NodeFacts) -> Inventory:
        found = vendor.inventory(facts)
        if not found.devices:
            return found
        cards = wings.board(device.index for device in found.devices)
        devices = tuple(
            msgspec.structs.replace(
                each,
                numa=each.numa if vendor.register else int(each.index >= cards // 2),
                facts=((CARDS, str(cards)), *each.facts),
            )
            for each in found.devices
        )
        return msgspec.structs.replace(found, devices=devices)

    about = About("Kunlunxin", sharing, "Kunlunxin's", "cards of one wing of a board, or linked")
    return replace(
        vendor, about=about, keys=KEYS, inventory=inventory, choose=_choose, choosy=_choosy
    )


def _choose(able: Sequence[Able], count: int, wishes: Wishes) -> Sequence[Able] | Reason:
    """Cards that go together, within a wing the first by policy."""
    by_index = {card.device.index: (card, grant) for card, grant in able}
    chosen = wings.best(tuple(by_index), count, int(able[0][0].device.fact(CARDS)))
    return Reason.NUMA_NOT_FIT if chosen is None else [by_index[index] for index in chosen]


def _choosy(count: int, wishes: Wishes) -> bool:
    return count > 1


def _score(cards: Sequence[Card], grants: PodGrants, wishes: Wishes) -> float:
    """3 where the board is less broken with the pod on it, 2 as before, 1 and 0 more."""
    size = int(cards[0].device.fact(CARDS))
    given = {grant.uuid for slot in grants for grant in slot}
    before = {card.device.index for card in cards if card.slots}
    after = before | {card.device.index for card in cards if card.device.uuid in given}
    return 2 - (wings.bubbles(after, size) - wings.bubbles(before, size))


def _annotate(whole: Vendor, assigned: Assigned) -> dict[str, str]:
    """The indices of the last container with cards: that annotation has room for one."""
    last = [slot for slot in assigned.grants if slot][-1:]
    numbers = [str(assigned.devices[grant.uuid].index) for slot in last for grant in slot]
    return {**whole.annotate(assigned), keys.KUNLUN_INDICES: ",".join(numbers)}


def _sized(slices: Vendor, container: Container, annotations: Mapping[str, str]) -> Reading:
    """Memory is rounded up to a slice, and cores are its share of the card."""
    reading = slices.parse(container, annotations)
    request, name = reading.request, slices.names.memory
    if request is None:
        return reading
    asked = request.memory_mib
    if asked is None:
        return msgspec.structs.replace(reading, request=msgspec.structs.replace(request, cores=100))
    size = next((each for each in SLICES_MIB if asked <= each), CARD_MIB)
    cores = 100 * size // CARD_MIB
    return msgspec.structs.replace(
        reading,
        request=msgspec.structs.replace(request, memory_mib=size, cores=cores),
        limits=reading.limits if size == asked else {**reading.limits, name: size},
        warnings=(*reading.warnings, *_beyond(f"{container.path}: {name}", asked)),
    )


def _beyond(where: str, asked: int) -> tuple[str, ...]:
    """A warning where more is asked than a card has."""
    if asked <= CARD_MIB:
        return ()
    return (f"{where}: no card has {asked} MiB; {CARD_MIB} are given",)


def _slice(card: Card, request: Request) -> Grant | Reason:
    """A share of a card that nobody uses, or that is in slices of this size."""
    grant = charges.fluid(card, request)
    if isinstance(grant, Reason) or card.memory_mib == card.slots * grant.memory_mib:
        return grant
    return Reason.CARD_CUSTOM_RULE
