"""Pods bound per second, and how long a pod waits for a freed card, on a real control plane.

    python -m benchmarks.bench_cluster [--nodes 1000] [--pods 2000]

etcd, kube-apiserver, kube-controller-manager and kube-scheduler are the real ones, on this machine;
nodes have no kubelet. First kube-scheduler alone, with the configuration that we ship less the
extender, and pods that ask as many extended resources of the nodes: what the machine can do. Then
hami-admission beside it, webhooks included. Pods are created by 16 connections as fast as the API
server takes them, and watched until the last is bound.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import clusters, histograms
from tests import build
from tests.cluster.api import Api
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kinds import KINDS
from tests.cluster.product import ADDRESS, Product, manifests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    from tests.cluster.audit import Audit

PARALLEL = 16
PODS = KINDS["Pod"]
NAMESPACE = "bench"
USER = "system:serviceaccount:hami-system:hami-admission"
WARM = 50
"""Pods before the measurement."""

SETTLED = 60
"""Seconds until kube-scheduler has the refused pods in long back-off."""

OTHER = {"example.org/card": "80", "example.org/memory": "655360", "example.org/cores": "800"}
"""The resources of the run without us: of each node, as a device plugin would offer them."""

THEIRS = {"example.org/card": "1", "example.org/memory": "8000", "example.org/cores": "10"}
OURS = build.gpu(1, memory=8000, cores=10)
UNFIT = build.gpu(1, memory=131072)


def a_pod(name: str, limits: Mapping[str, Any], **spec: Any) -> build.Json:
    """A pod of a workload."""
    container = build.container(limits=dict(limits))
    return build.pod_json(container, name=name, namespace=NAMESPACE, **spec)


class Bound:
    """When each pod was seen bound, by a watch of its own."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self._seen = asyncio.Event()

    async def follow(self, plane: ControlPlane) -> None:
        """For ever; the API server ends a watch whose reader is slow."""
        headers = {"Authorization": f"Bearer {plane.token('admin')}"}
        url = plane.url + PODS.path(NAMESPACE)
        async with aiohttp.ClientSession(
            headers=headers, timeout=aiohttp.ClientTimeout(total=None), read_bufsize=1 << 22
        ) as session:
            while True:
                await self._once(session, url)

    async def _once(self, session: aiohttp.ClientSession, url: str) -> None:
        async with session.get(url, ssl=False) as answer:
            listed = msgspec.json.decode(await answer.read(), type=_Listed)
        for pod in listed.items:
            self._see(pod)
        query = {"watch": "1", "resourceVersion": listed.metadata.resource_version}
        async with session.get(url, params=query, ssl=False) as answer:
            async for line in _lines(answer.content):
                self._see(msgspec.json.decode(line, type=_Seen).object)

    def _see(self, pod: _Pod) -> None:
        if pod.spec.node_name and pod.metadata.name not in self.at:
            self.at[pod.metadata.name] = time.monotonic()
            self._seen.set()

    async def all(self, names: Iterable[str], seconds: float) -> float:
        """Wait for these; gives when the last was seen."""
        missing = set(names)
        async with asyncio.timeout(seconds):
            while missing := missing - self.at.keys():
                self._seen.clear()
                await self._seen.wait()
        return max(self.at.values())


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line


class _Metadata(msgspec.Struct):
    name: str = ""


class _Spec(msgspec.Struct, rename="camel"):
    node_name: str = ""


class _Pod(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)


class _Seen(msgspec.Struct):
    object: _Pod


class _Version(msgspec.Struct, rename="camel"):
    resource_version: str


class _Listed(msgspec.Struct):
    metadata: _Version
    items: list[_Pod]


async def each(items: Iterable[Any], do: Callable[[Any], Awaitable[object]]) -> None:
    """Do it for all, ``PARALLEL`` at a time."""
    waiting = iter(items)

    async def work() -> None:
        for item in waiting:
            await do(item)

    await asyncio.gather(*(work() for _ in range(PARALLEL)))


