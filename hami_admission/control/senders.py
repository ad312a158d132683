"""Who may send reviews, at the door: what the setting means now, and an answer for all others."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING

from hami_admission.admission import senders
from hami_admission.control.http import Reply, later
from hami_admission.kube import errors, paths
from hami_admission.wire import endpoints
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from hami_admission.control.charging import Api
    from hami_admission.settings import Settings

log = logging.getLogger(__name__)

API_SERVER = paths.endpoint_slice("default", "kubernetes")

EVERY_SECONDS = 2.0
"""Between looks at the API server's addresses. One that is new puts itself there while it starts,
before it is sent anything."""

KEPT_SECONDS = 600.0
"""For which an address counts that is there no more: an API server that stops takes its own away
first, and serves on (shutdown-delay-duration)."""

TOLD_SECONDS = 10.0
"""Between two log lines about strangers: whoever sends, sends much."""


class Senders:
    """``guard`` answers who may not send reviews; ``refused`` counts them by what was wrong.

    By the API server's addresses as they were read last; while they cannot be read these hold.
    Before they were read once nobody is answered (``known``), and the API server asks another.
    """

    def __init__(
        self, settings: Settings, api: Api, clock: Callable[[], float] = monotonic
    ) -> None:
        named = settings.review_senders
        self._api = api
        self._clock = clock
        self._certificate = bool(settings.review_authority)
        self._follows = named == senders.API_SERVER
        self._rule: senders.Rule | None = None
        if not self._follows:
            ranges = None if isinstance(named, str) else named
            self._rule = senders.rule(ranges, certificate=self._certificate)
        self._seen: dict[str, float] = {}
        self._failure = ""
        self.refused: dict[str, int] = {"address": 0, "certificate": 0}
        self._told = -TOLD_SECONDS

    @property
    def known(self) -> bool:
        """Is it known who may send reviews?"""
        return self._rule is not None

    async def run(self) -> None:
        """For ever, where the API server's addresses have to be known."""
        while self._follows:
            await self.look()
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self) -> None:
        """Read the addresses; what cannot be read leaves them as they are."""
        try:
            found = endpoints.decode(await self._api.request("GET", API_SERVER))
        except (errors.ApiError, Malformed) as error:
            if str(error) != self._failure:
                log.warning("addresses of the API server not read", extra={"error": str(error)})
            self._failure = str(error)
            return
        self._failure = ""
        now = self._clock()
        fresh = set(found) - self._seen.keys()
        self._seen |= dict.fromkeys(found, now)
        kept = {each: at for each, at in self._seen.items() if now - at < KEPT_SECONDS}
        if fresh or kept.keys() != self._seen.keys():
            log.info("addresses of the API server", extra={"addresses": sorted(kept)})
        self._seen = kept
        self._rule = senders.rule(sorted(kept), certificate=self._certificate)

    def guard(self, address: str | None, certificate: bool) -> Reply | None:
        """The answer to a sender who may not, or None."""
        if self._rule is None:
            return later("the API server's addresses are not known yet")
        stranger = senders.judge(self._rule, address, certificate=certificate)
        if stranger is None:
            return None
        self.refused[stranger.wrong] += 1
        if self._clock() - self._told >= TOLD_SECONDS:
            self._told = self._clock()
            about = {"address": address, "reason": stranger.text, "since_start": self.refused}
            log.warning("a stranger's review", extra=about)
        return Reply(stranger.text.encode() + b"\n", 403, "text/plain")
