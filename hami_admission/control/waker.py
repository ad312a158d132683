"""Has kube-scheduler ask again for refused pods when there is room for one of them (design.md 4).

It asks again by itself when a pod is deleted, but maybe before our watch has seen that; refused
then, the pod would wait for minutes. Any change of a Node's annotations makes it ask for every pod
that an extender refused.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from hami_admission.kube import errors, paths
from hami_admission.kube.client import MERGE_PATCH
from hami_admission.wire import nodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from hami_admission.cluster.state import Cluster
    from hami_admission.control.charging import Api

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.02
"""What becomes free together wakes together."""

RETRY_SECONDS = 1.0


class Waker:
    """``ring`` says that something became free; ``run`` looks whether that serves somebody."""

    def __init__(self, cluster: Cluster, api: Api, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._api = api
        self._clock = clock
        self._rung = asyncio.Event()
        self.writes = 0

    def ring(self) -> None:
        """Look soon."""
        self._rung.set()

    async def run(self) -> None:
        """For ever: one write per look that found room for a waiting pod."""
        while True:
            await self._rung.wait()
            self._rung.clear()
            await asyncio.sleep(GATHER_SECONDS)
            node = self._cluster.wake()
            while node is not None and not await self._write(node):
                await asyncio.sleep(RETRY_SECONDS)
                node = next(iter(self._cluster.usage()), None)

    async def _write(self, node: str) -> bool:
        try:
            body = nodes.wake(self._clock())
            await self._api.request("PATCH", paths.node(node), body, content_type=MERGE_PATCH)
        except errors.ApiError as error:
            log.warning("waiting pods not woken", extra={"node": node, "error": str(error)})
            return False
        self.writes += 1
        log.info("waiting pods woken", extra={"node": node, "waiting": len(self._cluster.waiting)})
        return True
