"""What breaks: each strikes for some seconds and is mended by the time it returns."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from random import Random

    from tests.cluster.api import Api
    from tests.cluster.processes import Process
    from tests.cluster.replicas import Replica, Replicas


class Field:
    """Where it strikes: the replicas, the control plane, and chance."""

    def __init__(self, replicas: Replicas, api: Api, random: Random) -> None:
        self.replicas = replicas
        self.plane = replicas.product.plane
        self.api = api
        self.random = random

    def replica(self) -> Replica:
        """One of them."""
        return self.random.choice(self.replicas.all)

    async def some_time(self, longest: float = 4.0) -> None:
        """Seconds."""
        await asyncio.sleep(self.random.uniform(0.5, longest))


Strike = Callable[[Field], Awaitable[None]]


async def control_killed(field: Field) -> None:
    """kill -9 of one of ours; its kubelet starts it again."""
    process = _running(field.replica().control)
    process.kill()
    await field.some_time()
    process.start()


async def control_ended(field: Field) -> None:
    """SIGTERM, as a rolling update does."""
    process = _running(field.replica().control)
    await asyncio.to_thread(process.stop)
    process.start()


async def control_frozen(field: Field) -> None:
    """SIGSTOP of one of ours, for longer than its lease."""
    await _frozen(field, _running(field.replica().control), 12.0)


async def scheduler_killed(field: Field) -> None:
    """kill -9 of a kube-scheduler."""
    process = _running(field.replica().scheduler)
    process.kill()
    await field.some_time()
    process.start()


async def scheduler_frozen(field: Field) -> None:
    """SIGSTOP of a kube-scheduler: two may lead when it goes on. It ends by itself then."""
    await _frozen(field, _running(field.replica().scheduler), 10.0)


async def cut_off(field: Field) -> None:
    """No way to the API server for a replica."""
    await _frozen(field, _running(field.replica().pipe), 10.0)


async def etcd_frozen(field: Field) -> None:
    """SIGSTOP of etcd."""
    await _frozen(field, field.plane.etcd, 6.0)


async def etcd_restarted(field: Field) -> None:
    """SIGTERM of etcd; the API server finds it again."""
    await asyncio.to_thread(field.plane.etcd.restart)


async def api_server_restarted(field: Field) -> None:
    """kill -9 of the API server."""
    process = field.plane.apiserver
    process.kill()
    await field.some_time(2.0)
    process.start()
    await asyncio.to_thread(process.await_ready)


async def api_server_frozen(field: Field) -> None:
    """SIGSTOP of the API server."""
    await _frozen(field, field.plane.apiserver, 6.0)


async def controllers_restarted(field: Field) -> None:
    """kill -9 of kube-controller-manager."""
    process = field.plane.controller_manager
    process.kill()
    await field.some_time(2.0)
    process.start()


async def requests_refused(field: Field) -> None:
    """Every other request of one of ours gets 409, 429, 500 or 503, or an end in the middle."""

    async def fault(request: web.BaseRequest) -> web.Response | None:
        if field.random.random() < 0.5:
            return None
        status = field.random.choice([0, 409, 429, 500, 503])
        if status == 0 and request.transport is not None:
            request.transport.abort()
        return web.json_response({"kind": "Status", "message": "a test"}, status=status or 500)

    await _through(field, fault)


async def requests_delayed(field: Field) -> None:
    """Every request of one of ours takes up to two seconds."""

    async def fault(_: web.BaseRequest) -> None:
        await asyncio.sleep(field.random.uniform(0, 2))

    await _through(field, fault)


async def watches_dropped(field: Field) -> None:
    """The connections of one of ours end, again and again."""
    proxy = field.replica().proxy
    for _ in range(5):
        proxy.drop()
        await field.some_time(1.0)


async def versions_gone(field: Field) -> None:
    """410 Gone for every watch of one of ours, for a while: all is listed anew."""

    async def fault(request: web.BaseRequest) -> web.Response | None:
        if "watch=1" not in request.query_string:
            return None
        return web.json_response({"kind": "Status", "message": "too old"}, status=410)

    await _through(field, fault)


ALL: tuple[Strike, ...] = (
    *(control_killed, control_ended, control_frozen, scheduler_killed, scheduler_frozen),
    *(cut_off, etcd_frozen, etcd_restarted, api_server_restarted, api_server_frozen),
    *(controllers_restarted, requests_refused, requests_delayed, watches_dropped, versions_gone),
)


def deck(chance: Random, seed: int) -> list[Strike]:
    """All of them, to be drawn from the end; three seeds in a row begin with different thirds."""
    first = [each for number, each in enumerate(ALL) if number % 3 == seed % 3]
    others = [each for each in ALL if each not in first]
    return [*chance.sample(others, len(others)), *chance.sample(first, len(first))]


async def _through(
    field: Field, fault: Callable[[web.BaseRequest], Awaitable[web.Response | None]]
) -> None:
    proxy = field.replica().proxy
    proxy.fault = fault
    proxy.drop()
    await field.some_time(6.0)
    proxy.fault = None


async def _frozen(field: Field, process: Process, longest: float) -> None:
    process.pause()
    try:
        await field.some_time(longest)
    finally:
        process.resume()


def _running(process: Process | None) -> Process:
    assert process is not None
    assert process.running, process.tail()
    return process