class Bench:
    """One control plane and its nodes."""

    def __init__(self, plane: ControlPlane, api: Api, nodes: int) -> None:
        self.plane = plane
        self.api = api
        self.nodes = nodes
        self.bound = Bound()
        self.product = Product(plane)

    async def prepare(self) -> None:
        """Namespace and nodes."""
        metadata = {"name": NAMESPACE}
        await self.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

        async def one(number: int) -> None:
            name = f"node-{number}"
            notes = clusters.node(name).annotations
            await self.api.add_node(name, annotations=notes, extra=OTHER)

        begun = time.monotonic()
        await each(range(self.nodes), one)
        print(f"{self.nodes} nodes made in {time.monotonic() - begun:.0f} s", flush=True)

    async def clear(self) -> None:
        """No pods."""
        await self.api.delete(PODS.path(NAMESPACE), gracePeriodSeconds=0)
        while True:
            await asyncio.sleep(0.2)
            if not await self.api.list(PODS.path(NAMESPACE), limit=1):
                return

    async def create(self, pods: Iterable[build.Json]) -> None:
        """As fast as it goes."""
        await each(pods, lambda pod: self.api.create(PODS.path(NAMESPACE), pod))

    async def throughput(self, prefix: str, count: int, **fields: Any) -> tuple[float, float]:
        """Pods bound per second, and pods created per second."""
        names = [f"{prefix}-{n}" for n in range(count)]
        begun = time.monotonic()
        creating = asyncio.create_task(self.create(a_pod(name, **fields) for name in names))
        await creating
        created = time.monotonic()
        last = await self.bound.all(names, 600)
        return count / (last - begun), count / (created - begun)

    async def alone(self, count: int) -> tuple[float, float]:
        """kube-scheduler without us."""
        (config,) = manifests("kube-scheduler.yaml")
        config.pop("extenders")
        config["leaderElection"] = {"leaderElect": False}
        config["profiles"][0]["schedulerName"] = "alone"
        scheduler = await asyncio.to_thread(self.plane.start_scheduler, config)
        await self.throughput("warm", WARM, limits=THEIRS, schedulerName="alone")
        found = await self.throughput("alone", count, limits=THEIRS, schedulerName="alone")
        await asyncio.to_thread(scheduler.stop)
        await self.clear()
        return found

    async def ours(self, count: int) -> tuple[float, float]:
        """kube-scheduler with us, webhooks included."""
        await self.product.install(self.api)
        await self.product.start()
        await self.product.start_scheduler(self.api)
        await self.throughput("first", WARM, limits=OURS)
        return await self.throughput("ours", count, limits=OURS)

    async def freed(self, rounds: int) -> list[float]:
        """Seconds from a deletion to the bind of the pod that waits for it, on a full node."""
        path = PODS.path(NAMESPACE)
        label = {"full": "yes"}
        notes = clusters.node("full").annotations
        await self.api.add_node("full", label, annotations=notes, extra=OTHER)
        select = {"nodeSelector": label}
        whole = build.gpu(1)
        names = [f"full-{n}" for n in range(clusters.CARDS)]
        await self.create(a_pod(name, whole, **select) for name in names)
        await self.bound.all(names, 60)
        times = []
        for n in range(rounds):
            await self.api.create(path, a_pod(f"waits-{n}", whole, **select))
            await self.refused(f"waits-{n}")
            begun = time.monotonic()
            await self.api.delete(f"{path}/{names[n % len(names)]}", gracePeriodSeconds=0)
            await self.bound.all([f"waits-{n}"], 400)
            times.append(self.bound.at[f"waits-{n}"] - begun)
            names[n % len(names)] = f"waits-{n}"
        return times

    async def refused(self, name: str) -> None:
        """Wait until kube-scheduler was told no."""
        while True:
            pod = await self.api.get(PODS.path(NAMESPACE, name))
            conditions = pod.get("status", {}).get("conditions", [])
            if any(each["type"] == "PodScheduled" for each in conditions):
                return
            await asyncio.sleep(0.02)

    async def one_by_one(self, prefix: str, count: int) -> list[float]:
        """Seconds from the creation to the bind, one pod after the other."""
        times = []
        for n in range(count):
            begun = time.monotonic()
            await self.api.create(PODS.path(NAMESPACE), a_pod(f"{prefix}-{n}", OURS))
            await self.bound.all([f"{prefix}-{n}"], 60)
            times.append(self.bound.at[f"{prefix}-{n}"] - begun)
        return times

    async def burst(self) -> float:
        """Seconds for 40 one-card pods on one free node."""
        notes = clusters.node("free").annotations
        await self.api.add_node("free", {"free": "yes"}, annotations=notes)
        names = [f"burst-{n}" for n in range(40)]
        pods = [a_pod(name, OURS, nodeSelector={"free": "yes"}) for name in names]
        begun = time.monotonic()
        await self.create(pods)
        return await self.bound.all(names, 60) - begun


