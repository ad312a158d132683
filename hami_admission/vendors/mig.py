"""MIG: a card that is cut into instances, each of a profile, each at a place of its own.

Facts/scheduling.md 6.5, facts/devices.md 3.4. Instances are made on the node before the pod
starts; what is decided here is profile and place.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from hami_admission.model.grant import Grant
from hami_admission.model.verdict import Reason
from hami_admission.topology import intervals

if TYPE_CHECKING:
    from hami_admission.model.card import Card
    from hami_admission.model.device import Profile
    from hami_admission.model.request import Request
    from hami_admission.model.wishes import Selection

MODE = "mig"

_HIGH = ("1g.", "3g.")
"""Profiles that lie at the far end, so that the near end stays free for the larger ones."""


def instance(card: Card, request: Request) -> Grant | Reason:
    """The smallest profile with memory enough that has a free place; the pick is the profile's.

    A percentage is of what the largest instance offers at most: no instance has all of the card's
    memory. Cores do not choose the profile, they are the profile's (upstream's rule).
    """
    profiles = _by_size(card.device.profiles)
    need = request.memory_on(card.device.memory_mib)
    if request.memory_mib is None and profiles:
        need = min(need, profiles[-1].memory_mib)
    for profile in profiles:
        if profile.memory_mib < need:
            continue
        high = profile.name.startswith(_HIGH)
        place = intervals.place(profile.places, card.units, high=high)
        if place is not None:
            start, size = place
            units = tuple(range(start, start + size))
            uuid, word = card.device.uuid, request.vendor
            return Grant(uuid, word, profile.memory_mib, profile.cores, units, profile.name)
    return Reason.CARD_MIG_INFEASIBLE


def known(card: Card, request: Request, selection: Selection) -> Reason | None:
    """A card whose use is not what its mode says is left alone: nobody knows what is free there.

    That is a pod without a reservation on a card in MIG mode, or one with an instance on a card
    that is not (facts/devices.md 3.4, fail closed).
    """
    expected = card.slots if card.device.mode == MODE else 0
    return None if card.instances == expected else Reason.CARD_NOT_HEALTH


def repeats(card: Card) -> bool:
    """One request may take several instances of one card."""
    return card.device.mode == MODE


@lru_cache(maxsize=1024)
def _by_size(profiles: tuple[Profile, ...]) -> tuple[Profile, ...]:
    return tuple(sorted(profiles, key=lambda each: (each.memory_mib, each.slices, each.name)))
