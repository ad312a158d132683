"""The HTTPS server: routes, body limits, errors to replies. Low-level, because reviews are many."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

import aiohttp
import msgspec
from aiohttp import web

from hami_admission.control import memory
from hami_admission.control.connection import NAME, Connection
from hami_admission.control.listener import Listener
from hami_admission.control.room import Full, Room
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
    again: int | None = None
    """Seconds after which the same should be asked again, of whoever else serves; None: not."""


def later(text: str, seconds: int = 1) -> Reply:
    """Not now, and not here: the API server asks once more in ``seconds``, within its time limit.

    It does so for a webhook that answers 429 or 5xx with Retry-After (client-go, rest.Request); the
    connection is closed, so that another replica may be the one who is asked.
    """
    return Reply(text.encode() + b"\n", 503, "text/plain", again=seconds)


Meter = Callable[[str, int, float], None]


def unmeasured(route: str, status: int, seconds: float) -> None:
    """For servers that nobody watches."""


Handler = Callable[[bytes], Awaitable[Reply]]


Guard = Callable[[str | None, bool], Reply | None]
"""By the address of a connection's other end, and whether it has shown a certificate of an
authority that we trust: the answer to who may not ask, or None."""


class Route(msgspec.Struct, frozen=True):
    """A handler, the longest body it takes, whether it serves this machine's processes only."""

    handler: Handler
    max_bytes: int = 0
    local: bool = False
    seconds: float | None = None
    """From its head to its answer, body included; nobody waits for it any longer."""
    guard: Guard | None = None


Routes = dict[tuple[str, str], Route]


HEADER_SECONDS, BODY_SECONDS = 8.0, 2.5
"""For a client to send its first request's headers, from when it is accepted, and a body. The first
is longer than a handshake may take."""

IDLE_SECONDS = 120.0
"""Before a connection on which nothing is asked is closed. Longer than the 90 s after which the API
server and kube-scheduler close it themselves (IdleConnTimeout of Go's DefaultTransport): who closes
first may do so just when something is asked, and a review is not sent twice."""

LARGE_BYTES, SMALL_BYTES, SMALL = 48 << 20, 16 << 20, 64 << 10
"""Of large and of small bodies that are being read or answered, and how long a small one may be:
pods are small, and do not wait behind large ones."""

ROOM_SECONDS = 1.0
"""How long a body waits for room, unread, so that its sender waits too; then it is told to come
later, and there is time for that."""

UNREAD_BYTES = 16 << 10
"""Of a body that has come and that nobody has taken yet; twice as much, and aiohttp reads no more
of that connection."""

CROWD_BYTES = 8 << 20
"""Of bodies at a time, which leave so much free memory behind that it is worth giving back."""


PARTING_SECONDS, PARTING_PAUSE = 1.0, 0.02
"""In which connections that are idle are closed when we stop, and at most between one and the next:
one after another, so that those who find theirs closed are not many at once."""

MALFORMED_SECONDS = 10.0
"""Between two log lines about requests that are no HTTP: whoever sends them sends many."""

GONE = 499
"""The status, which nobody hears, by which requests are counted whose client went away; nginx's."""


class _Slow(Exception):
    """A body did not come in time."""


class _Gone(Exception):
    """The client went away before its body had come."""


