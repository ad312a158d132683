"""The vendors in one fixed order, and what a pod asks of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hami_admission.model.node import Node
from hami_admission.model.request import Request
from hami_admission.vendors.neuron import neuron
from hami_admission.vendors.nvidia import nvidia
from hami_admission.vendors.vendor import NOTHING
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from hami_admission.model.device import Device
    from hami_admission.model.pod import Pod
    from hami_admission.settings import Settings
    from hami_admission.vendors.vendor import Reading, Vendor
    from hami_admission.wire.nodes import NodeFacts

Vendors = tuple["Vendor", ...]

PodRequests = tuple[tuple[Request, ...], ...]
"""Per slot, what it asks of each family that it asks anything of."""


def build(settings: Settings) -> Vendors:
    """All families, in the order in which their changes and cards are listed."""
    return (nvidia(settings.nvidia), neuron(settings.awsneuron))


def by_word(vendors: Vendors, word: str) -> Vendor:
    """The family of that word; raises KeyError, for words come from requests of our own."""
    for vendor in vendors:
        if vendor.word == word:
            return vendor
    raise KeyError(word)


def read(vendors: Vendors, pod: Pod) -> dict[str, tuple[Reading, ...]]:
    """What each slot asks, by the vendor's word; families that no slot speaks of are left out."""
    readings = {}
    for vendor in vendors:
        slots = tuple(map(vendor.parse, pod.containers))
        if any(slot is not NOTHING for slot in slots):
            readings[vendor.word] = slots
    return readings


def requests(readings: dict[str, tuple[Reading, ...]]) -> PodRequests:
    """The requests of a reading, slot by slot."""
    return tuple(
        tuple(each.request for each in slot if each.request is not None)
        for slot in zip(*readings.values(), strict=True)
    )


def node(vendors: Vendors, facts: NodeFacts) -> Node:
    """The node with the cards of every family that registered some there."""
    devices: dict[str, tuple[Device, ...]] = {}
    mistakes: dict[str, str] = {}
    until = math.inf
    for vendor in vendors:
        try:
            found = vendor.inventory(facts)
        except Malformed as error:
            mistakes[vendor.word] = str(error)
            continue
        if found.devices:
            devices[vendor.word] = found.devices
            until = min(until, found.until)
    return Node(facts.name, devices, mistakes, until)
