"""Vastai: cards by places, or the dies of cards (facts/devices.md 14).

Where a node gives out dies, those of one card (its AIC) belong together: a container gets its dies
from few cards, a pod that wants cards for itself gets none beside dies of others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hami_admission.model.verdict import Reason
from hami_admission.vendors import together
from hami_admission.vendors.inventory import in_percent
from hami_admission.vendors.plain import described, plain
from hami_admission.vendors.vendor import About
from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hami_admission.model.card import Card
    from hami_admission.model.device import Device
    from hami_admission.model.grant import PodGrants
    from hami_admission.model.wishes import Selection, Wishes
    from hami_admission.options import VastaiOptions
    from hami_admission.vendors.vendor import Vendor

WORD = "Vastai"


def vastai(options: VastaiOptions) -> Vendor:
    """The value of the family, under the resource name that the options give."""
    family = described(
        options,
        word=WORD,
        charge="places",
        register=keys.VASTAI_REGISTER,
        handshake=keys.VASTAI_HANDSHAKE,
        use_uuid=keys.VASTAI_USE_UUID,
        no_use_uuid=keys.VASTAI_NOUSE_UUID,
    )
    common = plain(family)
    return replace(
        common,
        about=About("Vastai", "a place, without limits", "Vastai's", "dies of few cards"),
        inventory=lambda facts: in_percent(common.inventory(facts)),
        choose=together.by_group(_aic),
        spoiled=_spoiled,
        score=_score,
    )


def _aic(device: Device) -> str:
    """The card that a die is on; a card that is given out whole is on none."""
    return device.fact("AIC") if device.fact("DeviceStrategy") == "die" else ""


def _spoiled(cards: Sequence[Card], selection: Selection) -> Mapping[str, Reason]:
    """Policy ``mutex``: idle dies of a card of which others use a die."""
    if not selection.idle:
        return {}
    used = {_aic(card.device) for card in cards if card.slots} - {""}
    return {
        card.device.uuid: Reason.CARD_EXCLUSIVE_CONFLICT
        for card in cards
        if _aic(card.device) in used and not card.slots
    }


def _score(cards: Sequence[Card], grants: PodGrants, wishes: Wishes) -> float:
    """For each container the part of its dies that are on one card, 1.0 for all of them.

    Cards that are given out whole count as cards of one die; upstream gives nodes with such cards
    nothing, so that a pod with one die would always be drawn to the others.
    """
    return sum(together.shares(_aic, cards, grants))
