"""Biren: cards by places (facts/devices.md 15)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hami_admission.vendors import holdings
from hami_admission.vendors.inventory import in_percent
from hami_admission.vendors.plain import described, plain
from hami_admission.vendors.vendor import About
from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.model.grant import PodGrants
    from hami_admission.options import BirenOptions
    from hami_admission.vendors.vendor import Vendor


def biren(options: BirenOptions) -> Vendor:
    """The value of the family, under the resource name that the options give."""
    family = described(
        options,
        word="Biren",
        charge="places",
        register=keys.BIREN_REGISTER,
        handshake=keys.BIREN_HANDSHAKE,
        use_uuid=keys.BIREN_USE_UUID,
        no_use_uuid=keys.BIREN_NOUSE_UUID,
        to_allocate=keys.BIREN_TO_ALLOCATE,
        allocated=keys.BIREN_ALLOCATED,
    )
    common = plain(family)
    return replace(
        common,
        about=About("Biren", "a place of a card, without limits", "HAMi's biren-device-plugin"),
        inventory=lambda facts: in_percent(common.inventory(facts)),
        recall=_recall,
    )


def _recall(notes: Mapping[str, str]) -> PodGrants:
    """From the annotation that names more cards: the device plugin takes away from one of them.

    It takes empty entries with it, so that what is left would belong to other containers
    (facts/devices.md 19, B1 and B2). One that can be read goes before one that is damaged.
    """
    both = [
        holdings.recalled(notes, allocated=key)
        for key in (keys.BIREN_ALLOCATED, keys.BIREN_TO_ALLOCATE)
    ]
    return max(both, key=holdings.readable)
