"""Is a connection idle? Told by what has come, also where nobody has looked at that yet."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from hami_admission.control.connection import Connection
from tests.control.rig import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.virtual_time

ASKED = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def _answer(request: web.BaseRequest) -> web.Response:
    connection = request.protocol
    assert isinstance(connection, Connection)
    connection.answering(True)
    await asyncio.sleep(0.3)
    connection.answering(False)
    return web.Response()


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Connection, socket.socket]]:
    """A connection and its client, who waits for nothing."""
    loop = asyncio.get_running_loop()
    server = web.Server(_answer)
    listening = await loop.create_server(lambda: Connection(server, loop=loop), "127.0.0.1", 0)
    with socket.create_connection(listening.sockets[0].getsockname()) as client:
        await until(lambda: bool(server.connections))
        (connection,) = server.connections
        assert isinstance(connection, Connection)
        yield connection, client
    listening.close()
    await server.shutdown(1)


async def test_what_the_loop_has_not_looked_for_has_come(
    pair: tuple[Connection, socket.socket],
) -> None:
    connection, client = pair
    await until(lambda: connection.idle)
    client.sendall(ASKED)
    assert not connection.idle


async def test_who_is_being_answered_is_not_idle(pair: tuple[Connection, socket.socket]) -> None:
    connection, client = pair
    client.sendall(ASKED)
    await asyncio.sleep(0.2)
    assert not connection.idle
    await until(lambda: connection.idle)
    assert client.recv(100).startswith(b"HTTP/1.1 200 ")


async def test_who_has_gone_is_not_idle(pair: tuple[Connection, socket.socket]) -> None:
    connection, client = pair
    client.close()
    await until(lambda: connection.transport is None)
    assert not connection.idle
