"""The client and the watch against a small server over real HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import pytest_asyncio
from aiohttp import web

from hami_admission.kube import client as clients
from hami_admission.kube import errors, reflector, watch
from hami_admission.kube.reflector import Listed, Listing, Reached, Reflector, Removed, Seen, Signal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from hami_admission.kube.client import Client

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
clusters: [{{name: c, cluster: {{server: "{url}"}}}}]
users: [{{name: c, user: {{token: secret}}}}]
contexts: [{{name: c, context: {{cluster: c, user: c}}}}]
"""


class Script:
    """Answers each request with the next step; notes the queries."""

    def __init__(self) -> None:
        self.steps: list[Callable[[web.Request], Awaitable[web.StreamResponse]]] = []
        self.queries: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == "Bearer secret"
        self.queries.append(dict(request.query))
        if not self.steps:
            await asyncio.Event().wait()
        return await self.steps.pop(0)(request)

    def listing(self, *names: str, version: str) -> None:
        """A whole list."""

        async def step(_: web.Request) -> web.StreamResponse:
            items = [{"metadata": {"name": name}} for name in names]
            return web.json_response({"metadata": {"resourceVersion": version}, "items": items})

        self.steps.append(step)

    def events(self, *lines: dict[str, Any], split: bool = False) -> None:
        """A watch that tells these and ends; split: in pieces that cut lines."""

        async def step(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            body = b"".join(msgspec.json.encode(each) + b"\n" for each in lines)
            size = 7 if split else len(body)
            for start in range(0, len(body), size):
                await response.write(body[start : start + size])
                await asyncio.sleep(0)
            return response

        self.steps.append(step)

    def failure(self, status: int) -> None:
        """An error in Kubernetes' form."""

        async def step(_: web.Request) -> web.StreamResponse:
            return web.json_response({"kind": "Status", "message": "no"}, status=status)

        self.steps.append(step)


@pytest_asyncio.fixture
async def script() -> Script:
    return Script()


@pytest_asyncio.fixture
async def client(script: Script, aiohttp_server: Any, tmp_path: Path) -> AsyncIterator[Client]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.answer)
    server = await aiohttp_server(app)
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG.format(url=f"http://127.0.0.1:{server.port}"))
    made = await clients.connect(str(file))
    yield made
    await made.close()


async def collect(client: Client, count: int) -> list[Signal]:
    """The first so many signals."""
    found: list[Signal] = []
    async with asyncio.timeout(10):
        async for signal in watch.signals(client, Reflector("/api/v1/pods")):
            found.append(signal)
            if len(found) == count:
                break
    return found


def told(kind: str, name: str, version: str) -> dict[str, Any]:
    """A line of a watch."""
    return {"type": kind, "object": {"metadata": {"name": name, "resourceVersion": version}}}


async def test_list_then_watch_then_on_from_the_last_version(
    client: Client, script: Script
) -> None:
    script.listing("a", version="5")
    script.events(told("ADDED", "b", "6"), told("BOOKMARK", "", "9"), split=True)
    script.events(told("DELETED", "a", "10"))
    found = await collect(client, 6)
    assert [type(each) for each in found] == [Listing, Seen, Listed, Seen, Reached, Removed]
    assert [query.get("resourceVersion") for query in script.queries[:3]] == [None, "5", "9"]


async def test_a_version_that_is_gone_lists_again(client: Client, script: Script) -> None:
    script.listing("a", version="5")
    script.events({"type": "ERROR", "object": {"code": 410, "message": "too old"}})
    script.listing("b", version="8")
    found = await collect(client, 6)
    assert [type(each) for each in found] == [Listing, Seen, Listed, Listing, Seen, Listed]


async def test_failures_are_waited_out(client: Client, script: Script) -> None:
    script.failure(500)
    script.listing(version="5")
    script.failure(410)
    script.listing("a", version="6")
    found = await collect(client, 5)
    assert [type(each) for each in found] == [Listing, Listed, Listing, Seen, Listed]


@pytest.mark.parametrize(("now", "again"), [("3", True), ("5", False), ("7", False)])
async def test_after_an_interruption_it_is_asked_whether_versions_went_back(
    client: Client, script: Script, now: str, again: bool
) -> None:
    """As they do when etcd is restored from a backup: a watch from then on would say nothing."""
    script.listing("a", version="5")
    script.failure(500)
    script.listing(version=now)
    if again:
        script.listing("b", version=now)
    else:
        script.events(told("ADDED", "b", "9"))
    found = await collect(client, 6 if again else 4)
    kinds = [Listing, Seen, Listed]
    assert [type(each) for each in found] == [*kinds, *(kinds if again else [Seen])]
    assert script.queries[2] == {"limit": "1"}


async def test_a_watch_that_goes_back_lists_again(client: Client, script: Script) -> None:
    script.listing("a", version="5")
    script.events(told("BOOKMARK", "", "4"))
    script.listing("b", version="4")
    found = await collect(client, 6)
    assert [type(each) for each in found] == [Listing, Seen, Listed] * 2


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, errors.NotFound), (409, errors.Conflict), (410, errors.Gone), (500, errors.ApiError)],
)
async def test_statuses_are_errors_with_the_message(
    client: Client, script: Script, status: int, error: type[errors.ApiError]
) -> None:
    script.failure(status)
    with pytest.raises(error, match=f"{status}: no") as raised:
        await client.request("GET", "/x")
    assert raised.value.status == status


async def test_no_answer_is_unreachable(client: Client, script: Script) -> None:
    with pytest.raises(errors.Unreachable, match="GET /x"):
        await client.request("GET", "/x", seconds=0.05)
    assert script.queries == [{}]


async def test_a_page_that_is_too_long_is_asked_for_in_parts(
    client: Client, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user may make pods of a megabyte, as many as he likes: 250 of them are never in memory."""
    monkeypatch.setattr(reflector, "PAGE_BYTES", 1000)
    long = [{"metadata": {"name": f"{n}", "annotations": {"x": "x" * 600}}} for n in range(3)]

    async def step(request: web.Request) -> web.StreamResponse:
        assert "gzip" not in request.headers["Accept-Encoding"]
        begin, limit = int(request.query.get("continue", 0)), int(request.query["limit"])
        more = {"continue": str(begin + limit)} if begin + limit < len(long) else {}
        metadata = {"resourceVersion": "7", **more}
        return web.json_response({"metadata": metadata, "items": long[begin : begin + limit]})

    script.steps += [step] * 20
    found = await collect(client, 5)
    assert [type(each) for each in found] == [Listing, Seen, Seen, Seen, Listed]
    limits = [int(each["limit"]) for each in script.queries if "limit" in each]
    assert limits == [250, 62, 15, 3, 1, 2, 1, 2]


async def test_one_object_is_taken_however_long_it_is(
    client: Client, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflector, "PAGE_BYTES", 10)
    for _ in range(6):
        script.listing("a", version="7")
    assert [type(each) for each in await collect(client, 3)] == [Listing, Seen, Listed]
