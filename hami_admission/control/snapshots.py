"""GET /snapshot: the state, for ``explain`` and ``simulate --snapshot``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hami_admission.cluster import snapshot
from hami_admission.control.http import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from hami_admission.cluster.state import Cluster


class Snapshots:
    """Taken at once, written in a thread: of a large cluster it is 40 MB."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._clock = clock
        self._lock = asyncio.Lock()

    async def snapshot(self, _: bytes) -> Reply:
        """The state of now; two at a time would take twice the memory."""
        async with self._lock:
            taken = snapshot.take(self._cluster, self._clock())
            body = await asyncio.to_thread(snapshot.encode, taken, self._cluster.vendors)
        return Reply(body)