def asked(seen: Audit) -> Counter[str]:
    """What hami-admission asked of the API server, by verb and resource; watches left out."""
    return Counter(
        "/".join(filter(None, (f"{each['verb']} {ref.get('resource')}", ref.get("subresource"))))
        for each in seen.requests(user=USER)
        if each["verb"] not in {"list", "watch"} and (ref := each.get("objectRef") or {})
    )


async def run(bench: Bench, count: int, rounds: int, show: Callable[[str, str], None]) -> None:
    """All measurements, in order; no ``rounds``: those of throughput only."""
    size = f"{bench.nodes:,} nodes"
    await bench.prepare()
    alone, created = await bench.alone(count)
    show(f"{size}: kube-scheduler alone, pods/s", f"{alone:.0f} ({created:.0f} created/s)")
    seen = bench.plane.audit(from_now=True)
    ours, created = await bench.ours(count)
    show(f"{size}: with hami-admission, pods/s", f"{ours:.0f} ({created:.0f} created/s)")
    show("ratio", f"{ours / alone:.0%}")
    buckets = await histograms.read([ADDRESS], "/filter")
    told = " / ".join(histograms.quantile(buckets, share) for share in (0.5, 0.99))
    show("/filter p50 / p99 meanwhile", told)
    for name, number in asked(seen).most_common(6):
        show(f"API requests of ours per pod: {name}", f"{number / (WARM + count):.2f}")
    if not rounds:
        return
    show("40 pods on one free node, s", f"{await bench.burst():.2f}")
    before = await bench.one_by_one("single", 50)
    show("one pod alone, ms p50 / p99 / max", histograms.marks(before))
    freed = await bench.freed(rounds)
    show(f"freed card to bound pod, {rounds} times, ms p50 / p99 / max", histograms.marks(freed))
    unfit = [a_pod(f"unfit-{n}", UNFIT) for n in range(1000)]
    await bench.create(unfit)
    await bench.refused("unfit-999")
    fresh = await bench.one_by_one("fresh", 50)
    show("one pod beside 1,000 unfit that just came, ms p50 / p99 / max", histograms.marks(fresh))
    await asyncio.sleep(SETTLED)
    beside = await bench.one_by_one("beside", 50)
    show(f"the same {SETTLED} s later, ms p50 / p99 / max", histograms.marks(beside))


async def main() -> None:
    """Parse arguments, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    table = Table("measured", "value")

    def show(what: str, value: str) -> None:
        print(f"{what}: {value}", flush=True)
        table.add_row(what, value)

    with ControlPlane() as plane:
        async with Api(plane.url, plane.ca_file, plane.token("admin")) as api:
            bench = Bench(plane, api, options.nodes)
            following = asyncio.create_task(bench.bound.follow(plane))
            try:
                await run(bench, options.pods, options.rounds, show)
            finally:
                following.cancel()
                await asyncio.to_thread(bench.product.stop)
                Console(width=120).print(table)


if __name__ == "__main__":
    asyncio.run(main())
