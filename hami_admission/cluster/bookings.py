"""Booked and not yet confirmed placements, each with its expiry."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model import grant as grants_of
from hami_admission.model.amounts import Amounts
from hami_admission.model.grant import CardKey
from hami_admission.model.pod import Pod
from hami_admission.placement.place import Placement
from hami_admission.placement.pod import Demand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hami_admission.cluster.inventory import Nodes


class Booking(msgspec.Struct, frozen=True):
    """Cards of ``node`` kept for a pod until unix second ``until``."""

    pod: Pod
    demand: Demand
    node: str
    placement: Placement
    held: Amounts[CardKey]
    until: float


class Bookings:
    """The bookings by pod uid; taking and giving back on the nodes is part of each step."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._by_uid: dict[str, Booking] = {}
        self._on_node: defaultdict[str, set[str]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._by_uid)

    def get(self, uid: str) -> Booking | None:
        """The booking of a pod, if it has one."""
        return self._by_uid.get(uid)

    def __iter__(self) -> Iterator[Booking]:
        return iter(self._by_uid.values())

    def on(self, node: str) -> list[Amounts[CardKey]]:
        """What is booked on a node."""
        return [self._by_uid[uid].held for uid in self._on_node.get(node, ())]

    def book(
        self, pod: Pod, demand: Demand, node: str, placement: Placement, until: float
    ) -> Booking:
        """Keep these cards for the pod, in place of what was kept for it before."""
        self.release(pod.uid)
        held = grants_of.on_cards(pod.kinds, placement.grants)
        booking = Booking(pod, demand, node, placement, held, until)
        self._by_uid[pod.uid] = booking
        self._on_node[node].add(pod.uid)
        self._nodes.take(node, held)
        return booking

    def release(self, uid: str) -> Booking | None:
        """Give back what was kept for a pod, if anything; gives what that was."""
        booking = self._by_uid.pop(uid, None)
        if booking is not None:
            self._on_node[booking.node].discard(uid)
            if not self._on_node[booking.node]:
                del self._on_node[booking.node]
            self._nodes.free(booking.node, booking.held)
        return booking

    def expire(self, now: float) -> list[Booking]:
        """Give back what was kept too long; these pods were never bound."""
        late = [booking for booking in self._by_uid.values() if booking.until <= now]
        for booking in late:
            self.release(booking.pod.uid)
        return late
