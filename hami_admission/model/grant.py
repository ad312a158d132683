"""Grant: what one container got of one card; and the peak of what a pod holds at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from hami_admission.model.amounts import Amounts
from hami_admission.model.pod import Kind

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    K = TypeVar("K", bound=Hashable)
else:
    K = TypeVar("K")


class Grant(msgspec.Struct, frozen=True, gc=False):
    """A share of one card; ``vendor`` is the word that stands in the annotation.

    ``units`` are the parts of the card that it takes for itself, where the card has any. A grant
    with a ``profile`` is an instance of the card, made before the pod starts: it lies on ``units``
    and exists as long as the pod, whichever container uses it. ``slots`` is how many places of the
    card it takes, ``trait`` how it uses the card, and ``percent`` what its cores are in percent
    points, where users ask for those and cores are something else. Of one that is ``unread`` nobody
    can tell how much of the card it takes, so it takes all of it; without a uuid nobody can tell
    which card either.
    """

    uuid: str
    vendor: str
    memory_mib: int
    cores: int
    units: tuple[int, ...] = ()
    profile: str = ""
    slots: int = 1
    trait: str = ""
    percent: int = 0
    unread: bool = False


SlotGrants = tuple[Grant, ...]
"""What one container got, in the order in which it sees its cards."""

PodGrants = tuple[SlotGrants, ...]
"""One entry per slot, empty for a container without cards."""

CardKey = tuple[str, str]
"""A card and a dimension: ``("GPU-a", "memory")``."""

SLOTS, MEMORY, CORES, INSTANCES = "slots", "memory", "cores", "instances"
UNIT = "unit-"
"""Before the number of a unit: ``unit-3`` is a dimension of its own, so that a peak is a union."""
TRAIT = "trait-"
"""Before a trait: ``trait-online`` counts the containers of that trait."""
UNREAD = "unread-"
"""Before the word of a family: so many containers hold all of the card, or, where the node has no
card of that id, all of every card of the family."""


def peak(kinds: Sequence[Kind], slots: Sequence[Amounts[K]]) -> Amounts[K]:
    """The most a pod holds at any time, as Kubernetes counts native resources (KEP-753).

    An init container runs beside the sidecars declared before it; app containers run beside all
    sidecars. Sidecars are init containers that restart always.
    """
    beside: Amounts[K] = Amounts()
    running: Amounts[K] = Amounts()
    highest: Amounts[K] = Amounts()
    for kind, amounts in zip(kinds, slots, strict=True):
        if kind is Kind.INIT:
            highest = highest.peak(beside.plus(amounts))
        elif kind is Kind.SIDECAR:
            beside = beside.plus(amounts)
            highest = highest.peak(beside)
        else:
            running = running.plus(amounts)
    return highest.peak(beside.plus(running))


def on_cards(kinds: Sequence[Kind], grants: PodGrants) -> Amounts[CardKey]:
    """What a pod holds of each card at its peak: slots, MiB, cores, and the units themselves."""
    kinds, grants = lasting(kinds, grants)
    return peak(kinds, [of_slot(each) for each in grants])


def seated(kinds: Sequence[Kind], asks: Sequence[bool], grants: PodGrants) -> PodGrants:
    """One entry per container, from grants that were written without some of the empty ones.

    HAMi 2.7 writes no entries for init containers; 2.10 writes none for containers without cards
    that stand before one with cards (facts/scheduling.md 20.1). What is left belongs to those that
    ask, in their order. Where that does not come out even, nobody knows who holds what: then all
    is held at the same time, which is never too little. As many entries as containers are one for
    each, unless one that asks has none and one that does not ask has some.
    """
    if len(grants) == len(kinds) and not _shifted(asks, grants):
        return grants
    if not any(grants) or not kinds:
        return ()
    found: list[SlotGrants] = [()] * len(kinds)
    given = [slot for slot in grants if slot]
    asking = [index for index, asked in enumerate(asks) if asked]
    apps = [index for index in asking if kinds[index] is Kind.APP]
    for owners in (asking, apps):
        if len(owners) == len(given):
            for index, slot in zip(owners, given, strict=True):
                found[index] = slot
            return tuple(found)
    found[-1] = tuple(grant for slot in given for grant in slot)
    return tuple(found)


def _shifted(asks: Sequence[bool], grants: PodGrants) -> bool:
    pairs = {(asked, bool(slot)) for asked, slot in zip(asks, grants, strict=True)}
    return pairs >= {(True, False), (False, True)}


def unread(grants: PodGrants) -> tuple[str, ...]:
    """The families of which a pod holds cards that cannot be read."""
    found = (grant.vendor for slot in grants for grant in slot if grant.unread)
    return tuple(dict.fromkeys(found))


def lasting(kinds: Sequence[Kind], grants: PodGrants) -> tuple[Sequence[Kind], PodGrants]:
    """Kinds and grants in which the instances of init containers last as long as sidecars do."""
    if not any(grant.profile for slot in grants for grant in slot):
        return kinds, grants
    parts: list[tuple[Kind, SlotGrants]] = []
    for kind, slot in zip(kinds, grants, strict=True):
        if kind is Kind.INIT:
            parts.append((Kind.SIDECAR, tuple(grant for grant in slot if grant.profile)))
            slot = tuple(grant for grant in slot if not grant.profile)
        parts.append((kind, slot))
    return tuple(kind for kind, _ in parts), tuple(slot for _, slot in parts)


def of_slot(grants: SlotGrants) -> Amounts[CardKey]:
    """What one container holds of each card while it runs."""
    held: dict[CardKey, int] = {}
    for grant in grants:
        parts = [(SLOTS, grant.slots), (MEMORY, grant.memory_mib), (CORES, grant.cores)]
        parts += [(f"{UNIT}{unit}", 1) for unit in grant.units]
        if grant.profile:
            parts.append((INSTANCES, 1))
        if grant.trait:
            parts.append((f"{TRAIT}{grant.trait}", 1))
        if grant.unread:
            parts.append((f"{UNREAD}{grant.vendor}", 1))
        for dimension, value in parts:
            held[grant.uuid, dimension] = held.get((grant.uuid, dimension), 0) + value
    return Amounts(held)
