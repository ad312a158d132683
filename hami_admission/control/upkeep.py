"""What time brings: bookings and holds expire, and a ledger that went wrong is put right."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from hami_admission.kube import errors, paths
from hami_admission.quota import ledger
from hami_admission.wire import names, pods
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hami_admission.cluster.state import Cluster
    from hami_admission.control.charging import Api, Charging

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0

PROOF_ROUNDS = 10
"""Rounds after which each ledger is compared with the pods, though nothing has happened to it."""

BETWEEN_LOOKS_SECONDS = 3.0
"""Between the two looks for a pod that was charged and not seen."""

MOST_MISSED = 10_000
"""Pods whose first look is remembered."""


class Upkeep:
    """Runs beside the watches; ``expired`` is told of each booking that ran out.

    All of ``on_round`` are called in each round of a replica that leads and has seen all.
    """

    def __init__(
        self,
        cluster: Cluster,
        charging: Charging,
        api: Api,
        clock: Callable[[], float],
        leads: Callable[[], bool],
        expired: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._charging = charging
        self._api = api
        self._clock = clock
        self._leads = leads
        self._expired = expired
        self.on_round: Sequence[Callable[[], None]] = ()
        self._missed: dict[str, float] = {}
        self._rounds = 0

    async def run(self) -> None:
        """For ever, a round each second."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.round()
            except Exception:  # the next round may do better; none would do nothing at all
                log.exception("upkeep failed")

    async def round(self) -> None:
        """One round: late bookings, the pods of late holds, from time to time all ledgers."""
        now = self._clock()
        uncounted = self._cluster.quotas.uncount(self._cluster.pods, now)
        self._charging.touch(uncounted, moved=True)
        for booking in self._cluster.expire(now):
            self._expired()
            log.warning("booking expired", extra={"pod": booking.pod.key, "node": booking.node})
        if self._cluster.missing() or not self._leads():
            return
        for look in self.on_round:
            look()
        for namespace in sorted(self._cluster.quotas.namespaces()):
            await self._holds(namespace, now)
        self._rounds += 1
        if self._rounds % PROOF_ROUNDS == 0:
            await self._proof()

    async def _proof(self) -> None:
        """Each change is counted as it comes; this is for one that was not, whatever the reason."""
        for namespace in sorted(self._cluster.quotas.namespaces()):
            if self._charging.differs(namespace):
                self._charging.touch((namespace,), moved=False)
            await asyncio.sleep(0)

    async def _holds(self, namespace: str, now: float) -> None:
        late: dict[str, str] = {}
        for quota in self._cluster.quotas.of(namespace):
            counts = self._cluster.counts(quota)
            late |= {
                uid: name
                for uid, name in self._cluster.quotas.late(quota, now).items()
                if ledger.drop(quota, (uid,), counts.held) != quota
            }
        gone = [
            uid
            for uid, name in late.items()
            if not await self._awaited(namespace, name, uid) and self._twice(uid, now)
        ]
        if gone:
            log.info("holds ended", extra={"namespace": namespace, "uids": gone})
            self._charging.forget(namespace, gone)

    def _twice(self, uid: str, now: float) -> bool:
        """Was it looked for in vain before, some seconds ago? After a stall of the API server or
        of etcd the creation of a pod and a look for it may come in any order."""
        first = self._missed.setdefault(uid, now)
        while len(self._missed) > MOST_MISSED:
            del self._missed[next(iter(self._missed))]
        return now - first >= BETWEEN_LOOKS_SECONDS

    async def _awaited(self, namespace: str, name: str, uid: str) -> bool:
        """Must the hold stay? While its pod is being bound, or exists and was not seen yet.

        A hold may be of a review that somebody made up: a name that no pod has, no uid at all. And
        an answer that will be the same the next time ends it as well.
        """
        if self._cluster.bookings.get(uid) is not None:
            return True
        if self._cluster.pod(uid) is not None or not (uid and names.is_name(name)):
            return False
        try:
            body = await self._api.request("GET", paths.pod(namespace, name))
        except errors.ApiError as error:
            return error.passing
        try:
            pod = pods.decode(body)
        except Malformed:
            return False
        return pod.uid == uid and not pod.ended
