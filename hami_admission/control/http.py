"""The HTTPS server: routes, body limits, errors to replies. Low-level, because reviews are many."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    import ssl

log = logging.getLogger(__name__)

JSON = "application/json"


class Reply(msgspec.Struct, frozen=True):
    """A status and a body, of JSON unless it says otherwise."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    again: int = 0
    """Seconds after which the same should be asked again, of whoever else serves; 0: not at all."""


def later(text: str) -> Reply:
    """Not now, and not here: the API server asks once more in a second, within its time limit.

    It does so for a webhook that answers 429 or 5xx with Retry-After (client-go, rest.Request); the
    connection is closed, so that another replica may be the one who is asked.
    """
    return Reply(text.encode() + b"\n", 503, "text/plain", again=1)


Meter = Callable[[str, int, float], None]


def unmeasured(route: str, status: int, seconds: float) -> None:
    """For servers that nobody watches."""


Handler = Callable[[bytes], Awaitable[Reply]]


class Route(msgspec.Struct, frozen=True):
    """A handler, the longest body it takes, and whether it serves this machine's processes only."""

    handler: Handler
    max_bytes: int = 0
    local: bool = False


Routes = dict[tuple[str, str], Route]


class Server:
    """Serves routes on one port, over TLS where a context is given.

    ``meter`` is told route, status and seconds of each request; ``grace`` is how many seconds
    requests in flight have when it stops.
    """

    def __init__(self, routes: Routes, meter: Meter = unmeasured, *, grace: float = 5.0) -> None:
        self._routes = routes
        self._meter = meter
        self._runner = web.ServerRunner(
            web.Server(self._answer, access_log=None, keepalive_timeout=75),
            shutdown_timeout=grace,
        )
        self._methods = {path: method for method, path in routes}

    async def start(self, host: str, port: int, context: ssl.SSLContext | None) -> int:
        """Listen; gives the port, which the system chose if 0 was asked."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=context, backlog=1024)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening, let requests in flight end."""
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        route = self._routes.get((request.method, request.path))
        if route is None:
            return self._no_route(request)
        begun = perf_counter()
        answer = await self._served(request, route)
        self._meter(request.path, answer.status, perf_counter() - begun)
        return answer

    async def _served(self, request: web.BaseRequest, route: Route) -> web.Response:
        if route.local and not _is_local(request.remote):
            return _text(403, f"{request.path} serves the kube-scheduler beside this process only")
        try:
            body = await _body(request, route.max_bytes)
            if body is None:
                return _text(413, f"body: longer than {route.max_bytes} bytes")
            reply = await route.handler(body)
        except Malformed as error:
            return _text(400, str(error))
        except Exception:  # one request must not end the process; it is counted by its log line
            log.exception("request failed", extra={"path": request.path})
            return _text(500, "internal error; the log of hami-admission says more")
        headers = {"Content-Type": reply.content_type}
        if reply.again:
            headers["Retry-After"] = str(reply.again)
        answer = web.Response(body=reply.body, status=reply.status, headers=headers)
        if reply.again:
            answer.force_close()
        return answer

    def _no_route(self, request: web.BaseRequest) -> web.Response:
        method = self._methods.get(request.path)
        if method is None:
            return _text(404, f"{request.path[:200]}: no such route")
        return _text(405, f"{request.path}: only {method}")


async def _body(request: web.BaseRequest, limit: int) -> bytes | None:
    """The whole body, or None when it is over the limit; the rest of such a body is not read."""
    length = request.content_length
    if length is not None and length > limit:
        return None
    parts: list[bytes] = []
    total = 0
    while chunk := await request.content.readany():
        total += len(chunk)
        if total > limit:
            return None
        parts.append(chunk)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _is_local(address: str | None) -> bool:
    try:
        return address is not None and ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _text(status: int, message: str) -> web.Response:
    return web.Response(text=message + "\n", status=status)
