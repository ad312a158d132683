"""Nodes, their usage, and which models of cards there are; kept by events, never rebuilt."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from hami_admission.cluster.tables import Changes
from hami_admission.placement import usage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from hami_admission.model.amounts import Amounts
    from hami_admission.model.card import Card
    from hami_admission.model.grant import CardKey
    from hami_admission.model.node import Node
    from hami_admission.model.request import Request
    from hami_admission.model.wishes import Selection
    from hami_admission.placement.usage import NodeUsage


class Nodes:
    """The nodes that registered cards, each with what is taken of them."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._usage: dict[str, NodeUsage] = {}
        self._models: Counter[tuple[str, str, int]] = Counter()
        self._expiring: set[str] = set()
        self._owners: dict[str, set[str]] = {}
        self.twice: dict[str, set[str]] = {}
        """The nodes that say they have the same card, by its uuid: each of them gives it out."""
        self.changes = Changes()
        self.excess: dict[str, tuple[Card, ...]] = {}
        """The cards of which more is given out than there is, by node name."""
        self.damaged: dict[str, str] = {}
        """Why what a node registered cannot be read, by node name."""

    @property
    def usage(self) -> Mapping[str, NodeUsage]:
        """The usage by node name, in the order in which nodes were first seen."""
        return self._usage

    def put(self, node: Node, held: Iterable[Amounts[CardKey]]) -> bool:
        """A node as it is now; ``held`` is what its pods and bookings hold. Did it change?"""
        before = self._nodes.get(node.name)
        if node.mistakes:
            self.damaged[node.name] = "; ".join(node.mistakes.values())
        else:
            self.damaged.pop(node.name, None)
        if before is not None and before.devices == node.devices and before.until == node.until:
            self._nodes[node.name] = node
            return False
        self._remove(node.name)
        self._nodes[node.name] = node
        self._models.update(_models(node))
        for uuid in _uuids(node):
            owners = self._owners.setdefault(uuid, set())
            owners.add(node.name)
            if len(owners) > 1:
                self.twice[uuid] = owners
        if node.until != math.inf:
            self._expiring.add(node.name)
        if node.devices:
            current = usage.empty(node.devices)
            for each in held:
                current = usage.add(current, each)
            self._set(node.name, current)
        return True

    def gone(self, name: str) -> None:
        """A node that was deleted."""
        self.damaged.pop(name, None)
        self._remove(name)

    def _remove(self, name: str) -> None:
        node = self._nodes.pop(name, None)
        if node is not None:
            self._models -= Counter(_models(node))
            for uuid in _uuids(node):
                self._disown(uuid, name)
        self._drop(name)

    def _disown(self, uuid: str, name: str) -> None:
        owners = self._owners[uuid]
        owners.discard(name)
        if len(owners) < 2:
            self.twice.pop(uuid, None)
        if not owners:
            del self._owners[uuid]

    def get(self, name: str) -> Node | None:
        """A node as it was seen last."""
        return self._nodes.get(name)

    def all(self) -> Collection[Node]:
        """The nodes that were seen, as they were seen."""
        return self._nodes.values()

    def names(self) -> frozenset[str]:
        """All nodes that were seen, with cards or without."""
        return frozenset(self._nodes)

    def take(self, name: str, held: Amounts[CardKey]) -> None:
        """A pod or booking came to a node."""
        if name in self._usage:
            self._set(name, usage.add(self._usage[name], held))

    def free(self, name: str, held: Amounts[CardKey]) -> None:
        """A pod or booking left a node."""
        if name in self._usage:
            self._set(name, usage.remove(self._usage[name], held))

    def expire(self, now: float) -> None:
        """Forget the cards of nodes whose handshake ran out."""
        for name in [name for name in self._expiring if self._nodes[name].until <= now]:
            self._drop(name)

    def _set(self, name: str, current: NodeUsage) -> None:
        self._usage[name] = current
        over = tuple(card for cards in current.cards.values() for card in cards if card.exceeded)
        if over:
            self.excess[name] = over
        else:
            self.excess.pop(name, None)
        self.changes.note(name)

    def _drop(self, name: str) -> None:
        self._usage.pop(name, None)
        self.excess.pop(name, None)
        self._expiring.discard(name)
        self.changes.note(name)

    def smallest(self, request: Request, selection: Selection) -> int:
        """MiB that a percentage means on the smallest card whose type is allowed; 0 if none is."""
        sizes = [
            memory
            for word, kind, memory in self._models
            if word == request.vendor and selection.type_allowed(kind)
        ]
        return request.memory_on(min(sizes)) if sizes else 0


def _models(node: Node) -> list[tuple[str, str, int]]:
    return [
        (word, device.type, device.memory_mib)
        for word, devices in node.devices.items()
        for device in devices
    ]


def _uuids(node: Node) -> set[str]:
    """Several families may offer one card, each by its own names."""
    return {device.uuid for devices in node.devices.values() for device in devices}
