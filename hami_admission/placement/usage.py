"""A node's cards with what is taken of them; adding and removing what pods hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.card import Card
from hami_admission.model.grant import CORES, MEMORY, SLOTS, CardKey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hami_admission.model.amounts import Amounts
    from hami_admission.model.device import Device

Cards = tuple[Card, ...]


class NodeUsage(msgspec.Struct, frozen=True):
    """The cards of a node by the vendor's word, and the node's score before any pod is added."""

    cards: dict[str, Cards]
    score: float


def empty(devices: dict[str, tuple[Device, ...]]) -> NodeUsage:
    """The usage of a node on which nothing runs."""
    return _scored({word: tuple(Card(device) for device in each) for word, each in devices.items()})


def add(usage: NodeUsage, held: Amounts[CardKey]) -> NodeUsage:
    """With what one more pod holds; cards that the node does not have are passed over."""
    return _scored({word: taken(cards, held) for word, cards in usage.cards.items()})


def remove(usage: NodeUsage, held: Amounts[CardKey]) -> NodeUsage:
    """Without what one pod held."""
    return _scored({word: taken(cards, held, -1) for word, cards in usage.cards.items()})


def taken(cards: Cards, held: Amounts[CardKey], times: int = 1) -> Cards:
    """The cards with ``held`` on top, ``times`` over (minus one takes it away)."""
    touched = {uuid for uuid, _ in held}
    return tuple(
        _with(card, held, times) if card.device.uuid in touched else card for card in cards
    )


def _with(card: Card, held: Amounts[CardKey], times: int) -> Card:
    uuid = card.device.uuid
    return Card(
        card.device,
        card.slots + times * held[uuid, SLOTS],
        card.memory_mib + times * held[uuid, MEMORY],
        card.cores + times * held[uuid, CORES],
    )


def _scored(cards: dict[str, Cards]) -> NodeUsage:
    return NodeUsage(cards, node_score(card for each in cards.values() for card in each))


def node_score(cards: Iterable[Card]) -> float:
    """10 × (slots + cores + memory used, each as a share of the node); 0 if one has no total.

    Upstream's formula (facts/scheduling.md 7.1): from 0 for an empty node to 30 for a full one.
    """
    used = [0, 0, 0]
    totals = [0, 0, 0]
    for card in cards:
        device = card.device
        used[0] += card.slots
        used[1] += card.cores
        used[2] += card.memory_mib
        totals[0] += device.slots
        totals[1] += device.cores
        totals[2] += device.memory_mib
    if not all(totals):
        return 0.0
    return 10 * sum(part / whole for part, whole in zip(used, totals, strict=True))
