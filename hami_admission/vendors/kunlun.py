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
from hami_admission.vendors import charges, holdings, refine, together
from hami_admission.vendors.plain import plain
from hami_admission.vendors.vendor import About, Keys, several
from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hami_admission.model.card import Card
    from hami_admission.model.device import Device
    from hami_admission.model.grant import Grant, PodGrants
    from hami_admission.model.request import Request
    from hami_admission.model.wishes import Wishes
    from hami_admission.options import KunlunOptions
    from hami_admission.vendors.inventory import Inventory
    from hami_admission.vendors.vendor import Reading, Vendor
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
        replace(
            _on_boards(whole, "whole cards"),
            score=_score,
            annotate=lambda assigned: {
                **whole.annotate(assigned),
                keys.KUNLUN_INDICES: holdings.last_indices(assigned),
            },
        ),
        replace(
            _on_boards(slices, sizes),
            parse=refine.then(slices.parse, slices.names, _sized),
            charge=_slice,
        ),
    )


def _on_boards(vendor: Vendor, sharing: str) -> Vendor:
    """Whose cards stand on boards; made-up ones have their wing for a NUMA node."""

    def on_board(cards: int, device: Device) -> Device:
        return msgspec.structs.replace(
            device,
            numa=device.numa if vendor.register else int(device.index >= cards // 2),
            facts=((CARDS, str(cards)), *device.facts),
        )

    def inventory(facts: NodeFacts) -> Inventory:
        found = vendor.inventory(facts)
        cards = wings.board(device.index for device in found.devices)
        return found.each(partial(on_board, cards))

    return replace(
        vendor,
        about=About("Kunlunxin", sharing, "Kunlunxin's", "cards of one wing of a board, or linked"),
        keys=KEYS,
        inventory=inventory,
        choose=together.by_index(_linked),
        choosy=several,
    )


def _linked(free: Sequence[int], count: int, device: Device) -> Sequence[int] | None:
    """Cards that go together, within a wing the first by policy."""
    return wings.best(free, count, int(device.fact(CARDS)))


def _score(cards: Sequence[Card], grants: PodGrants, wishes: Wishes) -> float:
    """3 where the board is less broken with the pod on it, 2 as before, 1 and 0 more."""
    size = int(cards[0].device.fact(CARDS))
    given = {grant.uuid for slot in grants for grant in slot}
    before = {card.device.index for card in cards if card.slots}
    after = before | {card.device.index for card in cards if card.device.uuid in given}
    return 2 - (wings.bubbles(after, size) - wings.bubbles(before, size))


def _sized(asked: refine.Asked) -> Reading:
    """Memory is rounded up to a slice, and cores are its share of the card."""
    reading, name, memory = asked.reading, asked.names.memory, asked.request.memory_mib
    if memory is None:
        return reading.asking(cores=100)
    size = next((each for each in SLICES_MIB if memory <= each), CARD_MIB)
    more = f"{asked.container.path}: {name}: no card has {memory} MiB; {CARD_MIB} are given"
    return msgspec.structs.replace(
        reading.asking(memory_mib=size, cores=100 * size // CARD_MIB),
        limits=reading.limits if size == memory else {**reading.limits, name: size},
        warnings=(*reading.warnings, more) if memory > CARD_MIB else reading.warnings,
    )


def _slice(card: Card, request: Request) -> Grant | Reason:
    """A share of a card that nobody uses, or that is in slices of this size."""
    grant = charges.fluid(card, request)
    if isinstance(grant, Reason) or card.memory_mib == card.slots * grant.memory_mib:
        return grant
    return Reason.CARD_CUSTOM_RULE
