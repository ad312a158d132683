"""The cards that a driver sees, as the node offers them: filtered, split, scaled, in one order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.model.device import Device
from hami_admission.node.facts import PCIE
from hami_admission.wire import keys, registers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hami_admission.node.facts import CardFacts
    from hami_admission.node.options import Options

FAMILY = "NVIDIA"
"""How types of cards begin."""

PER_NVLINK, MOST_NVLINKS = 100, 18
CORES = 100


def offered(
    cards: Iterable[CardFacts], options: Options, sick: Collection[str]
) -> tuple[Device, ...]:
    """What is registered, by index then uuid; ``sick`` are uuids that take no new pods."""
    shown = [
        card
        for card in cards
        if card.uuid not in options.hidden_uuids and card.index not in options.hidden_indexes
    ]
    ordered = sorted(shown, key=lambda card: (card.index, card.uuid))
    return tuple(_device(card, options, card.uuid not in sick) for card in ordered)


def _device(card: CardFacts, options: Options, healthy: bool) -> Device:
    memory = card.memory_mib or options.preconfigured_memory
    kind = card.model if card.model.startswith(FAMILY) else f"{FAMILY}-{card.model}"
    if card.mig:
        return Device(
            uuid=card.uuid,
            index=card.index,
            type=kind,
            slots=max((len(each.places) for each in card.profiles), default=0),
            memory_mib=memory,
            cores=CORES,
            numa=max(card.numa, 0),
            mode="mig",
            healthy=healthy,
            profiles=card.profiles,
        )
    return Device(
        uuid=card.uuid,
        index=card.index,
        type=kind,
        slots=options.split,
        memory_mib=int(memory * options.memory_scaling),
        cores=int(CORES * options.core_scaling),
        numa=max(card.numa, 0),
        healthy=healthy,
    )


def notes(
    cards: Iterable[CardFacts], devices: tuple[Device, ...], options: Options
) -> dict[str, str | None]:
    """The node's annotations; a None takes one away.

    The text depends on the cards alone, so that equal cards are never written twice.
    """
    shown = {device.uuid for device in devices}
    uuids = tuple(device.uuid for device in devices)
    by_uuid = {card.uuid: card for card in cards if card.uuid in shown}
    rows = tuple(tuple(_score(by_uuid, one, other) for other in uuids) for one in uuids)
    linked = options.topology_scores and any(map(any, rows))
    return {
        keys.NVIDIA_REGISTER: registers.encode(devices),
        keys.NVIDIA_SCORES: registers.encode_scores(uuids, rows) if linked else None,
    }


def asymmetric(cards: Iterable[CardFacts]) -> list[tuple[str, str]]:
    """Pairs of cards that see different numbers of lines between them; they count as none."""
    by_uuid = {card.uuid: card for card in cards}
    return sorted(
        (one, other)
        for one in by_uuid
        for other in by_uuid
        if one < other and _lines(by_uuid, one, other) != _lines(by_uuid, other, one)
    )


def _score(cards: dict[str, CardFacts], one: str, other: str) -> int:
    """100 for each line, and how near they are over PCIe (facts/node.md 1.7)."""
    if one == other:
        return 0
    levels = [PCIE.get(link.pcie, 0) for link in cards[one].links if link.uuid == other]
    lines = _lines(cards, one, other)
    if lines != _lines(cards, other, one):
        lines = 0
    return (levels[0] if levels else 0) + PER_NVLINK * min(lines, MOST_NVLINKS)


def _lines(cards: dict[str, CardFacts], one: str, other: str) -> int:
    return sum(link.nvlinks for link in cards[one].links if link.uuid == other)