class Server:
    """Serves routes on one port, over TLS where a context is given.

    ``meter`` is told route, status and seconds of each request; ``grace`` is how many seconds
    requests in flight have when it stops.
    """

    def __init__(self, routes: Routes, meter: Meter = unmeasured, *, grace: float = 5.0) -> None:
        self._routes = routes
        self._meter = meter
        self._grace = grace
        self._server = web.Server(self._answer)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=grace)
        self._methods = {path: method for method, path in routes}
        self._listener = Listener(self._connection, lambda: len(self._server.connections))
        self._silent: dict[Connection, float] = {}
        self._sweeping: asyncio.Task[None] | None = None
        self._large, self._small = Room(LARGE_BYTES), Room(SMALL_BYTES)
        self._crowded = False
        self._leaving = False
        self.malformed = 0
        """Requests that were no HTTP."""
        self._told = -MALFORMED_SECONDS

    async def start(self, host: str, port: int, context: ssl.SSLContext | None) -> int:
        """Listen; gives the port, which the system chose if 0 was asked."""
        await self._runner.setup()
        self._sweeping = asyncio.create_task(self._sweep())
        return await self._listener.start(host, port, context)

    def leave(self) -> None:
        """End each connection with its next answer: so clients know, and go elsewhere.

        A connection that is closed while nothing is asked on it may be closed just when something
        is, and the API server does not send a review twice.
        """
        self._leaving = True

    async def stop(self) -> None:
        """Stop listening, let requests in flight end, and close what is idle."""
        await self._listener.stop()
        if self._sweeping is not None:
            self._sweeping.cancel()
        self.leave()
        await self._part()
        await self._runner.cleanup()

    async def _part(self) -> None:
        """Until nobody is left, or the grace is over.

        aiohttp's own end is not as careful: of all connections at once it drops what comes, bodies
        of requests in flight too, and closes them some steps later.
        """
        deadline = monotonic() + self._grace
        while (there := self._connections()) and monotonic() < deadline:
            for each in there:
                if each.idle:
                    each.force_close()
                await asyncio.sleep(min(PARTING_PAUSE, PARTING_SECONDS / len(there)))

    def _connections(self) -> list[Connection]:
        return [each for each in self._server.connections if isinstance(each, Connection)]

    def _connection(self) -> asyncio.Protocol:
        handler = Connection(
            self._server,
            loop=asyncio.get_running_loop(),
            # None is what aiohttp documents for no log; its annotation lacks it.
            access_log=None,  # type: ignore[arg-type]
            keepalive_timeout=IDLE_SECONDS,
            auto_decompress=False,  # a small body could become a large one; nobody sends such
            lingering_time=BODY_SECONDS,  # for who sends a body that nobody wants
            read_bufsize=UNREAD_BYTES,
        )
        handler.on_malformed = self._malformed
        self._silent[handler] = monotonic()
        return handler

    def _malformed(self) -> None:
        self.malformed += 1
        if monotonic() - self._told >= MALFORMED_SECONDS:
            self._told = monotonic()
            log.warning("requests that are no HTTP", extra={"since_start": self.malformed})

    @property
    def _taken(self) -> int:
        return self._large.taken + self._small.taken

    async def _sweep(self) -> None:
        """Close connections that have not asked anything in time; clean up after a crowd."""
        while True:
            await asyncio.sleep(1.0)
            if self._crowded and not self._taken:
                self._crowded = False
                memory.give_back()
            self._close_silent()

    def _close_silent(self) -> None:
        late = monotonic() - HEADER_SECONDS
        for handler in [each for each, since in self._silent.items() if since < late]:
            del self._silent[handler]
            if handler.transport is not None:
                handler.transport.abort()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        connection = request.protocol
        assert isinstance(connection, Connection)
        self._silent.pop(connection, None)
        connection.answering(True)
        try:
            answer = await self._routed(request)
        finally:
            connection.answering(False)
        if self._leaving:
            answer.force_close()
        answer.headers["Server"] = NAME
        return answer

    async def _routed(self, request: web.BaseRequest) -> web.Response:
        if request.version < aiohttp.HttpVersion10:
            answer = _text(505, "HTTP/1.0 or later")
            answer.force_close()
            return answer
        route = self._routes.get((request.method, request.path))
        if route is None:
            return self._no_route(request)
        begun = perf_counter()
        answer = await self._served(request, route)
        self._meter(request.path, answer.status, perf_counter() - begun)
        return answer

    async def _served(self, request: web.BaseRequest, route: Route) -> web.Response:
        if route.local and not is_local(request.remote):
            return _text(403, f"{request.path} serves the kube-scheduler beside this process only")
        if route.guard is not None and (stranger := route.guard(request.remote, _shown(request))):
            return _response(stranger)
        limit = asyncio.timeout(route.seconds)
        try:
            async with limit:
                return await self._answered(request, route)
        except Full:
            return _response(later("too many reviews at once"))
        except _Slow:
            return _text(408, f"body: not within {BODY_SECONDS:g} s")
        except Malformed as error:
            return _text(400, str(error))
        except _Gone:
            return _text(GONE, "body: its sender has gone")
        except Exception:  # one request must not end the process; it is counted by its log line
            if limit.expired():
                return _text(504, f"not answered within {route.seconds:g} s")
            log.exception("request failed", extra={"path": request.path})
            return _text(500, "internal error; the log of hami-admission says more")

    async def _answered(self, request: web.BaseRequest, route: Route) -> web.Response:
        length = request.content_length
        size = route.max_bytes if length is None else length
        if size > route.max_bytes:
            return _too_long(route)
        room = self._small if size <= SMALL else self._large
        size = 0 if route.local else size  # kube-scheduler does not suffer from a flood
        await room.take(size, ROOM_SECONDS)
        try:
            self._crowded |= self._taken > CROWD_BYTES
            body = await _body(request, route.max_bytes)
            return _too_long(route) if body is None else _response(await route.handler(body))
        finally:
            room.give_back(size)

    def _no_route(self, request: web.BaseRequest) -> web.Response:
        method = self._methods.get(request.path)
        if method is None:
            return _text(404, f"{request.path[:200]}: no such route")
        return _text(405, f"{request.path}: only {method}")


def _response(reply: Reply) -> web.Response:
    headers = {"Content-Type": reply.content_type}
    if reply.again is not None:
        headers["Retry-After"] = str(reply.again)
    answer = web.Response(body=reply.body, status=reply.status, headers=headers)
    if reply.again is not None:
        answer.force_close()
    return answer


async def _body(request: web.BaseRequest, limit: int) -> bytes | None:
    """The whole body, or None when it is over the limit, which it did not say before."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(request, limit)
    except TimeoutError as error:
        raise _Slow from error
    except ConnectionError as error:
        raise _Gone from error


async def _read(request: web.BaseRequest, limit: int) -> bytes | None:
    parts: list[bytes] = []
    total = 0
    while chunk := await request.content.readany():
        total += len(chunk)
        if total > limit:
            return None
        parts.append(chunk)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def is_local(address: str | None) -> bool:
    """Is the other end of a connection on this machine? What headers say does not count."""
    try:
        return address is not None and ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _shown(request: web.BaseRequest) -> bool:
    """Was a client certificate shown? The handshake has failed where it was not a good one."""
    transport = request.transport
    return transport is not None and bool(transport.get_extra_info("peercert"))


def _text(status: int, message: str) -> web.Response:
    return web.Response(text=message + "\n", status=status)


def _too_long(route: Route) -> web.Response:
    return _text(413, f"body: longer than {route.max_bytes} bytes")
