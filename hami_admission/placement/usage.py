"""A node's cards with what is taken of them; adding and removing what pods hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.card import Card
from hami_admission.model.grant import (
    CORES,
    INSTANCES,
    MEMORY,
    SLOTS,
    TRAIT,
    UNIT,
    UNREAD,
    CardKey,
    of_slot,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hami_admission.model.amounts import Amounts
    from hami_admission.model.device import Device
    from hami_admission.model.grant import Grant

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
    return _scored(changed(usage.cards, held))


def remove(usage: NodeUsage, held: Amounts[CardKey]) -> NodeUsage:
    """Without what one pod held."""
    return _scored(changed(usage.cards, held, -1))


def changed(cards: dict[str, Cards], held: Amounts[CardKey], times: int = 1) -> dict[str, Cards]:
    """The cards of a node with ``held`` on top, ``times`` over (minus one takes it away)."""
    return {word: taken(own, held, times, word) for word, own in cards.items()}


def taken(cards: Cards, held: Amounts[CardKey], times: int = 1, word: str = "") -> Cards:
    """The same of the family of that word."""
    by_card: dict[str, list[tuple[str, int]]] = {}
    for (uuid, dimension), value in held.items():
        by_card.setdefault(uuid, []).append((dimension, times * value))
    for uuid in by_card.keys() - {card.device.uuid for card in cards}:
        lost = [(each, value) for each, value in by_card[uuid] if each == f"{UNREAD}{word}"]
        for card in cards if lost else ():
            by_card.setdefault(card.device.uuid, []).extend(lost)
    return tuple(
        _with(card, by_card[card.device.uuid]) if card.device.uuid in by_card else card
        for card in cards
    )


def with_grant(card: Card, grant: Grant) -> Card:
    """The card with one more grant on it."""
    return taken((card,), of_slot((grant,)))[0]


def _with(card: Card, changes: list[tuple[str, int]]) -> Card:
    found = dict.fromkeys((SLOTS, MEMORY, CORES, INSTANCES), 0)
    units, traits, unread = card.units, dict(card.traits), card.unread
    for dimension, value in changes:
        if dimension.startswith(UNREAD):
            unread += value
        elif dimension.startswith(UNIT):
            units = _unit(units, int(dimension[len(UNIT) :]), value)
        elif dimension.startswith(TRAIT):
            trait = dimension[len(TRAIT) :]
            traits[trait] = traits.get(trait, 0) + value
        else:
            found[dimension] = value
    return Card(
        card.device,
        card.slots + found[SLOTS],
        card.memory_mib + found[MEMORY],
        card.cores + found[CORES],
        units,
        card.instances + found[INSTANCES],
        tuple(sorted((trait, count) for trait, count in traits.items() if count)),
        unread,
    )


def _unit(units: tuple[int, ...], number: int, change: int) -> tuple[int, ...]:
    """One unit more or less; zeros at the end are dropped, so that nothing taken is ``()``."""
    counts = [*units, *[0] * (number + 1 - len(units))]
    counts[number] += change
    while counts and not counts[-1]:
        counts.pop()
    return tuple(counts)


def _scored(cards: dict[str, Cards]) -> NodeUsage:
    return NodeUsage(cards, node_score(card for each in cards.values() for card in each))


def node_score(cards: Iterable[Card]) -> float:
    """10 × (slots + cores + memory used, each as a share of the node).

    Upstream's formula (facts/scheduling.md 7.1): from 0 for an empty node to 30 for a full one.
    What no card of the node has counts nothing.
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
    return 10 * sum(part / whole for part, whole in zip(used, totals, strict=True) if whole)
