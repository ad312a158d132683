"""Requests to the API server, as bytes; configuration, credentials and TLS are the library's."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import yaml
from kubernetes_asyncio import config
from kubernetes_asyncio.client import ApiClient, Configuration

from hami_admission.kube import errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
JSON = "application/json"

_FAILURES = (aiohttp.ClientError, TimeoutError, OSError)


class _Status(msgspec.Struct):
    message: str = ""


async def connect(kubeconfig: str | None) -> Client:
    """A client by kubeconfig file, or as the service account of the pod that we run in.

    Raises NoConfiguration with what is wrong.
    """
    configuration = Configuration()
    try:
        if kubeconfig:
            await config.load_kube_config(kubeconfig, client_configuration=configuration)
        else:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError, yaml.YAMLError) as error:
        raise errors.NoConfiguration(
            f"{kubeconfig or 'not in a pod, and no --kubeconfig'}: {error}"
        ) from error
    return Client(ApiClient(configuration))


class Client:
    """One connection pool to one API server. Raises ApiError for every answer from 300 up."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._base = str(api.configuration.host).rstrip("/")
        rest = api.rest_client
        # Its connections, but not its session: that one looks for a .netrc before each request,
        # and for proxies in an environment that is about image registries.
        self._session = aiohttp.ClientSession(
            connector=rest.pool_manager.connector, connector_owner=False, read_bufsize=1 << 21
        )
        self._way: Any = {
            "proxy": rest.proxy,
            "proxy_headers": rest.proxy_headers,
            "server_hostname": rest.server_hostname,
        }

    async def close(self) -> None:
        """Close the pool."""
        await self._session.close()
        await self._api.close()

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        seconds: float = 10.0,
    ) -> bytes:
        """One request and its whole answer; at most ``seconds`` for all of it."""
        limit = aiohttp.ClientTimeout(total=seconds)
        headers = await self._headers(content_type)
        try:
            async with self._session.request(
                method,
                self._base + path,
                data=body,
                params=query,
                headers=headers,
                timeout=limit,
                **self._way,
            ) as response:
                answer = await response.read()
                status = response.status
        except _FAILURES as error:
            raise errors.Unreachable(0, f"{method} {path}: {_said(error)}") from error
        if status >= 300:
            raise errors.of(status, _message(answer))
        return answer

    @asynccontextmanager
    async def lines(
        self, path: str, *, query: Mapping[str, str], silence: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The lines of a stream, however long; ``silence`` seconds without a byte end it."""
        limit = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=silence)
        headers = await self._headers(JSON)
        try:
            async with self._session.get(
                self._base + path, params=query, headers=headers, timeout=limit, **self._way
            ) as response:
                if response.status >= 300:
                    raise errors.of(response.status, _message(await response.read()))
                yield _lines(response.content)
        except _FAILURES as error:
            raise errors.Unreachable(0, f"GET {path}: {_said(error)}") from error

    async def _headers(self, content_type: str) -> dict[str, str]:
        headers = {"Accept": JSON, "Content-Type": content_type}
        await self._api.update_params_for_auth(headers, [], ["BearerToken"])
        return headers


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
