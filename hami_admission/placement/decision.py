"""A placement as the annotations that the Binding carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from hami_admission.placement.usage import Cards
from hami_admission.vendors import table
from hami_admission.vendors.vendor import Assigned, Made
from hami_admission.wire import bindings, keys

if TYPE_CHECKING:
    from hami_admission.model.grant import PodGrants, SlotGrants
    from hami_admission.placement.pod import Demand


class Site(msgspec.Struct, frozen=True):
    """Where and when a pod is bound: the node with its cards by the vendor's word, a unix second,
    and the instances of cards that exist for the pod."""

    node: str
    now: float
    cards: Mapping[str, Cards]
    made: Made = {}
    containers: tuple[str, ...] = ()
    """Their names, by slot."""
    handed: bool = False
    """Does a device plugin of others give out some of the cards?"""


def notes(site: Site, demand: Demand, grants: PodGrants, vendors: table.Vendors) -> dict[str, str]:
    """Grants under each family's keys, and the environment that only the placement knows."""
    found = bindings.notes(site.node, site.now, handed=site.handed)
    for word in sorted(demand.words):
        devices = {card.device.uuid: card.device for card in site.cards.get(word, ())}
        own = tuple(_of(word, slot) for slot in grants)
        asked = tuple(tuple(each for each in slot if each.vendor == word) for slot in demand.slots)
        vendor = table.by_word(vendors, word)
        found |= vendor.annotate(
            Assigned(site.node, site.now, asked, own, devices, site.made, site.containers)
        )
    for slot, requests in enumerate(demand.slots):
        for request in requests:
            vendor = table.by_word(vendors, request.vendor)
            late = vendor.late(request, _of(request.vendor, grants[slot]), site.made)
            for name, value in late.items():
                found[keys.env_annotation(slot, name)] = value
    return found


def _of(word: str, grants: SlotGrants) -> SlotGrants:
    return tuple(grant for grant in grants if grant.vendor == word)
