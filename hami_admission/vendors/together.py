"""Cards that belong together by what they say of themselves: their index, or a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hami_admission.model.device import Device
from hami_admission.model.verdict import Reason
from hami_admission.topology import groups

if TYPE_CHECKING:
    from hami_admission.model.card import Card
    from hami_admission.model.grant import PodGrants
    from hami_admission.model.wishes import Wishes
    from hami_admission.vendors.vendor import Able, Choose

Group = Callable[[Device], str]
"""What a card is together with others by; empty for cards that stand alone."""

Pick = Callable[[Sequence[int], int, Device], Sequence[int] | None]
"""So many of these indices, on a node with devices like that one; None: no such are there."""


def by_index(pick: Pick) -> Choose:
    """Those that ``pick`` takes of the candidates' indices, which come in their order."""

    def choose(able: Sequence[Able], count: int, wishes: Wishes) -> Sequence[Able] | Reason:
        at = {card.device.index: (card, grant) for card, grant in able}
        found = pick(tuple(at), count, able[0][0].device)
        return Reason.NUMA_NOT_FIT if found is None else [at[index] for index in found]

    return choose


def by_group(group: Group) -> Choose:
    """Several of one group, the largest first, those in none last; one as the policy says."""

    def choose(able: Sequence[Able], count: int, wishes: Wishes) -> Sequence[Able]:
        if count == 1:
            return able[:1]
        order = groups.largest_first([group(card.device) for card, _ in able])
        return [able[n] for n in order[:count]]

    return choose


def shares(group: Group, cards: Sequence[Card], grants: PodGrants) -> list[float]:
    """For each container with cards the part of them that is in one group, 1.0 for all."""
    names = {card.device.uuid: group(card.device) for card in cards}
    return [groups.largest_share([names[each.uuid] for each in slot]) for slot in grants if slot]
