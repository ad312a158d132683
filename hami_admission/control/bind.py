"""The bind: settle the quota, then one write, the Binding that carries the cards."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hami_admission.control import instances, nodelock
from hami_admission.kube import errors, paths
from hami_admission.placement import decision as decisions
from hami_admission.wire import bindings, pods, reservations
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hami_admission.cluster.bookings import Booking
    from hami_admission.cluster.state import Cluster
    from hami_admission.control.charging import Api, Charging
    from hami_admission.model.node import Handover
    from hami_admission.model.pod import Pod
    from hami_admission.settings import Settings
    from hami_admission.vendors.vendor import Made
    from hami_admission.wire.extender import Binding


SETTLE_SECONDS, POST_SECONDS = 5.0, 4.0
"""For the quota's write and for the Binding; kube-scheduler waits 15 seconds for
both, and for the instances of cards that are made between them."""

AGAIN_SECONDS = 0.2
"""Before the Binding is asked for again."""

MOST_AT_ONCE, LONGEST_TURN_SECONDS = 8, 2.0
"""Bindings in flight, and how long one more waits at most. kube-scheduler hands over as many as it
has placed, dozens after a change of its leader; all at once they keep an API server so busy that
reviews, each of which waits for a write of its own, are not answered in time."""


LOCKED_SECONDS = 10.0
"""After the beginning, within which a node must be free for the pod: where its device plugin is
of others it serves one at a time. The Binding's time comes after that."""


class BindFailed(Exception):
    """The pod was not bound; the message is for kube-scheduler and the pod's events."""


class Unanswered(BindFailed, nodelock.Unsure):
    """The pod may have been bound."""


def ensure_ours(pod: Pod, settings: Settings) -> None:
    """Pods that name another scheduler were charged by nobody.

    Raises BindFailed.
    """
    if pod.scheduler_name not in {"", *settings.scheduler_names}:
        raise BindFailed(
            f"the pod names scheduler {pod.scheduler_name}, and only pods of"
            f" {' or '.join(settings.scheduler_names)} are placed here: name that, or take"
            " hami-admission's extender out of the other profile, or name that profile in"
            " moreSchedulerNames"
        )


class _Attempt:
    """How the attempts to bind a pod went."""

    def __init__(self) -> None:
        self.failure = "not in time"
        self.maybe_done = False
        self.repeated = False

    def begin(self) -> None:
        """One more request is on its way; it may be done, whether an answer comes or not."""
        self.repeated = self.maybe_done
        self.maybe_done = True

    def fail(self, error: errors.ApiError) -> None:
        """It was answered so: only without an answer, or with 5xx, it may be done all the same."""
        self.failure = str(error)
        self.maybe_done = self.repeated or error.status == 0 or error.status >= 500


