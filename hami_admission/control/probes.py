"""GET /healthz and /readyz: are we alive, and can we decide? If not, what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.control.http import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from hami_admission.cluster.state import Cluster


SILENT_SECONDS = 5.0
"""Without an answer of the API server, after which others should be sent the reviews."""


class Probes:
    """``silence`` tells the seconds since the API server has answered last, ``senders`` whether
    it is known who may send reviews.

    ``leaving`` is set when the process was asked to stop; ``published`` when the API server was
    given our authority.
    """

    def __init__(
        self,
        cluster: Cluster,
        silence: Callable[[], float] = lambda: 0.0,
        senders: Callable[[], bool] = lambda: True,
    ) -> None:
        self._cluster = cluster
        self._silence = silence
        self._senders = senders
        self.leaving = False
        self.published = False

    async def healthz(self, _: bytes) -> Reply:
        """The event loop answers."""
        return Reply(b'{"status":"ok"}')

    async def readyz(self, _: bytes) -> Reply:
        """200 when every question can be answered, else 503 with what is missing, by name."""
        missing = self.missing()
        body = msgspec.json.encode({"status": "not ready" if missing else "ok", "missing": missing})
        return Reply(body, 503 if missing else 200)

    def missing(self) -> list[str]:
        """What is missing, by name; ready is who misses nothing."""
        missing = list(self._cluster.missing())
        if not self.published:
            missing.append("webhook configurations")
        if not self._senders():
            missing.append("addresses of the API server")
        if (silent := self._silence()) > SILENT_SECONDS:
            missing.append(f"the API server: no answer for {silent:.0f} s")
        if self.leaving:
            missing.append("time: the process is stopping")
        return missing
