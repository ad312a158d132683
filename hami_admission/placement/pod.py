"""One pod on one node: init containers alone, the others together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model import grant as grants_of
from hami_admission.model.pod import Kind
from hami_admission.model.request import Request
from hami_admission.model.verdict import Reason, Unfit
from hami_admission.model.wishes import Wishes
from hami_admission.placement import fit, usage
from hami_admission.vendors import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hami_admission.model.grant import PodGrants, SlotGrants
    from hami_admission.placement.usage import Cards

    Allows = Callable[[PodGrants], bool]


class Demand(msgspec.Struct, frozen=True, cache_hash=True):
    """What a pod asks of a node: by slot its kind and its requests, and the pod's wishes.

    Pods with equal demands are served alike, so it is the key under which answers are kept.
    """

    kinds: tuple[Kind, ...]
    slots: tuple[tuple[Request, ...], ...]
    wishes: Wishes

    def varies(self, grants: PodGrants) -> bool:
        """Does it cost something else on other cards? Else its quota was settled at admission."""
        return any(request.memory_mib is None for slot in self.slots for request in slot) or any(
            map(_otherwise, self.slots, grants)
        )

    @property
    def single(self) -> tuple[int, Request] | None:
        """The slot and the request, where there is one alone."""
        found = [(n, request) for n, slot in enumerate(self.slots) for request in slot]
        return found[0] if len(found) == 1 else None

    @property
    def words(self) -> frozenset[str]:
        """The families asked."""
        return frozenset(request.vendor for slot in self.slots for request in slot)


def _otherwise(requests: tuple[Request, ...], grants: SlotGrants) -> bool:
    """Is something given that was not asked just so?"""
    asked = {each.vendor: (each.memory_mib, each.cores) for each in requests}
    return any(
        each.profile or (each.memory_mib, each.percent or each.cores) != asked.get(each.vendor)
        for each in grants
    )


def on_node(
    demand: Demand, cards: dict[str, Cards], vendors: table.Vendors, allows: Allows | None
) -> PodGrants | Unfit:
    """The cards of every container, or why the first that finds none does not.

    An init container is placed beside the sidecars declared before it, an app container beside
    all sidecars and the apps before it; so no card is over its room at any time. Instances that
    init containers use exist as long as the pod.
    """
    found = _in_order(demand, cards, vendors, allows)
    if isinstance(found, Unfit):
        for bound in _bound(demand, cards, vendors):
            again = _in_order(bound, cards, vendors, allows)
            if not isinstance(again, Unfit):
                return again
    return found


def _bound(demand: Demand, cards: dict[str, Cards], vendors: table.Vendors) -> Iterator[Demand]:
    """All on one card of a family whose containers share: the first's best may lack room."""
    for word in sorted(demand.words):
        asking = sum(any(each.vendor == word for each in slot) for slot in demand.slots)
        if asking > 1 and table.by_word(vendors, word).same_cards:
            for card in sorted(cards.get(word, ()), key=lambda each: each.device.index):
                only = demand.wishes.with_same(word, frozenset((card.device.uuid,)))
                yield msgspec.structs.replace(demand, wishes=only)


def _in_order(
    demand: Demand, cards: dict[str, Cards], vendors: table.Vendors, allows: Allows | None
) -> PodGrants | Unfit:
    found: list[SlotGrants] = []
    beside = cards
    last = max((n for n, requests in enumerate(demand.slots) if requests), default=0)
    for kind, requests in zip(demand.kinds, demand.slots, strict=True):
        taken: SlotGrants = ()
        for request in requests:
            chosen = _one(demand, request, (*found, taken), beside, vendors, allows)
            if isinstance(chosen, Unfit):
                return chosen
            taken = (*taken, *chosen)
        found.append(taken)
        lasting = taken if kind is not Kind.INIT else tuple(each for each in taken if each.profile)
        if lasting and len(found) <= last:
            held = grants_of.of_slot(lasting)
            beside = usage.changed(beside, held)
    return tuple(found)


def possible(demand: Demand, cards: dict[str, Cards], vendors: table.Vendors) -> PodGrants | Unfit:
    """Whether the pod fits and what it costs, quota aside; which cards it takes ``on_node`` says.

    Most pods have one request, and most nodes one model of cards: then the order is not needed.
    """
    if demand.single is None:
        return on_node(demand, cards, vendors, None)
    slot, request = demand.single
    own = cards.get(request.vendor, ())
    if not own:
        return Unfit({Reason.NODE_INSUFFICIENT_DEVICE: 0}, 0)
    vendor = table.by_word(vendors, request.vendor)
    if vendor.score is not None:  # which cards it takes decides how good the node is
        return on_node(demand, cards, vendors, None)
    found = fit.possible(vendor, own, request, demand.wishes)
    if found is None:
        return on_node(demand, cards, vendors, None)
    if isinstance(found, Unfit):
        return found
    return (*[()] * slot, found, *[()] * (len(demand.slots) - slot - 1))


def own_score(
    demand: Demand, cards: dict[str, Cards], vendors: table.Vendors, grants: PodGrants
) -> float:
    """How well the grants go with the node, by what the families say; 0 where they say nothing."""
    found = 0.0
    for word in demand.words:
        vendor = table.by_word(vendors, word)
        if vendor.score is not None:
            own = tuple(tuple(each for each in slot if each.vendor == word) for slot in grants)
            found += vendor.score(cards[word], own, demand.wishes)
    return found


def _one(
    demand: Demand,
    request: Request,
    before: PodGrants,
    cards: dict[str, Cards],
    vendors: table.Vendors,
    allows: Allows | None,
) -> SlotGrants | Unfit:
    own = cards.get(request.vendor, ())
    if not own:
        return Unfit({Reason.NODE_INSUFFICIENT_DEVICE: 0}, 0)
    vendor = table.by_word(vendors, request.vendor)
    wishes = demand.wishes
    if vendor.same_cards:
        taken = frozenset(
            grant.uuid for slot in before for grant in slot if grant.vendor == request.vendor
        )
        wishes = wishes.with_same(vendor.word, taken) if taken else wishes
    if allows is None:
        return fit.choose(vendor, own, request, wishes, None)
    *earlier, slot = before
    rest = ((),) * (len(demand.kinds) - len(before))

    def within(grants: SlotGrants) -> bool:
        return allows((*earlier, (*slot, *grants), *rest))

    return fit.choose(vendor, own, request, wishes, within)
