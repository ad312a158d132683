"""GET /healthz and /readyz: are we alive, and can we decide? If not, what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.control.http import Reply

if TYPE_CHECKING:
    from hami_admission.cluster.state import Cluster


class Probes:
    """``leaving`` is set when the process was asked to stop; ``published`` when the API server
    was given our authority."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.leaving = False
        self.published = False

    async def healthz(self, _: bytes) -> Reply:
        """The event loop answers."""
        return Reply(b'{"status":"ok"}')

    async def readyz(self, _: bytes) -> Reply:
        """200 when every question can be answered, else 503 with what is missing, by name."""
        missing = self._cluster.missing()
        if not self.published:
            missing.append("webhook configurations")
        if self.leaving:
            missing.append("time: the process is stopping")
        body = msgspec.json.encode({"status": "not ready" if missing else "ok", "missing": missing})
        return Reply(body, 503 if missing else 200)
