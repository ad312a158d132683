"""What a grant is beside upstream's four fields (``wire/grants.py``), both ways.

``hami.io/card-details.<word>``: ``[[],[{"slots":3,"trait":"online"}]]``, by slot and card in the
order of the grants; only what is not as usual is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.wire import keys
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from hami_admission.model.grant import Grant, PodGrants

MAX_UNIT = 4096
"""Numbers of units and of places of a card; no card has as many."""


class _Detail(msgspec.Struct, frozen=True, omit_defaults=True):
    units: tuple[int, ...] = ()
    slots: int = 1
    trait: str = ""
    percent: int = 0


_DECODER = msgspec.json.Decoder(list[list[_Detail]])


def annotation(word: str) -> str:
    """The key for the family of that word."""
    return f"{keys.DETAILS_PREFIX}{word}"


def encode(grants: PodGrants) -> str:
    """Empty where there is nothing to say."""
    found = [[_detail(grant) for grant in slot] for slot in grants]
    if not any(each != _Detail() for slot in found for each in slot):
        return ""
    return msgspec.json.encode(found).decode()


def decode(text: str, grants: PodGrants) -> PodGrants:
    """The grants with what is said of them; raises Malformed where it is not said of each."""
    try:
        found = _DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed(f"card details: {error}") from error
    if [*map(len, found)] != [*map(len, grants)]:
        raise Malformed("card details: not of the cards that the pod has")
    for each in (detail for slot in found for detail in slot):
        numbers = (*each.units, each.slots, each.percent)
        if min(numbers) < 0 or max(numbers) > MAX_UNIT or len(set(each.units)) < len(each.units):
            raise Malformed("card details: a number that no card has")
    return tuple(
        tuple(
            msgspec.structs.replace(
                grant,
                units=detail.units,
                slots=detail.slots,
                trait=detail.trait,
                percent=detail.percent,
            )
            for grant, detail in zip(slot, details, strict=True)
        )
        for slot, details in zip(grants, found, strict=True)
    )


def _detail(grant: Grant) -> _Detail:
    return _Detail(grant.units, grant.slots, grant.trait, grant.percent)
