"""Room that is kept for pods for whose sake others were told to go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.placement import usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hami_admission.cluster.bookings import Booking
    from hami_admission.model.pod import Pod
    from hami_admission.placement.usage import Cards


class Nominations:
    """By pod uid: the cards that a pod will have when those in its way have left.

    They are still taken, so they count on no node; only who comes later is kept off, unless it has
    a higher priority, as kube-scheduler does it with nominated pods.
    """

    def __init__(self) -> None:
        self._by_uid: dict[str, Booking] = {}

    def __len__(self) -> int:
        return len(self._by_uid)

    def __iter__(self) -> Iterator[Booking]:
        return iter(self._by_uid.values())

    def get(self, uid: str) -> Booking | None:
        """What is kept for a pod, if anything."""
        return self._by_uid.get(uid)

    def keep(self, nomination: Booking) -> None:
        """In place of what was kept for the pod before."""
        self._by_uid[nomination.pod.uid] = nomination

    def drop(self, uid: str) -> None:
        """The pod has its place, or needs none."""
        self._by_uid.pop(uid, None)

    def expire(self, now: float) -> None:
        """Nobody waits for ever for who does not leave."""
        for uid in [uid for uid, each in self._by_uid.items() if each.until <= now]:
            del self._by_uid[uid]

    def nodes_before(self, pod: Pod) -> frozenset[str]:
        """Where something is kept for others that go before the pod."""
        return frozenset(each.node for each in self._before(pod))

    def beside(self, pod: Pod, node: str, cards: dict[str, Cards]) -> dict[str, Cards]:
        """The cards of a node with what is kept of them for others that go before the pod."""
        for each in self._before(pod):
            if each.node == node:
                cards = usage.changed(cards, each.held)
        return cards

    def _before(self, pod: Pod) -> Iterator[Booking]:
        for uid, each in self._by_uid.items():
            if uid != pod.uid and each.pod.priority >= pod.priority:
                yield each
