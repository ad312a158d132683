"""Cluster: what we know now, and the verbs that ask and change it. Nothing here awaits."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from hami_admission.admission import admit
from hami_admission.cluster import events, quotas, records
from hami_admission.cluster.bookings import Booking, Bookings
from hami_admission.cluster.inventory import Nodes
from hami_admission.model.amounts import Amounts
from hami_admission.placement import place
from hami_admission.placement import wishes as wishes_of
from hami_admission.placement.pod import Demand
from hami_admission.quota import charge, ledger, limits
from hami_admission.vendors import table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from hami_admission.admission.admit import Decision
    from hami_admission.cluster.records import Record
    from hami_admission.model.grant import PodGrants
    from hami_admission.model.pod import Pod
    from hami_admission.model.quota import Quota
    from hami_admission.model.request import Request
    from hami_admission.placement.pod import Allows
    from hami_admission.placement.usage import NodeUsage
    from hami_admission.settings import Settings
    from hami_admission.vendors.table import PodRequests


class Cluster:
    """The state of one process. Times are unix seconds and are passed in."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.vendors = table.build(settings)
        self._names = {vendor.word: vendor.names for vendor in self.vendors}
        self._nodes = Nodes()
        self.bookings = Bookings(self._nodes)
        self.quotas = quotas.Quotas(limits.managed(self._names.values()))
        self._pods: dict[str, Record] = {}
        self._on_node: defaultdict[str, set[str]] = defaultdict(set)
        self._in_namespace: defaultdict[str, set[str]] = defaultdict(set)
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
        amounts = self._price(pod, decision.requests, ())
        return ledger.Claim(pod.uid, pod.name, amounts, int(now) + self.settings.hold_seconds)

    def settlement(self, booking: Booking, now: float) -> ledger.Claim | None:
        """What its place makes the pod cost, if that is not what the ledger counts already."""
        pod = booking.pod
        amounts = charge.of_grants(pod.kinds, booking.placement.grants, self._names)
        record = self._pods.get(pod.uid)
        before = record.amounts if record is not None else Amounts()
        if record is not None and before == amounts:
            return None
        until = int(now) + self.settings.booking_seconds
        return ledger.Claim(pod.uid, pod.name, amounts, until, before)

    def counted(self, quota: Quota) -> dict[str, ledger.Counted]:
        """What the pods that were seen count for in a quota, by uid."""
        return quotas.counted(quota, self._of_namespace(quota.namespace))

    def pod(self, uid: str) -> Pod | None:
        """A pod that counts, as it was last seen."""
        record = self._pods.get(uid)
        return None if record is None else record.pod

    def usage(self) -> Mapping[str, NodeUsage]:
        """The nodes with cards, and what is taken of them."""
        return self._nodes.usage

    # Placing.

    def demand(self, pod: Pod) -> Demand | None:
        """What the pod asks of a node, or None when it asks for no accelerator."""
        requests = table.requests(table.read(self.vendors, pod))
        words = {request.vendor for slot in requests for request in slot}
        if not words:
            return None
        wishes = wishes_of.of(pod.annotations, sorted(words), self.vendors, self.settings)
        return Demand(pod.kinds, requests, wishes)

    def plan(self, pod: Pod, demand: Demand, names: Iterable[str], now: float) -> place.Plan:
        """Where the pod fits; the best place is booked in the same step."""
        self.bookings.release(pod.uid)
        self._nodes.expire(now)
        allows = self._allows(pod, demand)
        plan = place.on_nodes(
            demand, names, self._nodes.usage, self.vendors, allows, self._nodes.damaged
        )
        if plan.fits:
            policy = demand.wishes.node_policy
            node = place.best(plan, policy)
            until = now + self.settings.booking_seconds
            scores = place.priorities(plan, policy)
            self.bookings.book(pod, node, plan.fits[node], until, scores)
        return plan

    def book(self, pod: Pod, node: str, now: float) -> Booking | str:
        """The booking of the pod on that node, moved there if need be, or why it cannot be."""
        booking = self.bookings.get(pod.uid)
        if booking is not None and booking.node == node:
            return booking
        demand = self.demand(pod)
        if demand is None:
            return "the pod asks for no accelerator"
        plan = self.plan(pod, demand, (node,), now)
        return self.bookings.get(pod.uid) or plan.unfit[node]

    # Changing.

    def apply(self, event: events.Event, now: float) -> Collection[str]:
        """Take in what a watch told; gives the namespaces whose ledger may need a write."""
        if isinstance(event, events.PodSeen):
            return self._pod_seen(event.pod)
        if isinstance(event, events.PodGone):
            return self._pod_gone(event.uid)
        if isinstance(event, events.NodeSeen):
            self._node_seen(event)
        elif isinstance(event, events.NodeGone):
            self._nodes.gone(event.name)
        elif isinstance(event, events.QuotaSeen):
            self.quotas.put(event.quota)
            return {event.quota.namespace}
        elif isinstance(event, events.QuotaGone):
            self.quotas.remove(event.namespace, event.name)
        else:
            return self._complete(event)
        return ()

    def _pod_seen(self, pod: Pod) -> Collection[str]:
        before = self._pods.get(pod.uid)
        record = records.of(pod, self.vendors, before, self._price)
        if pod.node_name or pod.ended:
            self.bookings.release(pod.uid)
        if record is before:
            return ()
        self._forget(pod.uid)
        if record is not None:
            self._pods[pod.uid] = record
            self._in_namespace[pod.namespace].add(pod.uid)
            if record.bound:
                self._on_node[pod.node_name].add(pod.uid)
                self._nodes.take(pod.node_name, record.held)
        return {pod.namespace}

    def _pod_gone(self, uid: str) -> Collection[str]:
        self.bookings.release(uid)
        record = self._forget(uid)
        return () if record is None else {record.pod.namespace}

    def _forget(self, uid: str) -> Record | None:
        record = self._pods.pop(uid, None)
        if record is not None:
            self._in_namespace[record.pod.namespace].discard(uid)
            if record.bound:
                self._on_node[record.pod.node_name].discard(uid)
                self._nodes.free(record.pod.node_name, record.held)
        return record

    def _node_seen(self, event: events.NodeSeen) -> None:
        name = event.facts.name
        held = [self._pods[uid].held for uid in self._on_node.get(name, ())]
        node = table.node(self.vendors, event.facts)
        self._nodes.put(node, [*held, *self.bookings.on(name)])

    def _complete(self, event: events.Listed) -> Collection[str]:
        """Whichever list comes last, every ledger is looked at then: none was before."""
        self._listed.add(event.kind)
        touched: set[str] = set()
        if event.kind is events.Kind.PODS:
            for uid in self._pods.keys() - event.keys:
                touched.update(self._pod_gone(uid))
        elif event.kind is events.Kind.NODES:
            for name in self._nodes.names() - event.keys:
                self._nodes.gone(name)
        else:
            for key in self.quotas.keys() - event.keys:
                self.quotas.remove(*key.split("/", 1))
        return self.quotas.namespaces() | touched

    # Pricing.

    def _price(self, pod: Pod, requests: PodRequests, grants: PodGrants) -> Amounts[str]:
        if grants:
            return charge.of_grants(pod.kinds, grants, self._names)
        words = {request.vendor for slot in requests for request in slot}
        wishes = wishes_of.of(pod.annotations, words, self.vendors, self.settings)

        def smallest(request: Request) -> int:
            return self._nodes.smallest(request, wishes.selections[request.vendor])

        return charge.of_requests(pod.kinds, requests, self._names, smallest)

    def _allows(self, pod: Pod, demand: Demand) -> Allows | None:
        """Whether grants fit what is left of the quotas; asked only where sizes were not known."""
        open_ = any(request.memory_mib is None for slot in demand.slots for request in slot)
        applying = self.quotas.applying(pod) if open_ else []
        if not applying:
            return None
        left = [ledger.left(quota, self._own(quota, pod.uid)) for quota in applying]

        def allows(grants: PodGrants) -> bool:
            amounts = charge.of_grants(demand.kinds, grants, self._names)
            return not any(amounts.above(each) for each in left)

        return allows

    def _own(self, quota: Quota, uid: str) -> Amounts[str]:
        """What a quota's ``used`` counts for a pod."""
        if uid in quota.holds:
            return quota.holds[uid].amounts
        record = self._pods.get(uid)
        return record.amounts if record is not None else Amounts()

    def _of_namespace(self, namespace: str) -> list[Record]:
        return [self._pods[uid] for uid in self._in_namespace.get(namespace, ())]
