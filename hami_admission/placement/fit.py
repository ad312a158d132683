"""The loop: which cards of one node serve one request? Check, charge, order, choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.model.grant import Grant, SlotGrants
from hami_admission.model.verdict import Reason, Unfit
from hami_admission.model.wishes import ANY
from hami_admission.placement import order

if TYPE_CHECKING:
    from collections.abc import Callable

    from hami_admission.model.card import Card
    from hami_admission.model.request import Request
    from hami_admission.model.wishes import Wishes
    from hami_admission.placement.usage import Cards
    from hami_admission.vendors.vendor import Vendor

    Allows = Callable[[SlotGrants], bool]


def choose(
    vendor: Vendor, cards: Cards, request: Request, wishes: Wishes, allows: Allows | None
) -> SlotGrants | Unfit:
    """The grants of one request, on different cards, or why there are not enough of them.

    ``allows`` tells whether the namespace's quota has room for these grants; None: no quota asks.
    """
    if request.count > len(cards):
        return Unfit({Reason.NODE_INSUFFICIENT_DEVICE: len(cards)}, len(cards))
    able, reasons = _able(vendor, cards, request, wishes)
    grants: list[Grant] = []
    if len(able) >= request.count:
        for _, grant in order.by_policy(able, request, wishes.card_policy):
            if allows is not None and not allows((*grants, grant)):
                reasons[Reason.QUOTA_NOT_FIT] = reasons.get(Reason.QUOTA_NOT_FIT, 0) + 1
                continue
            grants.append(grant)
            if len(grants) == request.count:
                return tuple(grants)
    found = len(grants) or (len(able) if len(able) < request.count else 0)
    if found:
        reasons[Reason.ALLOCATED_TOO_FEW] = found
    return Unfit(reasons, len(cards))


def _able(
    vendor: Vendor, cards: Cards, request: Request, wishes: Wishes
) -> tuple[list[tuple[Card, Grant]], dict[Reason, int]]:
    selection = wishes.selections[vendor.word]
    checks = vendor.checks_of_any if selection is ANY else vendor.checks
    charge = vendor.charge
    able: list[tuple[Card, Grant]] = []
    reasons: dict[Reason, int] = {}
    for card in cards:
        refused: Reason | None = None
        for check in checks:
            refused = check(card, request, selection)
            if refused is not None:
                break
        grant = refused or charge(card, request)
        if isinstance(grant, Grant):
            able.append((card, grant))
        else:
            reasons[grant] = reasons.get(grant, 0) + 1
    return able, reasons
