"""Publishes what the node offers in its own annotations, when they are not that already."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from hami_admission.kube import paths
from hami_admission.kube.client import MERGE_PATCH
from hami_admission.wire import nodes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.kube.events import Api

log = logging.getLogger(__name__)


class Register:
    """Knows what stands there; raises ApiError where the API server does not serve."""

    def __init__(self, api: Api, node: str) -> None:
        self._api = api
        self._path = paths.node(node)
        self._written: dict[str, str | None] | None = None
        self.writes = 0
        self.published = False

    async def publish(self, notes: Mapping[str, str | None]) -> None:
        """Write these annotations, unless they stand there; None takes one away."""
        if self._written is None:
            body = await self._api.request("GET", self._path)
            there = nodes.decode(body).annotations
            self._written = {key: there.get(key) for key in notes}
        if self._written == dict(notes):
            self.published = True
            return
        body = msgspec.json.encode({"metadata": {"annotations": notes}})
        await self._api.request("PATCH", self._path, body, content_type=MERGE_PATCH)
        self._written = dict(notes)
        self.published = True
        self.writes += 1
        log.info("registered on the node", extra={"annotations": sorted(notes)})

    def doubt(self) -> None:
        """Look again before the next decision: somebody else may have written."""
        self._written = None