class Binder:
    """Binds pods on the nodes that kube-scheduler chose."""

    def __init__(
        self, cluster: Cluster, charging: Charging, api: Api, clock: Callable[[], float]
    ) -> None:
        self._cluster = cluster
        self._charging = charging
        self._api = api
        self._clock = clock
        self.locks = nodelock.NodeLocks(
            api, cluster.node, clock, cluster.settings.node_lock_seconds
        )
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def bind(self, asked: Binding) -> float | None:
        """Book (or move the booking), settle, bind; gives the node's score, if it has one.

        Raises BindFailed; then nothing is kept.

        Only where no answer came the booking stays until it expires or the pod is seen: the
        Binding may have been made.
        """
        begun = asyncio.get_running_loop().time()
        pod = await self._pod(asked)
        demand = self._cluster.demand(pod)
        if demand is None:
            await self._post(asked, {})
            return None
        ensure_ours(pod, self._cluster.settings)
        booking = self._cluster.book(pod, asked.node, self._clock())
        if isinstance(booking, str):
            raise BindFailed(f"node {asked.node} no longer fits: {booking}")
        await self._settle(pod, booking)
        made = await self._made(asked, booking)
        node = self._cluster.node(asked.node)
        handovers = [] if node is None else node.handed(demand.words)
        async with self._handed(booking, handovers, begun):
            site = decisions.Site(
                asked.node,
                self._clock(),
                self._cluster.usage()[asked.node].cards,
                made,
                tuple(container.name for container in pod.containers),
                bool(handovers),
            )
            notes = decisions.notes(site, demand, booking.placement.grants, self._cluster.vendors)
            await self._post(asked, notes)
        return booking.placement.score

    @asynccontextmanager
    async def _handed(
        self, booking: Booking, handovers: list[Handover], begun: float
    ) -> AsyncIterator[None]:
        """The node's locks, where those plugins need them; the pod is still booked then."""
        uid = booking.pod.uid
        try:
            async with self.locks.held(
                booking.node, handovers, booking.pod, begun + LOCKED_SECONDS
            ):
                self._still_booked(booking)
                yield
        except (nodelock.NotFree, errors.ApiError, Malformed) as error:
            self._cluster.give_back(uid)
            raise BindFailed(str(error)) from error

    async def _pod(self, asked: Binding) -> Pod:
        """The pod as it was filtered, else as it was seen, else as it is."""
        booking = self._cluster.bookings.get(asked.pod_uid)
        pod = booking.pod if booking is not None else self._cluster.pod(asked.pod_uid)
        if pod is None:
            try:
                pod = await self._as_it_is(asked)
            except (errors.ApiError, Malformed) as error:
                raise BindFailed(f"pod cannot be read: {error}") from error
        if pod.uid != asked.pod_uid:
            raise BindFailed(f"the pod has uid {pod.uid} now, not {asked.pod_uid}")
        if pod.node_name:
            raise BindFailed(f"the pod is bound to {pod.node_name} already")
        return pod

    async def _settle(self, pod: Pod, booking: Booking) -> None:
        claim = self._cluster.settlement(booking, self._clock())
        if claim is None:
            return
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                refusal = await self._charging.charge(pod, claim, binds=True)
        except (errors.ApiError, TimeoutError) as error:
            self._cluster.give_back(pod.uid)
            reason = str(error) or f"not within {SETTLE_SECONDS:g} s"
            raise BindFailed(f"quota cannot be settled: {reason}") from error
        if refusal is not None:
            self._cluster.give_back(pod.uid)
            raise BindFailed(str(refusal))
        self._still_booked(booking)

    async def _made(self, asked: Binding, booking: Booking) -> Made:
        """The parts of cut cards that the pod was placed on; without any, nobody is asked."""
        places = reservations.places(booking.placement.grants)
        if not places:
            return {}
        try:
            found = await instances.made(self._api, asked.node, asked.pod_uid, places)
        except instances.NotMade as error:
            self._cluster.give_back(asked.pod_uid)
            raise BindFailed(str(error)) from error
        self._still_booked(booking)
        return found

    def _still_booked(self, booking: Booking) -> None:
        if self._cluster.bookings.get(booking.pod.uid) is not booking:
            raise BindFailed("the cards were given back meanwhile (pod deleted, or asked again)")

    async def _post(self, asked: Binding, notes: dict[str, str]) -> None:
        body = bindings.encode(
            namespace=asked.pod_namespace,
            name=asked.pod_name,
            uid=asked.pod_uid,
            node=asked.node,
            carried=notes,
        )
        attempt = _Attempt()
        try:
            async with asyncio.timeout(POST_SECONDS), self._turn():
                await self._until_bound(asked, body, attempt)
        except (errors.ApiError, Malformed, TimeoutError) as error:
            if attempt.maybe_done:
                # The booking stays, until it expires or the pod is seen.
                raise Unanswered(f"no answer to the binding: {attempt.failure}") from error
            self._cluster.give_back(asked.pod_uid)
            raise BindFailed(f"binding refused: {attempt.failure}") from error

    async def _until_bound(self, asked: Binding, body: bytes, attempt: _Attempt) -> None:
        """Asks again while it fails for a reason that passes: otherwise the pod would stay in
        kube-scheduler's back-off for half a minute."""
        path = paths.binding(asked.pod_namespace, asked.pod_name)
        while True:
            try:
                attempt.begin()
                await self._api.request("POST", path, body)
                return
            except errors.ApiError as error:
                attempt.fail(error)
                if isinstance(error, errors.Conflict) and await self._done_before(asked, attempt):
                    return
                if not error.passing:
                    raise
            await asyncio.sleep(AGAIN_SECONDS)

    async def _done_before(self, asked: Binding, attempt: _Attempt) -> bool:
        """Was a binding made by an attempt that got no answer, or an error?"""
        if not attempt.repeated:
            return False
        pod = await self._as_it_is(asked)
        attempt.maybe_done = (pod.uid, pod.node_name) == (asked.pod_uid, asked.node)
        return attempt.maybe_done

    async def _as_it_is(self, asked: Binding) -> Pod:
        """Raises ApiError and Malformed."""
        path = paths.pod(asked.pod_namespace, asked.pod_name)
        return pods.decode(await self._api.request("GET", path))

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(LONGEST_TURN_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            yield
            return
        try:
            yield
        finally:
            self._turns.release()
