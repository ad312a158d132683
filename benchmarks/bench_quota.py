"""Creations into namespaces with quotas, all at once, on a real control plane.

    python -m benchmarks.bench_quota [--pods 500] [--rounds 5]

etcd, kube-apiserver and kube-controller-manager are the real ones, on this machine, and so are the
client, and one or three replicas of hami-admission. There are no nodes: nothing is placed. Reviews
are timed by the process that answers them, from the whole request to its answer.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks import histograms
from tests.cluster.api import Api, ApiFailure
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kinds import KINDS
from tests.cluster.product import Product, a_quota
from tests.cluster.replicas import Replicas
from tests.cluster.test_quota import create, gpu_pod, shows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROUTES = ("/mutate", "/validate")


async def at_once(api: Api, namespaces: list[str], count: int) -> tuple[list[float], int]:
    """Create so many pods, over the namespaces in turn: the seconds of each, how many entered."""

    async def one(number: int) -> tuple[float, bool]:
        namespace = namespaces[number % len(namespaces)]
        begun = time.monotonic()
        try:
            await create(api, gpu_pod(namespace, f"p-{number}", memory=1000))
        except ApiFailure as failure:
            assert "exceeded quota" in failure.message, failure
            return time.monotonic() - begun, False
        return time.monotonic() - begun, True

    found = await asyncio.gather(*(one(number) for number in range(count)))
    return [seconds for seconds, _ in found], sum(entered for _, entered in found)


async def burst(api: Api, name: str, spread: int, count: int, room: int) -> tuple[list[float], int]:
    """In fresh namespaces that have room for so many together."""
    namespaces = [f"{name}-{number}" for number in range(spread)]
    for each in namespaces:
        await api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": each}})
        await api.apply(a_quota(each, gpu=room // spread))
        account = KINDS["ServiceAccount"].path(each, "default")
        await api.wait(partial(api.get, account), "default service account")
        await shows(api, each, gpu=0)
    return await at_once(api, namespaces, count)


async def measured(
    api: Api, hosts: list[str], name: str, options: argparse.Namespace, spread: int, room: int
) -> list[str]:
    """One row."""
    before = {route: await histograms.read(hosts, route) for route in ROUTES}
    times: list[float] = []
    entered = []
    for turn in range(options.rounds):
        found, number = await burst(api, f"{name}-{turn}", spread, options.pods, room)
        times += found
        entered.append(number)
    assert set(entered) == {room}, entered
    told = []
    for route in ROUTES:
        buckets = histograms.since(before[route], await histograms.read(hosts, route))
        told.append(" / ".join(histograms.quantile(buckets, share) for share in (0.5, 0.99)))
    return [
        str(len(hosts)),
        str(spread),
        f"{room} of {options.pods}",
        *told,
        histograms.marks(times),
    ]


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


async def rows(count: int, options: argparse.Namespace) -> AsyncIterator[list[str]]:
    """All rows of so many replicas."""
    async with started(count) as (api, hosts):
        for spread, room in ((1, options.pods), (1, 100), (10, options.pods)):
            name = f"r{count}-s{spread}-{room}"
            yield await measured(api, hosts, name, options, spread, room)


async def main() -> None:
    """Parse arguments, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    table = Table(
        *("replicas", "namespaces", "enter", "/mutate p50 / p99", "/validate p50 / p99"),
        "creation, ms p50 / p99 / longest",
    )
    for replicas in (1, 3):
        async for row in rows(replicas, options):
            table.add_row(*row)
            print(*row, sep=" | ", flush=True)
    Console(width=140).print(table)


if __name__ == "__main__":
    asyncio.run(main())
