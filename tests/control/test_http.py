"""What the server answers beside its handlers: content types, and who is told how long it took."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING
from unittest.mock import Mock

import aiohttp
import msgspec
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.control import app, http
from hami_admission.control.http import Reply, Route, Server
from hami_admission.control.scrape import Scrape
from hami_admission.settings import Settings
from tests import build

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.virtual_time


async def echo(body: bytes) -> Reply:
    """The body, or the failure that it asks for."""
    if body == b"fail":
        raise RuntimeError("on purpose")
    return Reply(msgspec.json.encode(body.decode()))


@pytest.fixture
async def told() -> AsyncIterator[tuple[str, list[tuple[str, int]]]]:
    """The address of a server, and what its meter was told."""
    seen: list[tuple[str, int]] = []

    def meter(route: str, status: int, seconds: float) -> None:
        assert 0 <= seconds < 10
        seen.append((route, status))

    scrape = Scrape(a_cluster(), CollectorRegistry(), lambda: [("c", "C.", {"a": 1, "b": 2})])
    server = Server(
        {("POST", "/echo"): Route(echo, 100), ("GET", "/metrics"): Route(scrape.metrics)}, meter
    )
    port = await server.start("127.0.0.1", 0, None)
    yield f"http://127.0.0.1:{port}", seen
    await server.stop()


def a_cluster() -> Cluster:
    made = Cluster(Settings())
    made.apply(events.NodeSeen(build.facts("n", 2)), 0)
    return made


async def test_each_answer_is_measured_unknown_paths_are_not(
    told: tuple[str, list[tuple[str, int]]],
) -> None:
    url, seen = told
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{url}/echo", data=b"x") as answer:
            assert (answer.content_type, await answer.json()) == ("application/json", "x")
        async with session.post(f"{url}/echo", data=b"fail") as answer:
            assert answer.status == 500
        async with session.post(f"{url}/{'x' * 50}") as answer:
            assert answer.status == 404
    assert seen == [("/echo", 200), ("/echo", 500)]


async def test_metrics_are_exposition_text(told: tuple[str, list[tuple[str, int]]]) -> None:
    url, _ = told
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        assert answer.content_type == "text/plain"
        text = await answer.text()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert len(families["hami_gpu_memory_limit_bytes"].samples) == 2
    counted = {each.labels["result"]: each.value for each in families["c"].samples}
    assert counted == {"a": 1, "b": 2}
    assert {"process_resident_memory_bytes", "python_gc_collections"} <= families.keys()


NO_HTTP = {
    "no HTTP": (b"\x16\x03\x01 secret\r\n\r\n", 400),
    "a header without a name": (b"POST /echo HTTP/1.1\r\n: secret\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /metrics HTTP/0.9\r\nX: secret\r\n\r\n", 505),
    "no version": (b"GET /metrics\r\n\r\n", 505),
}


@pytest.mark.parametrize(("sent", "status"), NO_HTTP.values(), ids=NO_HTTP)
async def test_what_is_no_http_is_counted_and_told_in_one_line(
    caplog: pytest.LogCaptureFixture, sent: bytes, status: int
) -> None:
    server = Server({("GET", "/metrics"): Route(echo)}, grace=0.1)
    port = await server.start("127.0.0.1", 0, None)
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(10):
            answer = await reader.read()  # the server closes it
        assert int(answer.split()[1]) == status
        assert b"aiohttp" not in answer
        assert b"Python" not in answer
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    await server.stop()
    assert server.malformed == (5 if status == 400 else 0)
    lines = [each.getMessage() for each in caplog.records if each.levelname != "DEBUG"]
    assert lines == (["requests that are no HTTP"] if status == 400 else [])
    assert "secret" not in caplog.text


async def test_a_fault_of_ours_is_not_taken_for_what_is_no_http(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server({("POST", "/echo"): Route(echo, 100)}, grace=0.1)

    async def fails(_: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(server, "_routed", fails)
    port = await server.start("127.0.0.1", 0, None)
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}/echo", data=b"x") as answer,
    ):
        assert answer.status == 500
    await server.stop()
    assert server.malformed == 0
    assert "on purpose" in caplog.text


WHERE = {
    "127.0.0.1": True,
    "127.100.0.10": True,
    "::1": True,
    "10.0.0.1": False,
    "192.168.1.1": False,
    "fe80::1": False,
    "0.0.0.0": False,
    "": False,
    "127.0.0.1.example.org": False,
    None: False,
}


@pytest.mark.parametrize("address", WHERE)
def test_what_is_of_this_machine(address: str | None) -> None:
    assert http.is_local(address) is WHERE[address]


@pytest.mark.parametrize("near", [True, False])
async def test_some_routes_serve_this_machine_only(
    monkeypatch: pytest.MonkeyPatch, near: bool
) -> None:
    """By the address of the connection, whatever a header says of another."""
    asked: list[str | None] = []

    def is_local(address: str | None) -> bool:
        asked.append(address)
        return near

    monkeypatch.setattr(http, "is_local", is_local)

    async def bind(_: bytes) -> Reply:
        return Reply(b"bound")

    server = Server({("POST", "/bind"): Route(bind, 10, local=True)}, grace=0.1)
    port = await server.start("127.0.0.1", 0, None)
    headers = {"X-Forwarded-For": "127.0.0.1" if not near else "10.0.0.1"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}/bind", headers=headers) as answer,
    ):
        told = answer.status, await answer.text()
    await server.stop()
    assert asked == ["127.0.0.1"]
    refused = (403, "/bind serves the kube-scheduler beside this process only\n")
    assert told == ((200, "bound") if near else refused)


def test_the_routes_of_kube_scheduler_are_of_this_machine() -> None:
    parts = [Mock() for _ in range(5)]
    found = {path: route.local for (_, path), route in app.routes(*parts).items()}
    assert {path for path, local in found.items() if local} == {
        "/filter", "/prioritize", "/bind", "/snapshot",
    }  # fmt: skip


def test_reviews_are_answered_within_the_time_that_the_webhooks_have() -> None:
    parts = Mock(seconds=2.7), *(Mock() for _ in range(4))
    limited = {path: route.seconds for (_, path), route in app.routes(*parts).items()}
    assert {path: seconds for path, seconds in limited.items() if seconds is not None} == {
        "/mutate": 2.7, "/webhook": 2.7, "/validate": 2.7,
    }  # fmt: skip


CLIENTS_CLOSE_AFTER = 90
"""Seconds: IdleConnTimeout of Go's http.DefaultTransport."""


async def test_idle_connections_are_left_to_the_client_to_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert http.IDLE_SECONDS > CLIENTS_CLOSE_AFTER
    monkeypatch.setattr(http, "IDLE_SECONDS", 0.1)
    server = Server({("POST", "/echo"): Route(echo, 100)})
    port = await server.start("127.0.0.1", 0, None)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
    async with asyncio.timeout(20):
        answer = await reader.read()  # until the server closes it
    assert answer.startswith(b"HTTP/1.1 200")
    writer.close()
    await server.stop()
