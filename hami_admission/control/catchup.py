"""Before the first decision after another has decided: see all that it did (design.md 6).

The kube-schedulers elect their leader by a Lease. While its holder is the one that we know, all
bindings went through us; when it has changed, the pods are listed anew, by a consistent read that
begins after the look at the Lease.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from hami_admission.kube import errors
from hami_admission.wire import leases
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hami_admission.control.charging import Api

log = logging.getLogger(__name__)

TRUSTED_SECONDS = 1.0
"""How long a look at the Lease is good for. It has to go without renewal for 15 seconds before
another kube-scheduler may begin."""

LOOK_SECONDS = 3.0
"""For one look."""


class NotCaughtUp(Exception):
    """It cannot be told whether another has decided meanwhile; the message says why."""


class CatchUp:
    """``path`` is the Lease of the kube-schedulers; without such an object there is only one."""

    def __init__(self, api: Api, path: str, refresh: Callable[[], Awaitable[None]]) -> None:
        self._api = api
        self._path = path
        self._refresh = refresh
        self._lock = asyncio.Lock()
        self._holder: str | None = None
        self._looked = -TRUSTED_SECONDS
        self.count = 0

    async def start(self) -> None:
        """Before the first list: who leads now? Unknown is as good as another."""
        try:
            self._holder = await self._look()
        except NotCaughtUp as error:
            log.warning("leader not known", extra={"error": str(error)})

    async def ensure(self) -> None:
        """Returns at once while nobody else leads, else after a list. Raises NotCaughtUp."""
        if time.monotonic() - self._looked < TRUSTED_SECONDS:
            return
        async with self._lock:
            begun = time.monotonic()
            if begun - self._looked < TRUSTED_SECONDS:
                return
            holder = await self._look()
            if holder != self._holder:
                await self._refresh()
                self._holder = holder
                self.count += 1
                fields = {"leader": holder, "seconds": round(time.monotonic() - begun, 3)}
                log.info("caught up", extra=fields)
            self._looked = begun

    async def _look(self) -> str:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return leases.decode(await self._api.request("GET", self._path)).holder
        except errors.NotFound:
            return ""
        except (errors.ApiError, TimeoutError, Malformed) as error:
            raise NotCaughtUp(f"the Lease of kube-scheduler cannot be read: {error}") from error
