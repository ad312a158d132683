"""A placement as the annotations that the Binding carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.vendors import table
from hami_admission.vendors.vendor import Assigned
from hami_admission.wire import bindings, keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.model.grant import PodGrants, SlotGrants
    from hami_admission.placement.pod import Demand
    from hami_admission.placement.usage import Cards


def notes(
    node: str,
    now: float,
    demand: Demand,
    grants: PodGrants,
    cards: Mapping[str, Cards],
    vendors: table.Vendors,
) -> dict[str, str]:
    """Grants under each family's keys, and the environment that only the placement knows.

    ``cards`` are those of the node, by the vendor's word.
    """
    found = bindings.notes(node, now)
    for word in sorted(demand.words):
        devices = {card.device.uuid: card.device for card in cards.get(word, ())}
        own = tuple(_of(word, slot) for slot in grants)
        asked = tuple(tuple(each for each in slot if each.vendor == word) for slot in demand.slots)
        vendor = table.by_word(vendors, word)
        found |= vendor.annotate(Assigned(node, now, asked, own, devices))
    for slot, requests in enumerate(demand.slots):
        for request in requests:
            vendor = table.by_word(vendors, request.vendor)
            for name, value in vendor.late(request, _of(request.vendor, grants[slot])).items():
                found[keys.env_annotation(slot, name)] = value
    return found


def _of(word: str, grants: SlotGrants) -> SlotGrants:
    return tuple(grant for grant in grants if grant.vendor == word)
