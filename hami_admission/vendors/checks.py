"""May this card serve this request at all? Predicates that families share."""

from __future__ import annotations

from collections.abc import Callable

from hami_admission.model.card import Card
from hami_admission.model.request import Request
from hami_admission.model.verdict import Reason
from hami_admission.model.wishes import Selection

Check = Callable[[Card, Request, Selection], Reason | None]
"""Why this card cannot serve at all, or None."""


def health(card: Card, request: Request, selection: Selection) -> Reason | None:
    """A sick card takes no new pods."""
    return None if card.device.healthy else Reason.CARD_NOT_HEALTH


def cordon(card: Card, request: Request, selection: Selection) -> Reason | None:
    """A card that an operator took out of service takes no new pods."""
    return Reason.CARD_CORDONED if card.device.cordoned else None


def kind(card: Card, request: Request, selection: Selection) -> Reason | None:
    """The pod's lists of card types, and the ways of sharing that it accepts."""
    device = card.device
    allowed = selection.modes is None or device.mode in selection.modes
    if allowed and selection.type_allowed(device.type):
        return None
    return Reason.CARD_TYPE_MISMATCH


def uuid(card: Card, request: Request, selection: Selection) -> Reason | None:
    """The pod's lists of single cards."""
    return None if selection.uuid_allowed(card.device.uuid) else Reason.CARD_UUID_MISMATCH


def slots(card: Card, request: Request, selection: Selection) -> Reason | None:
    """No more containers than the card is split for."""
    return None if card.slots < card.device.slots else Reason.CARD_SLOTS_EXHAUSTED


def idle(card: Card, request: Request, selection: Selection) -> Reason | None:
    """Policy ``mutex``: only cards that nobody uses."""
    return Reason.CARD_EXCLUSIVE_CONFLICT if selection.idle and card.slots else None


def same(card: Card, request: Request, selection: Selection) -> Reason | None:
    """Of some families all containers of a pod use the same cards."""
    allowed = selection.same is None or card.device.uuid in selection.same
    return None if allowed else Reason.CARD_CUSTOM_RULE


COMMON: tuple[Check, ...] = (health, cordon, kind, uuid, slots, idle)
"""In upstream's order (facts/scheduling.md 6.2), which decides the tag a card is counted under."""

COMMON_OF_ANY: tuple[Check, ...] = (health, cordon, slots)
"""Those that may fail a pod without wishes."""
