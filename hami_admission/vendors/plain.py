"""A family that needs no code: its words, its units, and one of the shared charges.

What a description says is all in which a node, a pod or a quota of it differs from others. The
families of this package begin with it as well, and replace what is special about them.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from hami_admission.model.device import Device
from hami_admission.model.names import ResourceNames
from hami_admission.model.node import Handover
from hami_admission.vendors import charges, holdings, parse
from hami_admission.vendors.inventory import Inventory, made_up, registered
from hami_admission.vendors.vendor import Keys, Vendor
from hami_admission.wire import details, keys, registers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.model.grant import PodGrants
    from hami_admission.options import CardSize, Family
    from hami_admission.vendors.inventory import Decode, Maker
    from hami_admission.vendors.vendor import Assigned, Charge
    from hami_admission.wire.nodes import NodeFacts

CHARGES: Mapping[str, Charge] = {"whole": charges.whole, "places": charges.places}
"""By the name in a description; ``fluid``, the third, goes by the cores of a whole card."""


def plain(
    family: Family,
    defaults: parse.Defaults | None = None,
    decode: Decode = registers.decode,
) -> Vendor:
    """The value of a family; ``defaults`` where the description does not say enough of them.

    ``decode`` reads the register of a family that has a form of its own.
    """
    word, names = family.word, names_of(family)
    register = "" if family.card else family.register or f"hami.io/node-{word}-register"
    pair = {
        "to_allocate": family.to_allocate or f"hami.io/{word}-devices-to-allocate",
        "allocated": family.allocated or f"hami.io/{word}-devices-allocated",
        "more": details.annotation(word),
    }
    handover = Handover(keys.NODE_LOCK) if family.lock == "node" else Handover()

    def inventory(facts: NodeFacts) -> Inventory:
        if family.card is not None:
            devices = made_up(facts, (names.count,), partial(_alike, word, family.card))
            return Inventory(devices, math.inf, handover)
        found = registered(
            facts,
            register=register,
            handshake=family.handshake,
            count=names.count,
            decode=decode,
        )
        return Inventory(found.devices, found.until, handover)

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
        inventory=inventory,
        charge=CHARGES.get(family.charge, partial(charges.fluid, whole=family.whole_cores)),
        annotate=annotate,
        recall=recall,
        register=register,
    )


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


def _alike(word: str, card: CardSize, amounts: list[int]) -> tuple[int, Maker]:
    """As many cards as the node counts, all of that size."""

    def make(node: str, index: int) -> Device:
        return Device(
            uuid=f"{node}-{word}-{index}",
            index=index,
            type=word,
            slots=card.slots,
            memory_mib=card.memory,
            cores=card.cores,
            mode="",
        )

    return amounts[0], make
