"""Booked and not yet confirmed placements, each with its expiry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model import grant as grants_of
from hami_admission.model.amounts import Amounts
from hami_admission.model.grant import CardKey
from hami_admission.model.pod import Pod
from hami_admission.placement.place import Placement

if TYPE_CHECKING:
    from hami_admission.cluster.inventory import Nodes


class Booking(msgspec.Struct, frozen=True):
    """Cards of ``node`` kept for a pod until unix second ``until``; ``scores`` for /prioritize."""

    pod: Pod
    node: str
    placement: Placement
    held: Amounts[CardKey]
    until: float
    scores: dict[str, int] = {}


class Bookings:
    """The bookings by pod uid; taking and giving back on the nodes is part of each step."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._by_uid: dict[str, Booking] = {}

    def __len__(self) -> int:
        return len(self._by_uid)

    def get(self, uid: str) -> Booking | None:
        """The booking of a pod, if it has one."""
        return self._by_uid.get(uid)

    def on(self, node: str) -> list[Amounts[CardKey]]:
        """What is booked on a node."""
        return [each.held for each in self._by_uid.values() if each.node == node]

    def book(
        self, pod: Pod, node: str, placement: Placement, until: float, scores: dict[str, int]
    ) -> Booking:
        """Keep these cards for the pod, in place of what was kept for it before."""
        self.release(pod.uid)
        held = grants_of.on_cards(pod.kinds, placement.grants)
        booking = Booking(pod, node, placement, held, until, scores)
        self._by_uid[pod.uid] = booking
        self._nodes.take(node, held)
        return booking

    def release(self, uid: str) -> None:
        """Give back what was kept for a pod, if anything."""
        booking = self._by_uid.pop(uid, None)
        if booking is not None:
            self._nodes.free(booking.node, booking.held)

    def expire(self, now: float) -> list[Booking]:
        """Give back what was kept too long; these pods were never bound."""
        late = [booking for booking in self._by_uid.values() if booking.until <= now]
        for booking in late:
            self.release(booking.pod.uid)
        return late
