"""A family that needs no code: its words, its units, and one of the shared charges.

What a description says is all in which a node, a pod or a quota of it differs from others. The
families of this package begin with it as well, and replace what is special about them.
"""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from hami_admission.model.device import Device
from hami_admission.model.names import ResourceNames
from hami_admission.model.node import Handover
from hami_admission.options import Family
from hami_admission.vendors import charges, holdings, parse
from hami_admission.vendors.inventory import Decode, Inventory, in_total, made_up, registered
from hami_admission.vendors.vendor import Keys, Vendor
from hami_admission.wire import details, keys, registers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.model.grant import PodGrants
    from hami_admission.options import CardSize
    from hami_admission.vendors.inventory import Maker
    from hami_admission.vendors.vendor import Assigned, Charge
    from hami_admission.wire.nodes import NodeFacts

CHARGES: Mapping[str, Charge] = {"whole": charges.whole, "places": charges.places}
"""By the name in a description; ``fluid``, the third, goes by the cores of a whole card."""


class Cards(msgspec.Struct, frozen=True, kw_only=True):
    """How the cards of a family are found, where the description does not say enough.

    ``decode`` reads the register of a family that has a form of its own; ``totals``: nodes say what
    all their cards have together. ``ids`` is what stands in ids between the node's name and the
    card's index, where not the word does, or what the register says. ``handover``: where it is not
    under the node's lock, or without one.
    """

    decode: Decode = registers.decode
    totals: bool = False
    ids: str = ""
    handover: Handover | None = None


AS_DESCRIBED = Cards()


def plain(
    family: Family,
    defaults: parse.Defaults | None = None,
    cards: Cards = AS_DESCRIBED,
    *,
    places: bool = False,
) -> Vendor:
    """The value of a family; ``defaults`` and ``cards`` where the description says not enough.

    ``places``: its users count places of one card, not cards.
    """
    word, names = family.word, dataclasses.replace(names_of(family), places=places)
    register = (
        "" if family.card or cards.totals else family.register or f"hami.io/node-{word}-register"
    )
    pair = {
        "to_allocate": family.to_allocate or f"hami.io/{word}-devices-to-allocate",
        "allocated": family.allocated or f"hami.io/{word}-devices-allocated",
        "more": details.annotation(word),
    }

    def annotate(assigned: Assigned) -> dict[str, str]:
        return holdings.standard(assigned, **pair)

    def recall(notes: Mapping[str, str]) -> PodGrants:
        return holdings.recalled(notes, allocated=pair["allocated"], more=pair["more"])

    return Vendor(
        word=word,
        names=names,
        keys=Keys(
            use_type=family.use_type,
            nouse_type=family.no_use_type,
            use_uuid=family.use_uuid,
            nouse_uuid=family.no_use_uuid,
        ),
        parse=parse.reader(
            vendor=word,
            names=names,
            defaults=defaults or parse.Defaults(cores=family.default_cores),
        ),
        inventory=partial(_inventory, family, names, register, cards),
        charge=CHARGES.get(family.charge, partial(charges.fluid, whole=family.whole_cores)),
        annotate=annotate,
        recall=recall,
        register=register,
    )


def described(options: msgspec.Struct, **fields: Any) -> Family:
    """The description with these fields, and all of the options that are called as in it."""
    named = {
        name: getattr(options, name)
        for name in options.__struct_fields__
        if name in Family.__struct_fields__
    }
    return Family(**named, **fields)


def names_of(family: Family) -> ResourceNames:
    """The words in which users ask for it."""
    return ResourceNames(
        count=family.resource_count_name,
        memory=family.resource_memory_name,
        percent=family.resource_memory_percentage_name,
        cores=family.resource_core_name,
        unit_mib=family.memory_factor,
        whole_cores=family.whole_cores,
    )


def _inventory(
    family: Family, names: ResourceNames, register: str, cards: Cards, facts: NodeFacts
) -> Inventory:
    """Made up where the description has a card, or nodes say totals; else what they registered."""
    lock = Handover(keys.NODE_LOCK) if family.lock == "node" else Handover()
    handover, ids = cards.handover or lock, cards.ids or family.word
    if cards.totals:
        return in_total(facts, names=names, word=family.word, ids=ids, handover=handover)
    if family.card is not None:
        make = partial(_alike, family.word, ids, family.card)
        return Inventory(made_up(facts, (names.count,), make), math.inf, handover)
    found = registered(
        facts,
        register=register,
        handshake=family.handshake,
        count=names.count,
        decode=cards.decode,
    )
    if cards.ids:
        found = found.each(partial(_called, facts.name, ids))
    return Inventory(found.devices, found.until, handover)


def _called(node: str, ids: str, card: Device) -> Device:
    return msgspec.structs.replace(card, uuid=f"{node}-{ids}-{card.index}")


def _alike(word: str, ids: str, card: CardSize, amounts: list[int]) -> tuple[int, Maker]:
    """As many cards as the node counts, all of that size."""

    def make(node: str, index: int) -> Device:
        return Device(
            uuid=f"{node}-{ids}-{index}",
            index=index,
            type=word,
            slots=card.slots,
            memory_mib=card.memory,
            cores=card.cores,
            mode="",
        )

    return amounts[0], make
