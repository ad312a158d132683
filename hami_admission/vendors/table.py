"""The vendors in one fixed order, and what a pod asks of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hami_admission.model.node import Node
from hami_admission.model.request import Request
from hami_admission.settings import Mistakes
from hami_admission.vendors.amd import amd
from hami_admission.vendors.ascend import ascend
from hami_admission.vendors.biren import biren
from hami_admission.vendors.cambricon import cambricon
from hami_admission.vendors.enflame import enflame
from hami_admission.vendors.hygon import hygon
from hami_admission.vendors.iluvatar import iluvatar
from hami_admission.vendors.kunlun import kunlun
from hami_admission.vendors.metax import metax
from hami_admission.vendors.mthreads import mthreads
from hami_admission.vendors.neuron import neuron
from hami_admission.vendors.nvidia import nvidia
from hami_admission.vendors.parse import Defaults
from hami_admission.vendors.plain import plain
from hami_admission.vendors.vastai import vastai
from hami_admission.vendors.vendor import NOTHING, Vendor
from hami_admission.vendors.volcano import volcano
from hami_admission.wire import keys
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hami_admission.model.device import Device
    from hami_admission.model.node import Handover
    from hami_admission.model.pod import Pod
    from hami_admission.settings import Settings
    from hami_admission.vendors.vendor import Reading
    from hami_admission.wire.nodes import NodeFacts

PodRequests = tuple[tuple[Request, ...], ...]
"""Per slot, what it asks of each family that it asks anything of."""


class Vendors(tuple[Vendor, ...]):
    """Families in one order, found by their words and by the names of their resources."""

    words: dict[str, Vendor]
    owners: dict[str, int]

    def __new__(cls, vendors: Iterable[Vendor]) -> Vendors:
        """Raises Mistakes where two have the same word or the same resource."""
        made = super().__new__(cls, vendors)
        made.words = {vendor.word: vendor for vendor in made}
        made.owners = {}
        words = [vendor.word for vendor in made]
        mistakes = [
            f"{word}: the word of two families" for word in made.words if words.count(word) > 1
        ]
        for position, vendor in enumerate(made):
            for name in vendor.names.all:
                if name in made.owners:
                    other = made[made.owners[name]].word
                    mistakes.append(f"{name}: a resource of {other} and again of {vendor.word}")
                made.owners[name] = position
        if mistakes:
            raise Mistakes(mistakes)
        return made


def build(settings: Settings) -> Vendors:
    """All families, in the order in which their changes and cards are listed; raises Mistakes."""
    return Vendors((
        nvidia(settings.nvidia),
        volcano(settings.volcano),
        amd(settings.amd),
        *ascend(settings.vnpus),
        biren(settings.biren),
        cambricon(settings.cambricon),
        *enflame(settings.enflame),
        hygon(settings.hygon),
        *iluvatar(settings.iluvatars),
        *kunlun(settings.kunlun),
        *metax(settings.metax),
        mthreads(settings.mthreads),
        neuron(settings.awsneuron),
        vastai(settings.vastai),
        *(
            plain(each, Defaults(cores=each.default_cores, adjustable=True))
            for each in settings.families
        ),
    ))


def by_word(vendors: Vendors, word: str) -> Vendor:
    """The family of that word; raises KeyError, for words come from requests of our own."""
    return vendors.words[word]


def read(vendors: Vendors, pod: Pod) -> dict[str, tuple[Reading, ...]]:
    """What each slot asks, by the vendor's word; families that no slot speaks of are left out."""
    owners = vendors.owners
    named = {
        owners[name]
        for container in pod.containers
        for amounts in (container.limits, container.requests)
        for name in amounts or ()
        if name in owners
    }
    readings = {}
    for position in sorted(named):
        vendor = vendors[position]
        slots = tuple([vendor.parse(each, pod.annotations) for each in pod.containers])
        if any(slot is not NOTHING for slot in slots):
            readings[vendor.word] = slots
    return readings


_OF_ANY = frozenset({keys.NODE_POLICY, keys.CARD_POLICY, keys.WEIGHTS, keys.TOPOLOGY})


def wishes(asked: Iterable[Vendor]) -> frozenset[str]:
    """The annotations in which the users of these families say which cards they want."""
    return _OF_ANY.union(*((*vendor.keys.all, *vendor.reads) for vendor in asked))


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
    handovers: dict[str, Handover] = {}
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
            if found.handover is not None:
                handovers[vendor.word] = found.handover
    held = {each.lock for each in handovers.values()} & facts.annotations.keys()
    locks = {annotation: facts.annotations[annotation] for annotation in held}
    return Node(facts.name, devices, mistakes, until, handovers, locks)
