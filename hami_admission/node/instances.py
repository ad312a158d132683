"""Which MIG instances a node must make, and which have to make room for them.

An instance that nobody has stays until its place is wanted for another: the next pod of that size
starts without waiting, and what an administrator made by hand is not touched without need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.instance import Instance, Place
from hami_admission.wire.instances import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORGOTTEN_SECONDS = 60.0
"""After which a pod whose instances were asked for does not come any more."""


class Plan(msgspec.Struct, frozen=True):
    """What to do, in this order; ``waits``: a pod is in the way that ends, so look again soon."""

    destroy: tuple[Instance, ...]
    make: tuple[Place, ...]
    waits: bool


def plan(present: Iterable[Instance], held: Iterable[Place], wanted: Mapping[str, Wanted]) -> Plan:
    """What pods of the node hold goes first, then what was asked for last.

    Who decides the placement never gives a place twice: two that overlap are one of a pod that
    ends or that was given up, and a newer one.
    """
    kept: list[Place] = sorted(set(held))
    waits = False
    theirs = tuple(kept)
    for each in sorted(wanted.values(), key=lambda each: each.at, reverse=True):
        for place in each.places:
            waits |= place not in theirs and any(place.overlaps(other) for other in theirs)
            if not any(place.overlaps(other) for other in kept):
                kept.append(place)
    there = list(present)
    usable = {each.place for each in there if each.uuid}
    missing = tuple(place for place in kept if place not in usable)
    in_the_way = tuple(
        each
        for each in there
        if (each.place not in kept or not each.uuid)
        and any(each.place.overlaps(place) for place in missing)
    )
    return Plan(in_the_way, missing, waits)


def ready(present: Iterable[Instance], wanted: Mapping[str, Wanted]) -> dict[str, int]:
    """The attempts, by pod, whose instances all exist."""
    there = {each.place for each in present if each.uuid}
    return {uid: each.at for uid, each in wanted.items() if there.issuperset(each.places)}


class Asked(msgspec.Struct, frozen=True):
    """An attempt and when it was first seen, by the agent's own clock."""

    wanted: Wanted
    since: float


def seen(
    before: Mapping[str, Asked], now_wanted: Mapping[str, Wanted | None], now: float
) -> dict[str, Asked]:
    """What is asked for, each with the moment when it was first seen."""
    found = {}
    for uid, wanted in now_wanted.items():
        if wanted is None:
            continue
        known = before.get(uid)
        is_known = known is not None and known.wanted == wanted
        found[uid] = known if known is not None and is_known else Asked(wanted, now)
    return found


def done(
    asked: Mapping[str, Asked],
    now_wanted: Mapping[str, Wanted | None],
    bound: Iterable[str],
    now: float,
) -> list[str]:
    """The pods that need not be asked for any more: bound here, forgotten, or not readable."""
    arrived = set(bound)
    return sorted(
        uid
        for uid in now_wanted
        if uid in arrived or uid not in asked or now - asked[uid].since > FORGOTTEN_SECONDS
    )
