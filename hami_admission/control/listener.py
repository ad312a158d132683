"""Who is let in: so many connections at a time, from their first packet on.

Connections are accepted here, because the event loop's own server begins a handshake with each,
however many there are.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 2048
"""At a time, handshakes among them; an API server has one for each review in flight."""

HANDSHAKE_SECONDS, GOODBYE_SECONDS = 5.0, 5.0
"""For a client to finish its handshake, and to take what it was sent before we closed."""

UNREAD_SECONDS = 10.0
"""Until the system gives up a connection whose other end takes nothing of what it was sent."""

BACKLOG = 1024
"""Connections that the system keeps until they are accepted."""

RECEIVE_BYTES = 32 << 10
"""Asked of the system for what a connection has received (it takes twice as much), and what is kept
of it until it is decrypted. The loop reads all there is, into buffers of that size that last as
long as the connection: with the sizes that they choose themselves a client that sends much costs
0.8 MiB, with these 0.3."""

NO_FILES_SECONDS = 0.5
"""Until we accept again, after there was no file descriptor."""


class Listener:
    """Accepts for the protocols of ``factory``; ``connected`` says how many of them there are."""

    def __init__(
        self, factory: Callable[[], asyncio.Protocol], connected: Callable[[], int]
    ) -> None:
        self._factory = factory
        self._connected = connected
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._entering: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int, context: ssl.SSLContext | None) -> int:
        """Listen; gives the port, which the system chose if 0 was asked."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, *_, address = found[0]
        self._socket = socket.create_server(address, family=family, backlog=BACKLOG)

        # What is set here holds for every connection of it.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            milliseconds = int(UNREAD_SECONDS * 1000)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        self._socket.setblocking(False)
        self._accepting = loop.create_task(self._accept(self._socket, context))
        return int(self._socket.getsockname()[1])

    async def stop(self) -> None:
        """Let nobody in any more."""
        if self._accepting is None or self._socket is None:
            return
        tasks = (self._accepting, *self._entering)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._socket.close()

    async def _accept(self, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:  # who waits to be accepted is still there in a while
                log.warning("connections not accepted", extra={"error": str(error)})
                await asyncio.sleep(NO_FILES_SECONDS)
                continue
            if len(self._entering) + self._connected() >= MOST_CONNECTIONS:
                connection.close()
                continue
            task = loop.create_task(self._enter(connection, context))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)

    async def _enter(self, connection: socket.socket, context: ssl.SSLContext | None) -> None:
        """The handshake; what goes wrong in it is the client's affair."""
        protocol = self._factory()
        tls = context is not None
        try:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE_SECONDS if tls else None,
                ssl_shutdown_timeout=GOODBYE_SECONDS if tls else None,
            )
        except OSError as error:
            log.debug("no handshake", extra={"error": str(error)})
            # It was never made; but so aiohttp's lets go of its parser, which else only the garbage
            # collector finds, and that one looks seldom.
            protocol.connection_lost(error)
            return
        if tls:
            transport.set_read_buffer_limits(RECEIVE_BYTES)  # type: ignore[attr-defined]
