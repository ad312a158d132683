"""The cards of a node: from its register annotation, as long as somebody serves them there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.device import Device
from hami_admission.wire import handshakes, quantities, registers

if TYPE_CHECKING:
    from hami_admission.wire.nodes import NodeFacts


class Inventory(msgspec.Struct, frozen=True):
    """Cards, and the unix second until which they may be counted on."""

    devices: tuple[Device, ...] = ()
    until: float = math.inf


def registered(facts: NodeFacts, *, register: str, handshake: str, count: str) -> Inventory:
    """What the node's agent published; nothing where its device plugin has gone.

    Facts/scheduling.md 4.3: the kubelet offers zero of the count resource once the plugin's socket
    is gone (or when all cards are sick, which the annotation says itself); and a plugin that leaves
    a handshake unanswered for a minute is gone unless the kubelet still offers the resource. Raises
    Malformed for an annotation that cannot be read.
    """
    text = facts.annotations.get(register, "")
    if not text.strip():
        return Inventory()
    devices = registers.decode(text)
    offered = (facts.allocatable or {}).get(count)
    if offered is not None and quantities.floor(offered) == 0 and any(d.healthy for d in devices):
        return Inventory()
    asked = facts.annotations.get(handshake, "")
    until = math.inf if offered is not None else handshakes.deadline(asked)
    return Inventory(devices, until)
