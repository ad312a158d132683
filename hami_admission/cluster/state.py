"""Cluster: what we know now, and the verbs that ask and change it. Nothing here awaits."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hami_admission.admission import admit
from hami_admission.cluster import events, quotas, records
from hami_admission.cluster.bookings import Booking, Bookings
from hami_admission.cluster.inventory import Nodes
from hami_admission.cluster.nominations import Nominations
from hami_admission.cluster.pods import Pods
from hami_admission.cluster.prices import Prices
from hami_admission.cluster.tables import Table, Tables
from hami_admission.cluster.waiting import MAX_REASONS, Refused, Waiting
from hami_admission.model.amounts import Amounts
from hami_admission.model.verdict import NODE_UNREGISTERED, Unfit
from hami_admission.placement import place
from hami_admission.placement import pod as pods
from hami_admission.placement import wishes as wishes_of
from hami_admission.placement.pod import Demand
from hami_admission.quota import ledger, limits
from hami_admission.vendors import table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from hami_admission.admission.admit import Decision
    from hami_admission.cluster.records import Record
    from hami_admission.model.card import Card
    from hami_admission.model.grant import PodGrants
    from hami_admission.model.node import Node
    from hami_admission.model.pod import Pod
    from hami_admission.model.quota import Quota
    from hami_admission.placement.pod import Allows
    from hami_admission.placement.usage import NodeUsage
    from hami_admission.settings import Settings


class Cluster:
    """The state of one process. Times are unix seconds and are passed in."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.vendors = table.build(settings)
        self._nodes = Nodes()
        self.twice = self._nodes.twice
        self.prices = Prices(self.vendors, self._nodes, settings)
        self.bookings = Bookings(self._nodes)
        self.nominations = Nominations()
        self.pods = Pods()
        self.waiting = Waiting(self.vendors)
        self.tables = Tables(self.vendors)
        self.quotas = quotas.Quotas(
            limits.managed(self.prices.names.values()), self.pods.of, settings.hold_seconds
        )
        self._listed: set[events.Kind] = set()

    # Asking.

    def missing(self) -> list[str]:
        """What has not been listed yet; nothing is decided on a part of the truth."""
        return [kind.value for kind in events.Kind if kind not in self._listed]

    def admit(self, pod: Pod) -> Decision:
        """What admission makes of the pod, quota aside."""
        return admit.decide(pod, self.vendors, self.settings)

    def claim(self, pod: Pod, decision: Decision, now: float) -> ledger.Claim:
        """What the pod is to be charged before it has a place."""
        amounts = self.prices.of_pod(pod, decision.requests, ())
        return ledger.Claim(pod.uid, pod.name, amounts, int(now) + self.settings.hold_seconds)

    def settlement(self, booking: Booking, now: float) -> ledger.Claim | None:
        """What its place makes the pod cost, unless it was charged that when it was created.

        kube-scheduler may have seen the pod before us. A price that depends on the card is always
        settled: the pod may be held at what the smallest card had when it was created.
        """
        pod, grants, demand = booking.pod, booking.placement.grants, booking.demand
        amounts = self.prices.of_grants(pod.kinds, grants)
        record = self.pods.get(pod.uid)
        before = record.amounts if record else self.prices.of_pod(pod, demand.slots, ())
        if before == amounts and not demand.varies(grants):
            return None
        until = int(now) + self.settings.booking_seconds
        return ledger.Claim(pod.uid, pod.name, amounts, until, before)

    def counts(self, quota: Quota) -> ledger.Counts:
        """What the pods that were seen count for in a quota."""
        held = {uid: record for uid in quota.holds if (record := self.pods.get(uid)) is not None}
        return self.quotas.counts(quota, held)

    def pod(self, uid: str) -> Pod | None:
        """A pod that counts, as it was last seen."""
        record = self.pods.get(uid)
        return None if record is None else record.pod

    def records(self) -> Collection[Record]:
        """All pods that count."""
        return self.pods.all()

    def nodes(self) -> Collection[Node]:
        """All nodes that were seen, with cards or without."""
        return self._nodes.all()

    def node(self, name: str) -> Node | None:
        """A node as it was seen last."""
        return self._nodes.get(name)

    def usage(self) -> Mapping[str, NodeUsage]:
        """The nodes with cards, and what is taken of them."""
        return self._nodes.usage

    def exceeded(self) -> Mapping[str, tuple[Card, ...]]:
        """The cards of which more is given out than there is, by node: nothing that we would do."""
        return self._nodes.excess

    def own(self, quota: Quota, uid: str) -> Amounts[str]:
        """What a quota's ``used`` counts for a pod."""
        if uid in quota.holds:
            return quota.holds[uid].amounts
        record = self.pods.get(uid)
        return record.amounts if record is not None else Amounts()

    def left(self, pod: Pod) -> list[tuple[Quota, dict[str, int]]]:
        """What the pod may have in all of each quota that counts it."""
        return [
            (quota, ledger.left(quota, self.own(quota, pod.uid)))
            for quota in self.quotas.applying(pod)
        ]

    def allows(self, pod: Pod, demand: Demand) -> Allows | None:
        """Whether grants fit into the quotas; None where no quota asks."""
        return self._allows(pod, demand)[0]

    # Placing.

    def demand(self, pod: Pod) -> Demand | None:
        """What the pod asks of a node, or None when it asks for no accelerator."""
        requests = table.requests(table.read(self.vendors, pod))
        words = {request.vendor for slot in requests for request in slot}
        if not words:
            return None
        wishes = wishes_of.of(pod.annotations, sorted(words), self.vendors, self.settings)
        return Demand(pod.kinds, requests, wishes)

    def prepare(self, pod: Pod, demand: Demand, at_most: int) -> Iterator[int]:
        """Bring the answers for this demand up to date, so many nodes a step.

        So that others can be served in between, and change what they like. Gives after each step
        but the last how many nodes are left.
        """
        while pending := self._table(pod, demand, at_most).pending:
            yield pending

    def plan(self, pod: Pod, demand: Demand, names: Collection[str], now: float) -> place.Plan:
        """Where the pod fits; the best place is booked in the same step."""
        self.bookings.release(pod.uid)
        self._nodes.expire(now)
        self.nominations.expire(now)
        table = self._table(pod, demand)
        self.tables.asked += len(names)
        ranks = table.fits
        kept = self._kept(pod, demand, ranks)
        fits = [name for name in names if name in ranks and name not in kept]
        if not fits:
            unfit = self._reasons(table, names, kept)
            self._refuse(pod, demand, unfit, now)
            return place.Plan(fits, unfit)
        _, node = min(map(ranks.__getitem__, fits))
        found = self._place(pod, demand, node)
        assert not isinstance(found, Unfit), "the table is fresh"
        self._book(pod, demand, node, found, now)
        others = [name for name in names if name not in ranks or name in kept]
        return place.Plan(fits, self._reasons(table, others, kept), node)

    def book(self, pod: Pod, node: str, now: float) -> Booking | str:
        """The booking of the pod on that node, moved there if need be, or why it cannot be."""
        booking = self.bookings.get(pod.uid)
        if booking is not None and booking.node == node and self._still_there(booking):
            return booking
        demand = self.demand(pod)
        if demand is None:
            return "the pod asks for no accelerator"
        self.bookings.release(pod.uid)
        self._nodes.expire(now)
        if node not in self._nodes.usage:
            return self._unregistered(node)
        found = self._place(pod, demand, node)
        return str(found) if isinstance(found, Unfit) else self._book(pod, demand, node, found, now)

    def priorities(self, uid: str, names: Collection[str]) -> dict[str, int]:
        """Scores for kube-scheduler, from the plan that was made last for this pod."""
        booking = self.bookings.get(uid)
        table = None if booking is None else self.tables.peek(booking.demand)
        if booking is None or table is None:
            return dict.fromkeys(names, 0)
        return place.priorities(table.fits, names, booking.node)

    def give_back(self, uid: str) -> None:
        """The pod was not bound: what was kept for it is free."""
        booking = self.bookings.release(uid)
        if booking is not None:
            self.waiting.room_on(booking.node)

    def expire(self, now: float) -> list[Booking]:
        """Give back what was kept too long; these pods were never bound."""
        self.nominations.expire(now)
        self.waiting.expire(self.pods.uids(), now)
        for booking in (late := self.bookings.expire(now)):
            self.waiting.room_on(booking.node)
        return late

    def wake(self) -> str | None:
        """A node that should be touched, so that refused pods are asked about again."""
        return self.waiting.wake(self._nodes.usage)

    def _kept(self, pod: Pod, demand: Demand, fits: Collection[str]) -> dict[str, str]:
        """Of the nodes that fit, those whose room is kept for pods that go first; and why."""
        if not len(self.nominations):
            return {}
        tried = {
            name: self._place(pod, demand, name)
            for name in self.nominations.nodes_before(pod)
            if name in fits
        }
        return {name: str(found) for name, found in tried.items() if isinstance(found, Unfit)}

    def _place(self, pod: Pod, demand: Demand, node: str) -> place.Placement | Unfit:
        usage = self._nodes.usage[node]
        cards = self.nominations.beside(pod, node, usage.cards)
        found = pods.on_node(demand, cards, self.vendors, None)
        if not isinstance(found, Unfit) and demand.varies(found):
            allows, _ = self._allows(pod, demand)
            if allows is not None and not allows(found):
                found = pods.on_node(demand, cards, self.vendors, allows)
        return found if isinstance(found, Unfit) else place.Placement(found, usage.score)

    def _book(
        self, pod: Pod, demand: Demand, node: str, placement: place.Placement, now: float
    ) -> Booking:
        self.waiting.leave(pod.uid)
        self.nominations.drop(pod.uid)
        until = now + self.settings.booking_seconds
        return self.bookings.book(records.bare(pod, self.vendors), demand, node, placement, until)

    def _still_there(self, booking: Booking) -> bool:
        """Are the booked cards still offered? A node may have lost one meanwhile."""
        usage = self._nodes.usage.get(booking.node)
        offered = {
            card.device.uuid
            for cards in (usage.cards.values() if usage is not None else ())
            for card in cards
        }
        return all(grant.uuid in offered for slot in booking.placement.grants for grant in slot)

    def _table(self, pod: Pod, demand: Demand, at_most: int | None = None) -> Table:
        """The answers for the demand, brought up to date by so many nodes at most (None: all).

        They are apart where the namespace's quota may say no to some.
        """

        def price(grants: PodGrants) -> Amounts[str]:
            return self.prices.of_grants(demand.kinds, grants)

        free = self.tables.get(demand, price, None, (), self._nodes, at_most)
        allows, left = self._allows(pod, demand)
        if (
            allows is None
            or free.pending
            or not any(amounts.above(each) for amounts in free.prices() for each in left)
        ):
            return free
        key = tuple(tuple(sorted(each.items())) for each in left)
        return self.tables.get(demand, price, allows, key, self._nodes, at_most)

    def _refuse(self, pod: Pod, demand: Demand, unfit: dict[str, str], now: float) -> None:
        reasons = dict(Counter(unfit.values()).most_common(MAX_REASONS))
        refused = Refused(pod.key, pod.namespace, demand, now, reasons)
        self.waiting.refuse(pod.uid, refused)

    def _reasons(
        self, table: Table, names: Collection[str], kept: Mapping[str, str]
    ) -> dict[str, str]:
        texts = {**table.unfit, **kept} if kept else table.unfit
        return {name: texts.get(name) or self._unregistered(name) for name in names}

    def _unregistered(self, name: str) -> str:
        return ": ".join((NODE_UNREGISTERED, *filter(None, [self._nodes.damaged.get(name)])))

    # Changing.

    def apply(self, event: events.Event, now: float) -> Collection[str]:
        """Take in what a watch told; gives the namespaces whose ledger may need a write."""
        if isinstance(event, events.PodSeen | events.PodGone):
            self.quotas.reach(event.version)
            if isinstance(event, events.PodSeen):
                return self._pod_seen(event.pod)
            return self._pod_gone(event.uid)
        if isinstance(event, events.NodeSeen):
            self._node_seen(event)
        elif isinstance(event, events.NodeGone):
            self._nodes.gone(event.name)
        elif isinstance(event, events.QuotaSeen):
            self.quotas.put(event.quota, now)
            self.waiting.room_in(event.quota.namespace)
            return {event.quota.namespace}
        elif isinstance(event, events.QuotaGone):
            self.quotas.remove(event.namespace, event.name)
            self.waiting.room_in(event.namespace)
        elif isinstance(event, events.PodsReached):
            self.quotas.reach(event.version, seen=False)
        elif isinstance(event, events.QuotasListing):
            self.quotas.anew()
        else:
            return self._complete(event)
        return ()

    def restore(self, nodes: Iterable[Node], pods: Iterable[Record]) -> None:
        """Take in what was known elsewhere (``cluster/snapshot.py``); everything is listed then."""
        for node in nodes:
            self._nodes.put(node, ())
        for record in pods:
            self._remember(record)
        self._listed.update(events.Kind)

    def _pod_seen(self, pod: Pod) -> Collection[str]:
        before = self.pods.get(pod.uid)
        record = records.of(pod, self.vendors, before, self.prices.of_pod)
        if pod.node_name or pod.ended:
            self.bookings.release(pod.uid)
            self.waiting.leave(pod.uid)
        if pod.ended:
            self.quotas.end(pod.uid)
        if record is before:
            return ()
        self._forget(pod.uid)
        if record is not None:
            self._remember(record)
        return {pod.namespace}

    def _remember(self, record: Record) -> None:
        self.pods.put(record)
        self.quotas.add(record)
        if record.bound:
            self._nodes.take(record.pod.node_name, record.held)

    def _pod_gone(self, uid: str) -> Collection[str]:
        self.give_back(uid)
        self.waiting.leave(uid)
        self.nominations.drop(uid)
        self.quotas.end(uid)
        record = self._forget(uid)
        return () if record is None else {record.pod.namespace}

    def _forget(self, uid: str) -> Record | None:
        record = self.pods.pop(uid)
        if record is not None:
            self.quotas.subtract(record)
            if record.bound:
                self._nodes.free(record.pod.node_name, record.held)
                self.waiting.room_on(record.pod.node_name)
        return record

    def _node_seen(self, event: events.NodeSeen) -> None:
        name = event.facts.name
        held = [record.held for record in self.pods.on(name)]
        node = table.node(self.vendors, event.facts)
        if self._nodes.put(node, [*held, *self.bookings.on(name)]):
            self.waiting.room_on(name)

    def _complete(self, event: events.Listed) -> Collection[str]:
        """Whichever list comes last, every ledger is looked at then: none was before."""
        self._listed.add(event.kind)
        touched: set[str] = set()
        if event.kind is events.Kind.PODS:
            self.quotas.listed(event.version)
            for uid in (self.pods.uids() | self.waiting.uids()) - event.keys:
                touched.update(self._pod_gone(uid))
        elif event.kind is events.Kind.NODES:
            for name in self._nodes.names() - event.keys:
                self._nodes.gone(name)
        else:
            for key in self.quotas.keys() - event.keys:
                self.quotas.remove(*key.split("/", 1))
        return self.quotas.namespaces() | touched

    def _allows(self, pod: Pod, demand: Demand) -> tuple[Allows | None, list[dict[str, int]]]:
        """Whether grants fit what is left of the quotas, and that; None where no quota asks."""
        left = [each for _, each in self.left(pod)]
        if not left:
            return None, []

        def allows(grants: PodGrants) -> bool:
            amounts = self.prices.of_grants(demand.kinds, grants)
            return not any(amounts.above(each) for each in left)

        return allows, left
