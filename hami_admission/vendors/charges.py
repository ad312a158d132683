"""What does one unit of a request cost on a card? Charges that families share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.model.grant import Grant
from hami_admission.model.verdict import Reason

if TYPE_CHECKING:
    from hami_admission.model.card import Card
    from hami_admission.model.request import Request


def fluid(card: Card, request: Request, whole: int = 100) -> Grant | Reason:
    """Any number of MiB and percent points (facts/scheduling.md 6.2, rows 8 to 11).

    All ``whole`` cores on a card that offers at least as many mean the card alone, also where its
    cores are scaled (upstream forgets that there).
    """
    device = card.device
    memory = request.memory_on(device.memory_mib)
    if device.memory_mib - card.memory_mib < memory:
        return Reason.CARD_INSUFFICIENT_MEMORY
    if device.cores - card.cores < request.cores:
        return Reason.CARD_INSUFFICIENT_CORE
    if request.cores == whole and card.slots:
        return Reason.CARD_EXCLUSIVE_CONFLICT
    if request.cores == 0 and device.cores and card.cores >= device.cores:
        return Reason.CARD_CORES_EXHAUSTED
    return Grant(device.uuid, request.vendor, memory, request.cores)


def whole(card: Card, request: Request) -> Grant | Reason:
    """A card that nobody uses, with all that it has."""
    if card.slots:
        return Reason.CARD_EXCLUSIVE_CONFLICT
    device = card.device
    return Grant(device.uuid, request.vendor, device.memory_mib, device.cores)


def places(card: Card, request: Request) -> Grant | Reason:
    """One of the card's places and nothing else; how much of the card that is nobody says."""
    return Grant(card.device.uuid, request.vendor, 0, 0)
