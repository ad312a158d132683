"""The bind: settle the quota, then one write, the Binding that carries the cards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hami_admission.kube import errors, paths
from hami_admission.placement import decision as decisions
from hami_admission.wire import bindings, pods
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from hami_admission.cluster.bookings import Booking
    from hami_admission.cluster.state import Cluster
    from hami_admission.control.charging import Api, Charging
    from hami_admission.model.pod import Pod
    from hami_admission.wire.extender import Binding


SETTLE_SECONDS = 5.0
"""For the quota's write; kube-scheduler waits ten seconds for the whole bind."""


class BindFailed(Exception):
    """The pod was not bound; the message is for kube-scheduler and the pod's events."""


class Binder:
    """Binds pods on the nodes that kube-scheduler chose."""

    def __init__(
        self, cluster: Cluster, charging: Charging, api: Api, clock: Callable[[], float]
    ) -> None:
        self._cluster = cluster
        self._charging = charging
        self._api = api
        self._clock = clock

    async def bind(self, asked: Binding) -> float | None:
        """Book (or move the booking), settle, bind; gives the node's score, if it has one.

        Raises BindFailed; then nothing is kept.

        Only where no answer came the booking stays until it expires or the pod is seen: the
        Binding may have been made.
        """
        pod = await self._pod(asked)
        demand = self._cluster.demand(pod)
        if demand is None:
            await self._post(asked, {})
            return None
        booking = self._cluster.book(pod, asked.node, self._clock())
        if isinstance(booking, str):
            raise BindFailed(f"node {asked.node} no longer fits: {booking}")
        await self._settle(pod, booking)
        now, grants = self._clock(), booking.placement.grants
        cards = self._cluster.usage()[asked.node].cards
        notes = decisions.notes(asked.node, now, demand, grants, cards, self._cluster.vendors)
        await self._post(asked, notes)
        return booking.placement.score

    async def _pod(self, asked: Binding) -> Pod:
        """The pod as it was filtered, else as it was seen, else as it is."""
        booking = self._cluster.bookings.get(asked.pod_uid)
        pod = booking.pod if booking is not None else self._cluster.pod(asked.pod_uid)
        if pod is None:
            path = paths.pod(asked.pod_namespace, asked.pod_name)
            try:
                pod = pods.decode(await self._api.request("GET", path))
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
        if self._cluster.bookings.get(pod.uid) is not booking:
            raise BindFailed("the cards were given back meanwhile (pod deleted, or asked again)")

    async def _post(self, asked: Binding, notes: dict[str, str]) -> None:
        body = bindings.encode(
            namespace=asked.pod_namespace,
            name=asked.pod_name,
            uid=asked.pod_uid,
            node=asked.node,
            carried=notes,
        )
        path = paths.binding(asked.pod_namespace, asked.pod_name)
        try:
            await self._api.request("POST", path, body)
        except errors.Unreachable as error:
            raise BindFailed(f"no answer to the binding: {error}") from error
        except errors.ApiError as error:
            self._cluster.give_back(asked.pod_uid)
            raise BindFailed(f"binding refused: {error}") from error
