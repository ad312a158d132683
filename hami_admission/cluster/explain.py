"""Why is this pod where it is, or nowhere: every card, the quotas, and what would make it fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.cluster import records
from hami_admission.cluster.changes import Change, least
from hami_admission.model import grant as grants_of
from hami_admission.model.verdict import Unfit
from hami_admission.placement import fit
from hami_admission.placement import pod as pods
from hami_admission.quota import ledger
from hami_admission.vendors import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hami_admission.cluster.state import Cluster
    from hami_admission.model.card import Card
    from hami_admission.model.pod import Pod
    from hami_admission.model.request import Request
    from hami_admission.placement.pod import Demand
    from hami_admission.placement.usage import Cards, NodeUsage


class Unknown(LookupError):
    """No pod of that name asks for anything of ours, as far as the state knows."""


class Share(msgspec.Struct, frozen=True):
    """A request of one container, as it was read, or a share that it has (then with ``uuid``)."""

    slot: int
    vendor: str
    count: int
    memory: str
    cores: int
    uuid: str = ""


class CardView(msgspec.Struct, frozen=True):
    """A card for the container of that slot: what is free of it, and why it does not serve.

    ``reason`` is empty where it serves; free memory is MiB, free cores are percent points.
    """

    slot: int
    uuid: str
    index: int
    type: str
    free_slots: int
    free_memory_mib: int
    free_cores: int
    reason: str


class NodeView(msgspec.Struct, frozen=True):
    """A node: ``reason`` is empty where the pod fits. Cards each alone, quota aside."""

    name: str
    reason: str
    cards: list[CardView]


class QuotaView(msgspec.Struct, frozen=True):
    """A limit that counts the pod: what is used of it, the pod's own share, and what is left.

    ``left`` is what the pod may have in all.
    """

    quota: str
    resource: str
    hard: int
    used: int
    own: int
    left: int


class Explanation(msgspec.Struct, frozen=True):
    """``state`` is ``bound``, ``booked``, ``refused`` or ``not asked about yet``."""

    pod: str
    state: str
    node: str
    since: float | None
    asks: list[Share]
    holds: list[Share]
    quotas: list[QuotaView]
    nodes: list[NodeView]
    changes: list[Change]
    warnings: list[str] = []


def explain(cluster: Cluster, key: str) -> Explanation:
    """For the pod ``namespace/name``; raises Unknown.

    The cluster is one that nobody else uses: what is booked for the pod is given back first, so
    that it does not stand in its own way.
    """
    pod, demand = _find(cluster, key)
    if pod.node_name or demand is None:
        return _bound(cluster, pod)
    booking = cluster.bookings.get(pod.uid)
    refused = cluster.waiting.get(pod.uid)
    if booking is not None:
        cluster.bookings.release(pod.uid)
    nodes = [_node(cluster, name, usage, pod, demand) for name, usage in cluster.usage().items()]
    fits = any(not node.reason for node in nodes)
    state = "booked" if booking else "refused" if refused else "not asked about yet"
    return Explanation(
        key,
        state,
        "" if booking is None else booking.node,
        None if refused is None else refused.since,
        [_asked(slot, each) for slot, requests in enumerate(demand.slots) for each in requests],
        [],
        list(_quotas(cluster, pod)),
        nodes,
        [] if fits else least(cluster, pod, demand),
        [*_kept(cluster, pod), *_unread(cluster, demand)],
    )


def _kept(cluster: Cluster, pod: Pod) -> Iterator[str]:
    for each in cluster.nominations:
        if each.pod.uid == pod.uid:
            yield f"cards of node {each.node} are kept for it until who has lower priority has left"
        elif each.pod.priority >= pod.priority:
            yield f"cards of node {each.node} are kept for {each.pod.key}, which goes first"


def _unread(cluster: Cluster, demand: Demand) -> Iterator[str]:
    """The pods of which nobody knows what they hold of cards that this one could have."""
    for each in cluster.pods.damaged():
        if demand.words & {*grants_of.unread(each.grants)}:
            yield records.unreadable(each, cluster.usage().get(each.pod.node_name))


def _find(cluster: Cluster, key: str) -> tuple[Pod, Demand | None]:
    for record in cluster.records():
        if record.pod.key == key:
            pod = record.pod
            return pod, None if record.bound else cluster.demand(pod)
    for booking in cluster.bookings:
        if booking.pod.key == key:
            return booking.pod, booking.demand
    waiting = sorted(refused.pod for _, refused in cluster.waiting)
    some = f"; waiting are {', '.join(waiting[:5])}{', …' * (len(waiting) > 5)}" if waiting else ""
    raise Unknown(
        f"{key}: no such pod asks for an accelerator of scheduler "
        f"{cluster.settings.scheduler_name}; one that was created before hami-admission, or past"
        f" it, is of another: hami-admission doctor names those that wait{some}"
    )


def _bound(cluster: Cluster, pod: Pod) -> Explanation:
    record = next(each for each in cluster.records() if each.pod.uid == pod.uid)
    holds = [
        Share(slot, each.vendor, 1, f"{each.memory_mib} MiB", each.cores, each.uuid)
        for slot, grants in enumerate(record.grants)
        for each in grants
    ]
    asks = [_asked(slot, each) for slot, slots in enumerate(record.requests) for each in slots]
    quotas = list(_quotas(cluster, pod))
    over = {card.device.uuid: card.excess for card in cluster.exceeded().get(pod.node_name, ())}
    warnings = [
        f"card {share.uuid} is given out beyond what it has: {over[share.uuid]}"
        for share in holds
        if share.uuid in over
    ]
    warnings += [
        f"annotations give it card {uuid}, for which it does not ask; that does not count"
        for uuid in record.unasked
    ]
    if record.damaged:
        warnings.append(records.unreadable(record, cluster.usage().get(pod.node_name)))
    return Explanation(pod.key, "bound", pod.node_name, None, asks, holds, quotas, [], [], warnings)


def _asked(slot: int, request: Request) -> Share:
    whole = request.memory_mib is None
    memory = f"{request.percent} %" if whole else f"{request.memory_mib} MiB"
    if request.units:
        memory = f"{request.units} slices"
    return Share(slot, request.vendor, request.count, memory, request.cores)


def _quotas(cluster: Cluster, pod: Pod) -> Iterator[QuotaView]:
    for quota in cluster.quotas.applying(pod):
        own = cluster.own(quota, pod.uid)
        left = ledger.left(quota, own)
        for name, hard in quota.hard.items():
            used = quota.used.get(name, 0)
            yield QuotaView(quota.name, name, hard, used, own[name], left[name])


def _node(cluster: Cluster, name: str, usage: NodeUsage, pod: Pod, demand: Demand) -> NodeView:
    allows = cluster.allows(pod, demand)
    cards = cluster.nominations.beside(pod, name, usage.cards)
    found = pods.on_node(demand, cards, cluster.vendors, allows)
    reason = str(found) if isinstance(found, Unfit) else ""
    return NodeView(name, reason, list(_views(cluster, cards, demand)))


def _views(cluster: Cluster, cards: Mapping[str, Cards], demand: Demand) -> Iterator[CardView]:
    for slot, requests in enumerate(demand.slots):
        for request in requests:
            vendor = table.by_word(cluster.vendors, request.vendor)
            own = cards.get(request.vendor, ())
            for card, reason in fit.each_card(vendor, own, request, demand.wishes):
                yield _card(slot, card, "" if reason is None else str(reason))


def _card(slot: int, card: Card, reason: str) -> CardView:
    device = card.device
    free = (
        device.slots - card.slots,
        device.memory_mib - card.memory_mib,
        max(device.cores - card.cores, 0),  # of instances they are rounded up
    )
    about = slot, device.uuid, device.index, device.type
    return CardView(*about, *((0, 0, 0) if card.unread else free), reason)
