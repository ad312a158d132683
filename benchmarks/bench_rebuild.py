"""Time and memory from the start to the first answer, and what reviews feel of it.

    python -m benchmarks.bench_rebuild [--nodes 5000] [--seconds 20]

Three processes over sockets. One plays the API server: it lists nodes of 8 cards and ten pods on
each, in pages, and can end its watches with 410 Gone. One is the product's: watches, state, routes
over TLS. This one asks: 100 reviews a second at fixed times, whether the answers come or not; and
beside them, for the second half, questions of shapes that
were never asked, one after the other, while everything is listed anew.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import msgspec
import uvloop
from aiohttp import web
from rich.console import Console
from rich.table import Table

from benchmarks import bench_admit, clusters
from hami_admission import logs
from hami_admission.certificates import authority, context
from hami_admission.cluster.state import Cluster
from hami_admission.control import app
from hami_admission.control.bind import Binder
from hami_admission.control.charging import Charging
from hami_admission.control.extender import Extender
from hami_admission.control.feed import Feed
from hami_admission.control.http import Server
from hami_admission.control.probes import Probes
from hami_admission.control.senders import Senders
from hami_admission.control.snapshots import Snapshots
from hami_admission.control.surprises import Surprises
from hami_admission.control.webhook import Webhook
from hami_admission.kube import client as clients
from hami_admission.kube import paths
from hami_admission.settings import Settings
from tests import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST = "127.0.0.1"
PER_SECOND = 100
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
clusters: [{{name: c, cluster: {{server: "http://{host}:{port}"}}}}]
users: [{{name: c, user: {{token: t}}}}]
contexts: [{{name: c, context: {{cluster: c, user: c}}}}]
"""
GONE = msgspec.json.encode({"type": "ERROR", "object": {"kind": "Status", "code": 410}}) + b"\n"


class Lists:
    """An API server that can only list and watch."""

    def __init__(self, count: int) -> None:
        names = [f"node-{number}" for number in range(count)]
        self._items = {
            paths.NODES: [msgspec.json.encode(clusters.node_json(name)) for name in names],
            paths.PODS: [
                msgspec.json.encode(clusters.bound_json(name, place))
                for name in names
                for place in range(clusters.PODS_PER_NODE)
            ],
            paths.QUOTAS: [],
        }
        self._gone = asyncio.Event()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """A page, or a watch without events that ends when it is told to."""
        if request.path == "/gone":
            self._gone.set()
            self._gone = asyncio.Event()
            return web.Response()
        if request.query.get("watch"):
            watch = web.StreamResponse()
            await watch.prepare(request)
            await self._gone.wait()
            await watch.write(GONE)
            return watch
        items = self._items[request.path]
        begin, size = int(request.query.get("continue") or 0), int(request.query["limit"])
        end = begin + size
        more = b"" if end >= len(items) else b',"continue":"%d"' % end
        page = b",".join(items[begin:end])
        body = b'{"metadata":{"resourceVersion":"1"%s},"items":[%s]}' % (more, page)
        return web.Response(body=body, content_type="application/json")


async def lists(count: int) -> None:
    """Serve until ended; prints the port."""
    made = Lists(count)
    runner = web.ServerRunner(web.Server(made.answer))
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


async def nobody_else() -> None:
    """No other replica decides."""


async def serve(kubeconfig: str) -> None:
    """The product's process, less certificates of its own and upkeep; prints its port."""
    logs.set_up("text", "warning")
    app.tune()
    client = await clients.connect(kubeconfig)
    async with asyncio.TaskGroup() as tasks:
        cluster = Cluster(Settings())
        charging = Charging(cluster, client, time.time, tasks, lambda: True, Surprises())
        binder = Binder(cluster, charging, client, time.time)
        extender = Extender(cluster, binder, nobody_else, lambda _: None, time.time)
        webhook = Webhook(cluster, charging, time.time)
        probes = Probes(cluster)
        probes.published = True
        snapshots, door = Snapshots(cluster, time.time), Senders(Settings(), client).guard
        server = Server(app.routes(webhook, extender, probes, snapshots, door))
        tls = context.create()
        context.load(tls, authority.create((HOST,), datetime.now(UTC)))
        print(await server.start(HOST, 0, tls), flush=True)
        feed = Feed(cluster, charging, client, time.time)
        for following in (feed.nodes, feed.quotas, feed.pods):
            tasks.create_task(following())


