"""Which replica does what only one should do: a Lease, renewed by its holder.

No decision depends on there being one leader only; every write carries the version that it was made
from. It saves the replicas from doing the same work against each other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from time import monotonic
from typing import TYPE_CHECKING

from hami_admission.kube import errors, paths
from hami_admission.wire import leases

if TYPE_CHECKING:
    from collections.abc import Callable

    from hami_admission.kube.client import Client
    from hami_admission.wire.leases import Lease

log = logging.getLogger(__name__)

LEASE_SECONDS = 10
"""After which others take a Lease that was not renewed, by their own clocks."""

VALID_SECONDS = 7.0
"""How long its holder takes itself for the leader without having renewed it; shorter, so that two
never do at a time, unless a clock runs at another speed."""

EVERY_SECONDS = 2.0
"""Between renewals, and between looks of the others."""


def _nothing() -> None:
    """Until somebody wants to know."""


class Election:
    """``leads`` says whether we lead now; ``on_lead`` is called whenever that begins."""

    def __init__(self, client: Client, namespace: str, name: str, identity: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self.on_lead: Callable[[], None] = _nothing
        self._valid_until = 0.0
        self._seen: tuple[str, str] | None = None
        self._since = 0.0
        self._heard = monotonic()

    @property
    def silence(self) -> float:
        """Seconds since the API server has answered last."""
        return monotonic() - self._heard

    def leads(self) -> bool:
        """Do we lead? Also right in a process that was stopped and goes on."""
        return monotonic() < self._valid_until

    async def run(self) -> None:
        """Stand for election for ever."""
        while True:
            led = self.leads()
            try:
                await self.round()
            except errors.Conflict:
                log.debug("lease changed meanwhile")
            except errors.ApiError as error:
                log.warning("lease not renewed", extra={"error": str(error)})
            except Exception:  # without a leader nothing is given back
                log.exception("lease not renewed")
            if self.leads() and not led:
                log.info("leading", extra={"identity": self._identity})
                self.on_lead()
            await asyncio.sleep(EVERY_SECONDS)

    async def resign(self) -> None:
        """Let another lead at once; for when the process stops."""
        if not self.leads():
            return
        self._valid_until = 0.0
        try:
            lease = await self._read()
            if lease is not None and lease.holder == self._identity:
                await self._write("", lease)
        except errors.ApiError as error:
            log.info("lease not given up", extra={"error": str(error)})

    async def round(self) -> None:
        """One look, and one write if it is ours to renew or to take. Raises ApiError."""
        begun = monotonic()
        lease = await self._read()
        self._heard = monotonic()
        if lease is not None and lease.turn != self._seen:
            self._seen, self._since = lease.turn, begun
        free = lease is None or not lease.holder or begun - self._since > LEASE_SECONDS
        if lease is None or free or lease.holder == self._identity:
            await self._write(self._identity, lease)
            self._valid_until = begun + VALID_SECONDS
        else:
            self._valid_until = 0.0

    async def _read(self) -> Lease | None:
        path = paths.lease(self._namespace, self._name)
        try:
            return leases.decode(await self._client.request("GET", path, seconds=VALID_SECONDS))
        except errors.NotFound:
            return None

    async def _write(self, holder: str, before: Lease | None) -> None:
        body = leases.encode(
            self._name,
            self._namespace,
            holder=holder,
            seconds=LEASE_SECONDS,
            now=time.time(),
            before=before,
        )
        if before is None:
            path, method = paths.leases(self._namespace), "POST"
        else:
            path, method = paths.lease(self._namespace, self._name), "PUT"
        await self._client.request(method, path, body, seconds=VALID_SECONDS)
