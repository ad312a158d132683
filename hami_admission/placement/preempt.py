"""Which pods would have to go, so that one of higher priority fits?

kube-scheduler's own search cannot see cards: to it a pod that an extender refused fits already, so
nobody has to go (k8s.io/kubernetes/pkg/scheduler/framework/preemption). The rules are its rules:
only pods of lower priority, as few as possible, the lowest first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.amounts import Amounts
from hami_admission.model.grant import CardKey, PodGrants
from hami_admission.model.verdict import Unfit
from hami_admission.placement import pod as pods
from hami_admission.placement import usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hami_admission.placement.pod import Allows, Demand
    from hami_admission.placement.usage import Cards
    from hami_admission.vendors.table import Vendors


class Held(msgspec.Struct, frozen=True):
    """A pod on the node that might go, and what it holds there."""

    uid: str
    priority: int
    amounts: Amounts[CardKey]


class Way(msgspec.Struct, frozen=True):
    """The place that is there when these have gone."""

    victims: tuple[Held, ...]
    grants: PodGrants


Cost = tuple[int, int, int, str]
"""The highest priority of a victim, the sum of all, how many, the node: less is better."""


def way(
    demand: Demand,
    cards: dict[str, Cards],
    lower: Sequence[Held],
    vendors: Vendors,
    allows: Allows | None,
) -> Way | None:
    """The fewest of these pods that have to go from a node; None where all of them are too few.

    All are taken away, and put back one by one, the highest priority first, as long as the pod
    fits; ties by uid.
    """
    cards = without(cards, lower)
    found = pods.on_node(demand, cards, vendors, allows)
    if isinstance(found, Unfit):
        return None
    victims: list[Held] = []
    for each in sorted(lower, key=lambda held: (-held.priority, held.uid)):
        tried = usage.changed(cards, each.amounts)
        fits = pods.on_node(demand, tried, vendors, allows)
        if isinstance(fits, Unfit):
            victims.append(each)
        else:
            cards, found = tried, fits
    return Way(tuple(victims), found)


def cost(node: str, found: Way) -> Cost:
    """What sorts the least harm first, as kube-scheduler does; it has no time of start."""
    priorities = [each.priority for each in found.victims]
    lowest = -(2**31)
    return (
        max(priorities, default=lowest),
        sum(each - lowest for each in priorities),
        len(priorities),
        node,
    )


def without(cards: dict[str, Cards], gone: Sequence[Held]) -> dict[str, Cards]:
    """The cards when these pods have gone."""
    total: dict[CardKey, int] = {}
    for each in gone:
        for key, value in each.amounts.items():
            total[key] = total.get(key, 0) + value
    return usage.changed(cards, Amounts(total), -1)
