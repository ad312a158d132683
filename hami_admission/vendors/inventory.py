"""The cards of a node: from its register annotation, as long as somebody serves them there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.device import Device
from hami_admission.model.node import Handover
from hami_admission.wire import handshakes, quantities, registers
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from hami_admission.model.names import ResourceNames
    from hami_admission.wire.nodes import NodeFacts


class Inventory(msgspec.Struct, frozen=True):
    """Cards, the unix second until which they may be counted on, and how pods are handed over.

    Without a handover they are our own agent's, which needs nothing.
    """

    devices: tuple[Device, ...] = ()
    until: float = math.inf
    handover: Handover | None = None

    def each(self, change: Callable[[Device], Device]) -> Inventory:
        """The same, with each card changed."""
        return msgspec.structs.replace(self, devices=tuple(map(change, self.devices)))


Decode = Callable[[str], tuple[Device, ...]]
"""The cards in a register annotation; raises Malformed."""

Maker = Callable[[str, int], Device]
"""The card of that number, made up for the node of that name."""


def registered(
    facts: NodeFacts,
    *,
    register: str,
    handshake: str,
    count: str,
    decode: Decode = registers.decode,
) -> Inventory:
    """What the node's agent published; nothing where its device plugin has gone.

    Facts/scheduling.md 4.3: the kubelet offers zero of the count resource once the plugin's socket
    is gone (or when all cards are sick, which the annotation says itself); and a plugin that leaves
    a handshake unanswered for a minute is gone unless the kubelet still offers the resource. Raises
    Malformed for an annotation that cannot be read.
    """
    text = facts.annotations.get(register, "")
    if not text.strip():
        return Inventory()
    devices = decode(text)
    offered = (facts.allocatable or {}).get(count)
    if offered is not None and quantities.floor(offered) == 0 and any(d.healthy for d in devices):
        return Inventory()
    asked = facts.annotations.get(handshake, "") if handshake else ""
    until = math.inf if offered is not None else handshakes.deadline(asked)
    return Inventory(devices, until)


def in_percent(found: Inventory) -> Inventory:
    """The same cards, each with 100 cores, for plugins that register something else or nothing."""
    return found.each(lambda card: msgspec.structs.replace(card, cores=100))


def noted(
    cards: Callable[[NodeFacts], Inventory], names: tuple[str, ...], facts: NodeFacts
) -> Inventory:
    """The cards, with these annotations of their node for facts."""
    said = tuple((name, facts.annotations.get(name, "")) for name in names)
    return cards(facts).each(lambda card: msgspec.structs.replace(card, facts=said))


def made_up(
    facts: NodeFacts, counted: tuple[str, ...], make: Callable[[list[int]], tuple[int, Maker]]
) -> tuple[Device, ...]:
    """Cards of which a node says only how many (or how much) it has.

    ``counted`` are resources; ``make`` gives, from the node's capacity of each, how many cards that
    is and how to make one. None where the device plugin has gone: the kubelet offers zero then.
    Raises Malformed.
    """
    there, offered = facts.capacity or facts.allocatable or {}, facts.allocatable
    if offered is not None and quantities.floor(offered.get(counted[0], 0)) == 0:
        return ()
    number, maker = make([quantities.floor(there.get(name, 0)) for name in counted])
    if number > registers.MAX_CARDS:
        raise Malformed(
            f"capacity: {number} cards by {counted[0]}, more than {registers.MAX_CARDS}"
        )
    return registers.checked([maker(facts.name, index) for index in range(number)], "capacity")


def in_total(
    facts: NodeFacts, *, names: ResourceNames, word: str, ids: str, handover: Handover
) -> Inventory:
    """Cards of a node that says how many cores and how much memory they have together.

    Each has whole cores and its part of the memory, and may be shared by a hundred; a card that is
    begun counts. ``ids`` stands in their ids between the node's name and the index. Raises
    Malformed.
    """

    def make(totals: list[int]) -> tuple[int, Maker]:
        cores, memory = totals
        part = memory * names.unit_mib * names.whole_cores // cores if cores else 0

        def card(node: str, index: int) -> Device:
            return Device(
                uuid=f"{node}-{ids}-{index}",
                index=index,
                type=word,
                slots=100,
                memory_mib=part,
                cores=names.whole_cores,
                mode="",
            )

        return -(-cores // names.whole_cores), card

    return Inventory(made_up(facts, (names.cores, names.memory), make), math.inf, handover)
