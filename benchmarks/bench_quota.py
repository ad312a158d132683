"""Creations into namespaces with quotas, all at once, on a real control plane.

    python -m benchmarks.bench_quota [--pods 500] [--rounds 5]

etcd, kube-apiserver and kube-controller-manager are the real ones, on this machine, and so are the
client, and one or three replicas of hami-admission. There are no nodes: nothing is placed. Reviews
are timed by the process that answers them, from the whole request to its answer.

First reviews are sent to one process as they are, 500 on as many standing connections at once; the
API server has only the quota to write then. After that pods are created.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import bench_admit, histograms
from tests.cluster.api import Api
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kinds import KINDS
from tests.cluster.load import admitted
from tests.cluster.product import Product, a_quota
from tests.cluster.replicas import Replicas
from tests.cluster.test_quota import gpu_pod, shows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROUTES = ("/mutate", "/validate")


async def pods_at_once(api: Api, namespaces: list[str], count: int) -> tuple[list[float], int]:
    """Create so many pods, over the namespaces in turn: the seconds of each, how many entered.

    Who is put off asks again, as controllers do.
    """

    async def one(number: int) -> tuple[float, bool]:
        namespace = namespaces[number % len(namespaces)]
        begun = time.monotonic()
        enters = await admitted(api, gpu_pod(namespace, f"p-{number}", memory=1000))
        return time.monotonic() - begun, enters

    found = await asyncio.gather(*(one(number) for number in range(count)))
    return [seconds for seconds, _ in found], sum(entered for _, entered in found)


async def reviews_at_once(host: str, namespaces: list[str], count: int) -> tuple[list[float], int]:
    """Ask a process so many /validate: the seconds of each, how many may enter."""
    careless = ssl.create_default_context()
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    connector = aiohttp.TCPConnector(limit=0, ssl=careless)
    async with aiohttp.ClientSession(f"https://{host}:443", connector=connector) as session:

        async def opened() -> None:
            async with session.get("/healthz") as answer:
                await answer.read()

        async def one(body: bytes) -> tuple[float, bool]:
            begun = time.monotonic()
            async with session.post("/validate", data=body) as answer:
                found = msgspec.json.decode(await answer.read())
            return time.monotonic() - begun, found["response"]["allowed"]

        await asyncio.gather(*(opened() for _ in range(count)))
        bodies = [_review(namespaces[number % len(namespaces)], number) for number in range(count)]
        found = await asyncio.gather(*map(one, bodies))
    return [seconds for seconds, _ in found], sum(entered for _, entered in found)


def _review(namespace: str, number: int) -> bytes:
    pod = gpu_pod(namespace, f"p-{number}", memory=1000)
    pod["metadata"]["uid"] = f"{namespace}-{number}"
    return bench_admit.review(bench_admit.rewritten(pod), namespace)


async def fresh(api: Api, case: Case) -> list[str]:
    """Namespaces of the case, where nothing is."""
    namespaces = [f"bench-{secrets.token_hex(4)}" for _ in range(case.spread)]
    for each in namespaces:
        await api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": each}})
        await api.apply(a_quota(each, gpu=case.room // case.spread))
        account = KINDS["ServiceAccount"].path(each, "default")
        await api.wait(partial(api.get, account), "default service account")
        await shows(api, each, gpu=0)
    return namespaces


class Case(NamedTuple):
    """So many questions over so many namespaces that have so much room together."""

    asked: int
    spread: int
    room: int


Ask = Callable[[list[str], int], Awaitable[tuple[list[float], int]]]


async def measured(api: Api, hosts: list[str], ask: Ask, case: Case, rounds: int) -> list[str]:
    """One row: how long reviews and whole questions took, in milliseconds."""
    before = {route: await histograms.read(hosts, route) for route in ROUTES}
    times: list[float] = []
    for _ in range(rounds):
        found, entered = await ask(await fresh(api, case), case.asked)
        assert entered == case.room, entered
        times += found
    told = []
    for route in ROUTES:
        buckets = histograms.since(before[route], await histograms.read(hosts, route))
        told.append(" / ".join(histograms.quantile(buckets, share) for share in (0.5, 0.99)))
    enter = f"{case.room} of {case.asked}"
    return [str(len(hosts)), str(case.spread), enter, *told, histograms.marks(times)]


@asynccontextmanager
async def started(count: int) -> AsyncIterator[tuple[Api, list[str]]]:
    """A control plane with so many replicas: a client, and where they serve."""
    with ControlPlane() as plane:
        async with Api(plane.url, plane.ca_file, plane.token("admin")) as api:
            product = Product(plane)
            await product.install(api)
            replicas = Replicas(product, count)
            try:
                await replicas.start(api, schedulers=False)
                yield api, [each.host for each in replicas.all]
            finally:
                await replicas.stop()


async def rows(replicas: int, options: argparse.Namespace) -> AsyncIterator[list[str]]:
    """All rows of so many replicas."""
    pods = options.pods
    one_namespace = (Case(pods, 1, pods), Case(pods, 1, 100))
    async with started(replicas) as (api, hosts):
        asked = partial(reviews_at_once, hosts[0])
        for case in one_namespace if replicas == 1 else ():
            yield ["reviews", *await measured(api, hosts, asked, case, options.rounds)]
        created = partial(pods_at_once, api)
        for case in (*one_namespace, Case(pods, 10, pods)):
            yield ["pods", *await measured(api, hosts, created, case, options.rounds)]


async def main() -> None:
    """Parse arguments, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    table = Table(
        *("what", "replicas", "namespaces", "enter", "/mutate p50 / p99", "/validate p50 / p99"),
        "each, ms p50 / p99 / longest",
    )
    for replicas in (1, 3):
        async for row in rows(replicas, options):
            table.add_row(*row)
            print(*row, sep=" | ", flush=True)
    Console(width=140).print(table)


if __name__ == "__main__":
    asyncio.run(main())
