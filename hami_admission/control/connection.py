"""A connection that knows whether it is idle: then it can be closed without a loss to anyone.

A client that keeps its connections may ask on one just when it is closed, and neither the API
server nor kube-scheduler sends a POST twice. That cannot be ruled out from this end, but the moment
in which it can happen is as short as the system allows where a single connection is looked at and
closed in one step.
"""

from __future__ import annotations

import select
from time import monotonic
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

NAME = "hami-admission"
"""What we say we are; of which version is nobody's business who can reach us."""

QUIET_SECONDS = 0.1
"""Without a request or an answer, before a connection counts as idle: what the loop has taken of it
has reached a handler by then, and what a handler gave has been sent."""


def _unheard() -> None:
    """Where nobody counts."""


class Connection(web.RequestHandler):
    """aiohttp's, and what has happened on it last.

    ``on_malformed`` is called for each request that is no HTTP.
    """

    _moved = 0.0
    _answering = False
    on_malformed: Callable[[], None] = staticmethod(_unheard)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What came is no HTTP, or a fault of ours.

        Of the first aiohttp would log a traceback with what its sender wrote.
        """
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        self.on_malformed()
        text = "not a request in HTTP/1.1\n"
        answer = web.Response(text=text, status=status, headers={"Server": NAME})
        answer.force_close()
        return answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is over."""
        self._moved = monotonic()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Something came."""
        self._moved = monotonic()
        super().data_received(data)

    def answering(self, now: bool) -> None:
        """A request of it has reached its handler, or has left it again."""
        self._answering, self._moved = now, monotonic()

    @property
    def idle(self) -> bool:
        """Is nothing asked, answered or on its way in our system?"""
        transport: asyncio.Transport | None = self.transport
        if transport is None or self._answering or monotonic() - self._moved < QUIET_SECONDS:
            return False
        return transport.get_write_buffer_size() == 0 and not _has_come(transport)


def _has_come(transport: asyncio.Transport) -> bool:
    """Is there something to be read, which the loop has not looked for yet?"""
    found = transport.get_extra_info("socket")
    if found is None or found.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(found.fileno(), select.POLLIN)
    return bool(poll.poll(0))
