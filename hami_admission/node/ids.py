"""The device ids offered to the kubelet: several for each card, none of which means a part of it.

``<uuid>-<n>`` as upstream has them (facts/node.md 1.3). What a container gets is decided before the
kubelet picks ids. Its pick names the cards in PodResources, so it is steered to the right ones.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hami_admission.model.device import Device

_NUMBERED = re.compile(r"(.+)-(\d{1,4})", re.ASCII | re.DOTALL)
"""The last part of a bare uuid has twelve characters; a number never has so many."""

_INSTANCE = "MIG"


class Offer(msgspec.Struct, frozen=True):
    """One id as the kubelet's list shows it; ``numa`` is None where it is not to be told."""

    id: str
    healthy: bool
    numa: int | None = None


def of(uuid: str, slots: int) -> tuple[str, ...]:
    """The ids of a card. A MIG instance has one, its own."""
    if _INSTANCE in uuid:
        return (uuid,)
    return tuple(f"{uuid}-{n}" for n in range(slots))


def card(id: str) -> str:
    """The card (or instance) of an id; an id that says nothing else is one itself."""
    if _INSTANCE in id:
        return id
    bare, replica, _ = id.partition("::")
    if replica:
        return bare
    numbered = _NUMBERED.fullmatch(id)
    return numbered[1] if numbered else id


def offered(devices: Iterable[Device], numa: Mapping[str, int] | None = None) -> tuple[Offer, ...]:
    """All ids of a node, cards in the order given; ``numa`` is the node of each card to be told."""
    nodes = numa or {}
    return tuple(
        Offer(id, device.healthy, nodes.get(device.uuid))
        for device in devices
        for id in of(device.uuid, device.slots)
    )


def preferred(
    available: Sequence[str], must_include: Sequence[str], wanted: Sequence[str], size: int
) -> tuple[str, ...]:
    """The ``size`` ids to take, fewer where there are no more; the same for any order of arrival.

    First what must be in, then one id for each wanted card (a card that is named twice gets two),
    then ids of cards that have the fewest yet, of those the card with the most ids left.
    """
    chosen = list(dict.fromkeys(must_include))[: max(size, 0)]
    left = _by_card(set(available) - set(must_include))
    taken = Counter(map(card, chosen))
    met = taken.copy()
    for uuid in wanted:
        if met[uuid] > 0:  # What must be in serves a wish as well.
            met[uuid] -= 1
        elif len(chosen) < size and left.get(uuid):
            chosen.append(left[uuid].pop())
            taken[uuid] += 1
    while len(chosen) < size and any(left.values()):
        uuid = min(
            (each for each in left if left[each]), key=lambda each: (taken[each], -len(left[each]))
        )
        chosen.append(left[uuid].pop())
        taken[uuid] += 1
    return tuple(chosen)


def _by_card(ids: Iterable[str]) -> dict[str, list[str]]:
    """The ids of each card, cards in order of their names, the lowest id last."""
    found: dict[str, list[str]] = {}
    for id in sorted(ids, key=lambda each: (card(each), len(each), each), reverse=True):
        found.setdefault(card(id), []).append(id)
    return dict(sorted(found.items()))
