"""For a pod that fits nowhere: where would it fit if pods of lower priority went, and which?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.cluster.bookings import Booking
from hami_admission.model import grant as grants_of
from hami_admission.model.pod import Pod
from hami_admission.placement import place, preempt
from hami_admission.placement.preempt import Held, Way

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from hami_admission.cluster.records import Record
    from hami_admission.cluster.state import Cluster
    from hami_admission.placement.pod import Demand
    from hami_admission.placement.preempt import Cost

MOST_NODES = 100
"""Nodes with a way that are compared; kube-scheduler looks at as many in small clusters."""


class Choice(msgspec.Struct, frozen=True):
    """Who has to leave which node; nobody where those that leave already are enough."""

    node: str
    way: Way
    victims: tuple[Pod, ...]


def may(cluster: Cluster, pod: Pod) -> bool:
    """May others have to go for this pod, and are there any that may?"""
    return (
        cluster.settings.preemption and not pod.never_preempts and cluster.pods.below(pod.priority)
    )


def search(
    cluster: Cluster, pod: Pod, demand: Demand, names: Collection[str], spared: Collection[str]
) -> Iterator[Choice | None]:
    """Node by node, so that others can be served in between; the last value is the choice.

    ``names`` are nodes that serve the pod but for their cards, ``spared`` uids of pods that stay.
    """
    best: tuple[Cost, Choice] | None = None
    ways = 0
    for name in names:
        found = on_node(cluster, pod, demand, name, spared)
        if found is not None:
            ways += 1
            cost = preempt.cost(name, found.way)
            if best is None or cost < best[0]:
                best = (cost, found)
            if not found.victims or ways >= MOST_NODES:
                break
        yield None
    yield None if best is None else best[1]


def on_node(
    cluster: Cluster, pod: Pod, demand: Demand, name: str, spared: Collection[str]
) -> Choice | None:
    """Who has to leave that node, as it is now; None where that does not help."""
    node = cluster.usage().get(name)
    records = cluster.pods.on(name)
    leaving = [each for each in records if each.pod.leaving]
    lower = [
        each
        for each in records
        if each.pod.priority < pod.priority
        and not each.pod.leaving
        and each.pod.uid not in spared
        and each.held
    ]
    if node is None or not (leaving or lower):
        return None
    cards = cluster.nominations.beside(pod, name, node.cards)
    cards = preempt.without(cards, [_held(each) for each in leaving])
    allows = cluster.allows(pod, demand)
    found = preempt.way(demand, cards, [_held(each) for each in lower], cluster.vendors, allows)
    if found is None:
        return None
    by_uid = {each.pod.uid: each.pod for each in lower}
    return Choice(name, found, tuple(by_uid[each.uid] for each in found.victims))


def keep(cluster: Cluster, pod: Pod, demand: Demand, choice: Choice, until: float) -> None:
    """Keep the place for the pod until that time, or until it has one."""
    grants = choice.way.grants
    held = grants_of.on_cards(pod.kinds, grants)
    placement = place.Placement(grants, 0.0)
    cluster.nominations.keep(Booking(pod, demand, choice.node, placement, held, until))


def _held(record: Record) -> Held:
    return Held(record.pod.uid, record.pod.priority, record.held)
