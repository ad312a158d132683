"""A small client of the API server for tests."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import TYPE_CHECKING, Any, Self, TypeVar

import aiohttp

from tests.cluster.kinds import KINDS

if TYPE_CHECKING:
    import builtins
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

MERGE_PATCH = "application/merge-patch+json"
T = TypeVar("T")


class ApiFailure(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, message: str, body: Any) -> None:
        """Keeps the HTTP status, the message of the Status object and the whole answer."""
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.body = body


class Api:
    """Requests as one identity; paths as in `KINDS["Pod"].path("default", "name")`."""

    def __init__(self, url: str, ca_file: Path, token: str) -> None:
        """Connects on the first request."""
        self._url = url
        self._ca_file = ca_file
        self._token = token
        self._session: aiohttp.ClientSession | None = None
        self.skipped: builtins.list[dict[str, Any]] = []
        """Manifests that `apply` left out because their kind is unknown."""

    async def __aenter__(self) -> Self:
        """Opens the connections."""
        context = ssl.create_default_context(cafile=self._ca_file)
        self._session = aiohttp.ClientSession(
            self._url,
            headers={"Authorization": f"Bearer {self._token}"},
            connector=aiohttp.TCPConnector(ssl=context, limit=0),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, **query: Any) -> Any:
        """GET: an object or a list."""
        return await self._request("GET", path, None, query)

    async def list(self, path: str, **query: Any) -> builtins.list[dict[str, Any]]:
        """The items of a collection."""
        items: builtins.list[dict[str, Any]] = (await self.get(path, **query))["items"]
        return items

    async def watch(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """What is there, then each change, until the API server ends it."""
        if self._session is None:
            raise RuntimeError("use `async with Api(...)`")
        endless = aiohttp.ClientTimeout(total=None)
        async with self._session.get(path, params={"watch": "true"}, timeout=endless) as answer:
            async for line in answer.content:
                yield json.loads(line)

    async def create(self, path: str, body: Mapping[str, Any], **query: Any) -> Any:
        """POST to a collection or a subresource."""
        return await self._request("POST", path, body, query)

    async def replace(self, path: str, body: Mapping[str, Any]) -> Any:
        """PUT."""
        return await self._request("PUT", path, body, {})

    async def patch(self, path: str, body: Any, content_type: str = MERGE_PATCH) -> Any:
        """PATCH."""
        return await self._request("PATCH", path, body, {}, content_type)

    async def delete(self, path: str, **query: Any) -> Any:
        """DELETE of an object or a collection."""
        return await self._request("DELETE", path, None, query)

    async def apply(
        self, *manifests: Mapping[str, Any], namespace: str | None = None
    ) -> builtins.list[dict[str, Any]]:
        """Creates the objects, or merge-patches those that exist; see `skipped`."""
        return [
            await self._apply(dict(manifest), namespace)
            for manifest in manifests
            if self._known(manifest)
        ]

    async def wait(
        self,
        check: Callable[[], Awaitable[T]],
        what: str,
        timeout: float = 60.0,  # noqa: ASYNC109 - the message needs the last value
    ) -> T:
        """See `wait`."""
        return await wait(check, what, timeout)

    async def add_node(
        self,
        name: str,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """A ready node without a kubelet; `extra` adds resources."""
        path = KINDS["Node"].path(name=name)
        await self.apply({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": {"kubernetes.io/hostname": name, **(labels or {})},
                "annotations": dict(annotations or {}),
            },
        })
        resources = {
            "cpu": "64",
            "memory": "256Gi",
            "pods": "250",
            "ephemeral-storage": "1Ti",
            **(extra or {}),
        }
        await self.patch(
            f"{path}/status",
            {
                "status": {
                    "capacity": resources,
                    "allocatable": resources,
                    "conditions": [{"type": "Ready", "status": "True", "reason": "TestNode"}],
                }
            },
        )
        # Admission taints each new node as not ready; no controller here takes it away.
        node: dict[str, Any] = await self.patch(path, {"spec": {"taints": None}})
        return node

    async def _apply(self, manifest: dict[str, Any], namespace: str | None) -> dict[str, Any]:
        kind = KINDS[manifest["kind"]]
        metadata = dict(manifest.get("metadata", {}))
        if kind.namespaced:
            metadata["namespace"] = namespace or metadata.get("namespace", "default")
        body = {**manifest, "metadata": metadata}
        collection = kind.path(metadata.get("namespace"))
        created: dict[str, Any]
        try:
            created = await self.create(collection, body)
        except ApiFailure as failure:
            if failure.body.get("reason") != "AlreadyExists":
                raise
            created = await self.patch(f"{collection}/{metadata['name']}", body)
        return created

    def _known(self, manifest: Mapping[str, Any]) -> bool:
        if manifest["kind"] in KINDS:
            return True
        self.skipped.append(dict(manifest))
        return False

    async def _request(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, Any],
        content_type: str = "application/json",
    ) -> Any:
        if self._session is None:
            raise RuntimeError("use `async with Api(...)`")
        async with self._session.request(
            method,
            path,
            params={key: str(value) for key, value in query.items()},
            data=None if body is None else json.dumps(body),
            headers={} if body is None else {"Content-Type": content_type},
        ) as answer:
            content = _decoded(await answer.read())
            if answer.status >= 400:
                raise ApiFailure(answer.status, content.get("message", ""), content)
            return content


async def wait(
    check: Callable[[], Awaitable[T]],
    what: str,
    timeout: float = 60.0,  # noqa: ASYNC109 - the message needs the last value
) -> T:
    """Polls until the check gives something truthy; a refused request counts as not yet."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while True:
        last: object
        try:
            value = await check()
        except ApiFailure as failure:
            last = failure
        else:
            if value:
                return value
            last = value
        if loop.time() > deadline:
            raise AssertionError(f"{what}: not after {timeout} s; last: {last!r}")
        await asyncio.sleep(0.05)


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        # Errors before the API machinery, and logs, are plain text.
        return {"message": content.decode(errors="replace").strip()}
