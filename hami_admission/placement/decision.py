"""A placement as the annotations that the Binding carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.vendors import table
from hami_admission.wire import bindings

if TYPE_CHECKING:
    from hami_admission.model.grant import PodGrants, SlotGrants
    from hami_admission.placement.pod import Demand


def notes(
    node: str, now: float, demand: Demand, grants: PodGrants, vendors: table.Vendors
) -> dict[str, str]:
    """Grants under each family's keys, and the environment that only the placement knows."""
    allocations = {}
    for word in sorted(demand.words):
        keys = table.by_word(vendors, word).keys
        own = tuple(_of(word, slot) for slot in grants)
        allocations[keys.to_allocate, keys.allocated] = own
    late: list[dict[str, str]] = [{} for _ in demand.slots]
    for slot, requests in enumerate(demand.slots):
        for request in requests:
            vendor = table.by_word(vendors, request.vendor)
            late[slot].update(vendor.late(request, _of(request.vendor, grants[slot])))
    return bindings.notes(node, now, allocations, late)


def _of(word: str, grants: SlotGrants) -> SlotGrants:
    return tuple(grant for grant in grants if grant.vendor == word)
