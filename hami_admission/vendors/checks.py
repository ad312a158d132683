"""May this card serve this request at all? Predicates that families share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.model.verdict import Reason

if TYPE_CHECKING:
    from hami_admission.model.card import Card
    from hami_admission.model.request import Request
    from hami_admission.model.wishes import Selection
    from hami_admission.vendors.vendor import Check


def health(card: Card, request: Request, selection: Selection) -> Reason | None:
    """A sick card takes no new pods."""
    return None if card.device.healthy else Reason.CARD_NOT_HEALTH


def kind(card: Card, request: Request, selection: Selection) -> Reason | None:
    """The pod's lists of card types."""
    return None if selection.type_allowed(card.device.type) else Reason.CARD_TYPE_MISMATCH


def uuid(card: Card, request: Request, selection: Selection) -> Reason | None:
    """The pod's lists of single cards."""
    return None if selection.uuid_allowed(card.device.uuid) else Reason.CARD_UUID_MISMATCH


def slots(card: Card, request: Request, selection: Selection) -> Reason | None:
    """No more containers than the card is split for."""
    return None if card.slots < card.device.slots else Reason.CARD_SLOTS_EXHAUSTED


SELECTIVE: frozenset[Check] = frozenset((kind, uuid))
"""Checks that nothing fails where the pod has no lists."""

COMMON: tuple[Check, ...] = (health, kind, uuid, slots)
"""In upstream's order (facts/scheduling.md 6.2), which decides the tag a card is counted under."""