class Asker:
    """Asks one server."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._base = f"https://{HOST}:{port}"
        self._tls = ssl.create_default_context()
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE
        self.review = bench_admit.bodies()["/mutate"]

    async def post(self, path: str, body: bytes) -> bytes:
        """The answer's body."""
        async with self._session.post(self._base + path, data=body, ssl=self._tls) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()

    async def ready(self) -> None:
        """Wait until everything is listed."""
        while True:
            async with self._session.get(f"{self._base}/readyz", ssl=self._tls) as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.05)

    async def reviews(self, going: Callable[[], bool]) -> list[float]:
        """Seconds of each of 100 reviews a second, from when it was due."""
        begun, asked = time.perf_counter(), list[asyncio.Task[float]]()

        async def one(due: float) -> float:
            await self.post("/mutate", self.review)
            return time.perf_counter() - due

        while going():
            due = begun + len(asked) / PER_SECOND
            await asyncio.sleep(due - time.perf_counter())
            # Timers are late by up to a millisecond, which is not the server's fault.
            asked.append(asyncio.create_task(one(max(due, time.perf_counter()))))
        return await asyncio.gather(*asked)

    async def cold(self, count: int, going: Callable[[], bool]) -> list[float]:
        """Seconds of questions about all nodes, each of a shape of its own."""
        times = list[float]()
        while going():
            number = len(times)
            limits = build.gpu(1, memory=9000 + number, cores=5)
            body = clusters.question(f"cold-{number}", limits, count, {})
            begun = time.perf_counter()
            answer = msgspec.json.decode(await self.post("/filter", body))
            times.append(time.perf_counter() - begun)
            assert answer["NodeNames"], answer["Error"]
        return times


def marks(times: list[float]) -> str:
    """Median, 99th percentile and longest in milliseconds."""
    found = sorted(times)
    p99 = found[min(len(found) * 99 // 100, len(found) - 1)]
    return " / ".join(f"{1000 * each:.1f}" for each in (found[len(found) // 2], p99, found[-1]))


def resident(process: int | str, field: str) -> str:
    """Memory of a process."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(field):
            return f"{int(line.split()[1]) / 1024:,.0f} MiB"
    return "?"


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process of this module, and the port that it prints."""
    command = [sys.executable, "-m", "benchmarks.bench_rebuild", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.terminate()


async def measure(port: int, gone: str, process: int, options: argparse.Namespace) -> Table:
    """The start, then the same again under questions."""
    begun = time.perf_counter()
    table = Table(f"{options.nodes:,} nodes × {clusters.CARDS}", "value")
    pods = options.nodes * clusters.PODS_PER_NODE
    async with aiohttp.ClientSession() as session:
        asker = Asker(session, port)
        done = asyncio.Event()
        reviews = asyncio.create_task(asker.reviews(lambda: not done.is_set()))
        await asker.ready()
        took = time.perf_counter() - begun
        done.set()
        table.add_row(f"from listening to ready, {pods:,} pods, s", f"{took:.1f}")
        table.add_row("/mutate meanwhile, ms p50 / p99 / max", marks(await reviews))
        table.add_row("resident memory / at most", " / ".join(
            resident(process, field) for field in ("VmRSS", "VmHWM")
        ))  # fmt: skip
        end = time.perf_counter() + float(options.seconds)

        def going() -> bool:
            return time.perf_counter() < end

        async with session.post(gone):
            asked = asyncio.create_task(asker.reviews(going))
            cold = await asker.cold(options.nodes, going)
        table.add_row("first /filter of a shape, ms p50 / p99 / max", marks(cold))
        table.add_row("/mutate beside those and a list, ms p50 / p99 / max", marks(await asked))
        table.add_row("resident memory / at most", " / ".join(
            resident(process, field) for field in ("VmRSS", "VmHWM")
        ))  # fmt: skip
    return table


def main() -> None:
    """Parse arguments, run the processes, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lists", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--serve", metavar="KUBECONFIG", help=argparse.SUPPRESS)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    if options.lists:
        uvloop.run(lists(options.nodes))
    elif options.serve:
        uvloop.run(serve(options.serve))
    else:
        with (
            started("--lists", "--nodes", str(options.nodes)) as (_, listing),
            tempfile.NamedTemporaryFile("w", suffix=".kubeconfig") as file,
        ):
            file.write(KUBECONFIG.format(host=HOST, port=listing))
            file.flush()
            with started("--serve", file.name) as (process, port):
                gone = f"http://{HOST}:{listing}/gone"
                Console().print(uvloop.run(measure(port, gone, process.pid, options)))


if __name__ == "__main__":
    main()
