"""Requests to the API server, as bytes."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from hami_admission.kube import access, errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from hami_admission.kube.access import Access

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
JSON = "application/json"

SECONDS = 10.0
"""For one request, if nothing else is said."""

UNANSWERED = "unanswered"

_FAILURES = (aiohttp.ClientError, TimeoutError, OSError)


class _Status(msgspec.Struct):
    message: str = ""


async def connect(kubeconfig: str | None) -> Client:
    """A client by kubeconfig file, or as the service account of the pod that we run in.

    Raises NoConfiguration with what is wrong.
    """
    return Client(await access.find(kubeconfig))


class Client:
    """One connection pool to one API server. Raises ApiError for every answer from 300 up.

    ``failures`` counts those by status; ``unanswered`` is a status too.
    """

    def __init__(self, found: Access) -> None:
        self._access = found
        # A session of our own: that of kubernetes-asyncio looks for a .netrc before each request,
        # and for proxies in an environment that is about image registries.
        self._session = aiohttp.ClientSession(
            connector=found.connector, connector_owner=False, read_bufsize=1 << 21
        )
        self._way: Any = found.way
        self.failures: Counter[str] = Counter()

    async def close(self) -> None:
        """Close the pool."""
        await self._session.close()
        await self._access.close()

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        seconds: float = SECONDS,
    ) -> bytes:
        """One request and its whole answer; at most ``seconds`` for all of it."""
        limit = aiohttp.ClientTimeout(total=seconds)
        headers = await self._headers(content_type)
        try:
            async with self._session.request(
                method,
                self._access.base + path,
                data=body,
                params=query,
                headers=headers,
                timeout=limit,
                **self._way,
            ) as response:
                answer = await response.read()
                status = response.status
        except _FAILURES as error:
            self.failures[UNANSWERED] += 1
            raise errors.Unreachable(0, f"{method} {path}: {_said(error)}") from error
        if status >= 300:
            self.failures[str(status)] += 1
            raise errors.of(status, _message(answer))
        return answer

    @asynccontextmanager
    async def lines(
        self, path: str, *, query: Mapping[str, str], silence: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The lines of a stream, however long; ``silence`` seconds without a byte end it."""
        limit = aiohttp.ClientTimeout(total=None, sock_connect=SECONDS, sock_read=silence)
        async with self._got(path, query, limit) as response:
            yield _lines(response.content)

    async def page(self, path: str, *, query: Mapping[str, str], most: int | None) -> bytes:
        """A part of a list; raises TooLong where it has more bytes than that."""
        limit = aiohttp.ClientTimeout(total=SECONDS)
        async with self._got(path, query, limit) as response:
            return await _at_most(most, response)

    @asynccontextmanager
    async def _got(
        self, path: str, query: Mapping[str, str], limit: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Uncompressed: what is compressed may become a thousand times as long at once."""
        headers = await self._headers(JSON) | {"Accept-Encoding": "identity"}
        try:
            async with self._session.get(
                self._access.base + path, params=query, headers=headers, timeout=limit, **self._way
            ) as response:
                if response.status >= 300:
                    self.failures[str(response.status)] += 1
                    raise errors.of(response.status, _message(await response.read()))
                yield response
        except _FAILURES as error:
            self.failures[UNANSWERED] += 1
            raise errors.Unreachable(0, f"GET {path}: {_said(error)}") from error

    async def _headers(self, content_type: str) -> dict[str, str]:
        identity: dict[str, str] = await self._access.identity()
        return {"Accept": JSON, "Content-Type": content_type, **identity}


async def _at_most(most: int | None, response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if most is not None and size > most:
            response.close()
            raise errors.TooLong(0, f"{response.url.path}: more than {most} bytes")
        parts.append(chunk)
    return b"".join(parts)


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    parts: list[bytes] = []
    async for chunk, _ in content.iter_chunks():
        *complete, rest = chunk.split(b"\n")
        for line in complete:
            yield b"".join((*parts, line))
            parts = []
        if rest:
            parts.append(rest)


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _message(answer: bytes) -> str:
    """The message of a Status object, or the beginning of whatever else came."""
    try:
        return msgspec.json.decode(answer, type=_Status).message
    except msgspec.DecodeError:
        return answer[:200].decode("utf-8", "replace")
