"""Kubernetes Events: bounded, counted up instead of repeated, never in anyone's way."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Protocol

from hami_admission.kube import errors, paths
from hami_admission.kube.client import JSON, MERGE_PATCH
from hami_admission.wire import notices

if TYPE_CHECKING:
    from collections.abc import Callable

    from hami_admission.wire.notices import Notice

log = logging.getLogger(__name__)

MOST_WAITING = 1024
"""Notices that wait to be written. Half of it is kept for warnings."""

MOST_KNOWN = 8192
"""Events that are remembered, to be counted up."""

QUIET_SECONDS = 10.0
"""Between two writes of one Event, however often it happens."""

PER_SECOND, BURST = 10.0, 100.0
"""Writes: what the API server is asked for events, at most."""


class Api(Protocol):
    """The part of the client that is used here."""

    async def request(
        self, method: str, path: str, body: bytes | None = None, *, content_type: str = JSON
    ) -> bytes:
        """One request; raises ApiError."""


class _Known:
    """One Event: what it says, how often it happened, when it was written."""

    def __init__(self, notice: Notice, since: float) -> None:
        self.notice = notice
        self.count = 0
        self.since = since
        self.written: float | None = None
        self.name = ""
        self.waiting = False


class Recorder:
    """Takes notices at once and writes them later, if at all; counts what became of them."""

    def __init__(self, api: Api, component: str, clock: Callable[[], float]) -> None:
        self._api = api
        self._component = component
        self._clock = clock
        self._known: OrderedDict[tuple[str, str, str], _Known] = OrderedDict()
        self._fresh: deque[_Known] = deque()
        self._again: deque[_Known] = deque()
        self._told = asyncio.Event()
        self._tokens = BURST
        self._filled = clock()
        self.written = 0
        self.dropped = 0

    def tell(self, notice: Notice) -> None:
        """Take a notice; one that was told before only counts up."""
        key = (notice.uid, notice.reason, notice.cause)
        known = self._known.get(key)
        if known is None:
            room = MOST_WAITING if notice.kind == "Warning" else MOST_WAITING // 2
            if len(self._fresh) >= room:
                self.dropped += 1
                return
            known = self._known[key] = _Known(notice, self._clock())
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        known.notice = notices.cut(notice)
        known.count += 1
        if not known.waiting:
            known.waiting = True
            (self._fresh if known.written is None else self._again).append(known)
            self._told.set()

    async def run(self) -> None:
        """Write for ever, one after the other."""
        while True:
            known = await self._next()
            await self._token()
            known.waiting = False
            try:
                await self._write(known)
                self.written += 1
            except errors.ApiError as error:
                self.dropped += 1
                log.info("event not written", extra={"error": str(error)})

    async def _next(self) -> _Known:
        """What is new first; what happened again when its Event was quiet for long enough."""
        while True:
            if self._fresh:
                return self._fresh.popleft()
            wait: float | None = None
            if self._again:
                wait = (self._again[0].written or 0.0) + QUIET_SECONDS - self._clock()
                if wait <= 0:
                    return self._again.popleft()
            self._told.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._told.wait()
            except TimeoutError:
                continue

    async def _token(self) -> None:
        now = self._clock()
        self._tokens = min(BURST, self._tokens + PER_SECOND * max(now - self._filled, 0.0))
        self._filled = now
        if self._tokens < 1:
            await asyncio.sleep((1 - self._tokens) / PER_SECOND)
        self._tokens -= 1

    async def _write(self, known: _Known) -> None:
        notice, now = known.notice, self._clock()
        again, known.written = known.written is not None, now
        if again:
            path = paths.event(notice.namespace, known.name)
            body = notices.repeated(notice, count=known.count, now=now)
            try:
                await self._api.request("PATCH", path, body, content_type=MERGE_PATCH)
            except errors.NotFound:  # Events live for an hour
                again = False
        if not again:
            known.name = f"{notice.name[:200]}.{int(now * 1e9):x}"
            body = notices.encode(
                notice,
                name=known.name,
                component=self._component,
                count=known.count,
                since=known.since,
            )
            await self._api.request("POST", paths.events(notice.namespace), body)
