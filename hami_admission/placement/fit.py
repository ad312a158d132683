"""The loop: which cards of one node serve one request? Check, charge, order, choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.model.grant import Grant, SlotGrants
from hami_admission.model.verdict import Reason, Unfit
from hami_admission.model.wishes import ANY
from hami_admission.placement import order, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hami_admission.model.card import Card
    from hami_admission.model.request import Request
    from hami_admission.model.wishes import Selection, Wishes
    from hami_admission.placement.usage import Cards
    from hami_admission.vendors.vendor import Able, Vendor

    Allows = Callable[[SlotGrants], bool]


def choose(
    vendor: Vendor, cards: Cards, request: Request, wishes: Wishes, allows: Allows | None
) -> SlotGrants | Unfit:
    """The grants of one request, or why there are not enough of them; there is one card at least.

    ``allows`` tells whether the namespace's quota has room for these grants; None: no quota asks.
    """
    meant = _meant(vendor, cards, request)
    if isinstance(meant, Unfit):
        return meant
    request = meant
    candidates = _candidates(vendor, cards, request, wishes, None)
    if isinstance(candidates, Unfit):
        return candidates
    (able, reasons), count = candidates, request.count
    ordered: Sequence[Able] = order.by_policy(able, count, wishes)
    if allows is not None:
        ordered, refused = _within(ordered, count, allows)
        if len(ordered) < count:
            reasons[Reason.QUOTA_NOT_FIT] = reasons.get(Reason.QUOTA_NOT_FIT, 0) + refused
            if ordered:
                reasons[Reason.ALLOCATED_TOO_FEW] = len(ordered)
            return Unfit(reasons, len(cards))
    return _together(vendor, ordered, reasons, wishes, count, len(cards))


def possible(
    vendor: Vendor, cards: Cards, request: Request, wishes: Wishes
) -> SlotGrants | Unfit | None:
    """Grants that would do, though not the best, or why there are not enough; quota aside.

    None where the best may cost something else than these: then ``choose`` has to tell.
    """
    meant = _meant(vendor, cards, request)
    if isinstance(meant, Unfit):
        return meant
    request = meant
    alike = _alike(cards, request)
    choosy = vendor.choosy(request.count, wishes)
    enough = request.count if alike and not choosy else None
    candidates = _candidates(vendor, cards, request, wishes, enough)
    if isinstance(candidates, Unfit):
        return candidates
    (able, reasons), count = candidates, request.count
    if not alike:
        return None
    if choosy:
        return _together(vendor, able, reasons, wishes, count, len(cards))
    return tuple([grant for _, grant in able[:count]])


def _alike(cards: Cards, request: Request) -> bool:
    """Does the request cost the same on each of these cards?"""
    size = cards[0].device.memory_mib
    fixed = request.memory_mib is not None
    return all(
        not card.device.profiles and (fixed or card.device.memory_mib == size) for card in cards
    )


def _meant(vendor: Vendor, cards: Cards, request: Request) -> Request | Unfit:
    """What the request means on this node; without such cards nothing else than it says."""
    if vendor.resolve is None or not cards:
        return request
    meant = vendor.resolve(request, cards)
    return Unfit({meant: len(cards)}, len(cards)) if isinstance(meant, Reason) else meant


def _candidates(
    vendor: Vendor, cards: Cards, request: Request, wishes: Wishes, enough: int | None
) -> tuple[list[Able], dict[Reason, int]] | Unfit:
    """The cards that may serve, as many as wanted at least, and why the others do not."""
    count = request.count
    if count > len(cards) and not (vendor.repeats and any(map(vendor.repeats, cards))):
        return Unfit({Reason.NODE_INSUFFICIENT_DEVICE: len(cards)}, len(cards))
    able, reasons = _able(vendor, cards, request, wishes.selection(vendor.word), enough)
    if len(able) < count:
        if able:
            reasons[Reason.ALLOCATED_TOO_FEW] = len(able)
        return Unfit(reasons, len(cards))
    return able, reasons


def _together(
    vendor: Vendor,
    able: Sequence[Able],
    reasons: dict[Reason, int],
    wishes: Wishes,
    count: int,
    total: int,
) -> SlotGrants | Unfit:
    """Those of the candidates that go together."""
    chosen = able[:count] if vendor.choose is None else vendor.choose(able, count, wishes)
    if isinstance(chosen, Reason):
        reasons[chosen] = reasons.get(chosen, 0) + len(able)
        return Unfit(reasons, total)
    return tuple([grant for _, grant in chosen])


def _within(ordered: Sequence[Able], count: int, allows: Allows) -> tuple[list[Able], int]:
    """The candidates among which any choice is within the quota, and how many were left out.

    Where ``count`` of the costliest fit together, all that cost no more do. Else the first that
    fit together, in their order.
    """
    costliest = sorted(ordered, key=lambda each: (-each[1].memory_mib, -each[1].cores))[:count]
    if allows(tuple(grant for _, grant in costliest)):
        return list(ordered), 0
    taken: list[Able] = []
    for each in ordered:
        if len(taken) == count:
            break
        if allows((*(grant for _, grant in taken), each[1])):
            taken.append(each)
    return taken, len(ordered) - len(taken)


def _able(
    vendor: Vendor, cards: Cards, request: Request, selection: Selection, enough: int | None = None
) -> tuple[list[Able], dict[Reason, int]]:
    """The cards that may serve, and why the others do not; no more than are enough."""
    checks = vendor.checks_of_any if selection is ANY else vendor.checks
    charge, repeats = vendor.charge, vendor.repeats
    able: list[Able] = []
    reasons: dict[Reason, int] = {}
    spoiled = {} if vendor.spoiled is None else vendor.spoiled(cards, selection)
    for card in cards:
        refused = _barred(card, spoiled)
        for check in checks if refused is None else ():
            refused = check(card, request, selection)
            if refused is not None:
                break
        grant = refused or charge(card, request)
        if isinstance(grant, Grant):
            able.append((card, grant))
            if repeats is not None and repeats(card):
                able += _again(vendor, card, grant, request, selection)
            if enough is not None and len(able) >= enough:
                break
        else:
            reasons[grant] = reasons.get(grant, 0) + 1
    return able, reasons


def _again(
    vendor: Vendor, card: Card, grant: Grant, request: Request, selection: Selection
) -> list[Able]:
    """What the same card gives beside that, for requests of several."""
    found: list[Able] = []
    while len(found) < request.count - 1:
        card = usage.with_grant(card, grant)
        if any(check(card, request, selection) for check in vendor.checks):
            break
        more = vendor.charge(card, request)
        if isinstance(more, Reason):
            break
        found.append((card, more))
        grant = more
    return found


def each_card(
    vendor: Vendor, cards: Cards, request: Request, wishes: Wishes
) -> list[tuple[Card, Reason | None]]:
    """For each card why it does not serve, or None: what is counted above, one by one."""
    meant = _meant(vendor, cards, request)
    if isinstance(meant, Unfit):
        return [(card, next(iter(meant.counts))) for card in cards]
    request = meant
    selection = wishes.selection(vendor.word)
    spoiled = {} if vendor.spoiled is None else vendor.spoiled(cards, selection)
    found: list[tuple[Card, Reason | None]] = []
    for card in cards:
        _, reasons = _able(vendor, (card,), request, selection)
        found.append((card, _barred(card, spoiled) or next(iter(reasons), None)))
    return found


def _barred(card: Card, spoiled: Mapping[str, Reason]) -> Reason | None:
    """What keeps a card from serving, whatever is asked: somebody may have all of it."""
    return Reason.CARD_USE_UNKNOWN if card.unread else spoiled.get(card.device.uuid)
