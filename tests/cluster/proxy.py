"""A reverse proxy that lets a test strike: at one request, or at all that pass."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Literal

import aiohttp
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Fault = Callable[[web.BaseRequest], Awaitable[web.Response | None]]
    Matches = Callable[[str, str], bool]
    Strike = Callable[[], None]

When = Literal["before", "after"]

_HOP = {"host", "content-length", "transfer-encoding", "connection"}


class Proxy:
    """Forwards everything to ``target``; the first request that matches is struck at, once."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._matches: Matches | None = None
        self._when: When = "before"
        self._strike: Strike = lambda: None
        self._runner = web.ServerRunner(
            web.Server(self._forward, access_log=None), shutdown_timeout=0.1
        )
        self._session: aiohttp.ClientSession | None = None
        self._open: dict[int, web.BaseRequest] = {}
        self.struck = False
        self.fault: Fault | None = None
        """Asked before each request: gives what is answered in its place, or None."""

    def drop(self) -> None:
        """Close all connections, watches among them, in the middle of whatever they carry."""
        for request in list(self._open.values()):
            if request.transport is not None:
                request.transport.abort()

    def arm(self, matches: Matches, when: When, strike: Strike) -> None:
        """``matches`` gets method and path; ``strike`` runs before it is forwarded or after."""
        self._matches, self._when, self._strike, self.struck = matches, when, strike, False

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen; whom we forward to is not checked, it is a process of the test."""
        careless = ssl.create_default_context()
        careless.check_hostname = False
        careless.verify_mode = ssl.CERT_NONE
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=careless, limit=0), auto_decompress=False
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, ssl_context=tls, reuse_address=True).start()

    async def stop(self) -> None:
        """Stop listening and drop what is open."""
        if self._session is not None:
            await self._session.close()
        await self._runner.cleanup()

    async def _forward(self, request: web.BaseRequest) -> web.StreamResponse:
        self._open[id(request)] = request
        try:
            refused = await self.fault(request) if self.fault is not None else None
            return await self._passed(request) if refused is None else refused
        finally:
            del self._open[id(request)]

    async def _passed(self, request: web.BaseRequest) -> web.StreamResponse:
        assert self._session is not None
        chosen = self._matches is not None and self._matches(request.method, request.path)
        if chosen:
            self._matches = None
        if chosen and self._when == "before":
            # Once: when the answer comes, there may be a process already that was started anew.
            self._hit()
            chosen = False
        body = await request.read()
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
        url = f"{self._target}{request.path_qs}"
        try:
            async with self._session.request(
                request.method, url, data=body, headers=headers, timeout=aiohttp.ClientTimeout()
            ) as answer:
                if chosen:
                    content = await answer.read()
                    self._hit()
                    return web.Response(
                        status=answer.status, body=content, content_type=answer.content_type
                    )
                return await self._stream(request, answer)
        except aiohttp.ClientError as error:
            return web.Response(status=502, text=str(error))

    def _hit(self) -> None:
        """Said when it is done: who waits for it starts anew what was struck."""
        self._strike()
        self.struck = True

    async def _stream(
        self, request: web.BaseRequest, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        """Watches have no end, so bytes are passed on as they come."""
        headers = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP}
        reply = web.StreamResponse(status=answer.status, headers=headers)
        await reply.prepare(request)
        try:
            async for chunk in answer.content.iter_any():
                await reply.write(chunk)
            await reply.write_eof()
        except (aiohttp.ClientError, ConnectionError):
            # One side went away; the other learns of it by the closed connection.
            if request.transport is not None:
                request.transport.close()
        return reply
