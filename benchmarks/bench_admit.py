"""Reviews per second of /mutate and /validate over TLS, keep-alive, on one server process.

    python -m benchmarks.bench_admit [--requests N] [--connections N]

The server is the product's, in a process of its own, without an API server (no quota applies); the
client keeps one request in flight per connection and writes prepared bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import msgspec
import uvloop
from rich.console import Console
from rich.table import Table

from hami_admission.admission import changes
from hami_admission.certificates import authority, context
from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.control import app
from hami_admission.control.bind import Binder
from hami_admission.control.charging import Charging
from hami_admission.control.extender import Extender
from hami_admission.control.http import Server
from hami_admission.control.probes import Probes
from hami_admission.control.senders import Senders
from hami_admission.control.snapshots import Snapshots
from hami_admission.control.surprises import Surprises
from hami_admission.control.webhook import Webhook
from hami_admission.settings import Settings
from hami_admission.wire import pods
from tests import build

if TYPE_CHECKING:
    from hami_admission.control.charging import Api

HOST = "127.0.0.1"


def a_pod() -> dict[str, object]:
    """A model server in the way of the vLLM chart, about 3 kB in a review."""
    env = [{"name": f"SETTING_{number}", "value": "x" * 20} for number in range(12)]
    limits = {"cpu": "4", "memory": "16Gi", **build.gpu("2", memory="20k", cores="50")}
    probe = {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 10}
    server = {
        **build.container("server", limits, requests=limits, env=env),
        "args": ["--host", "0.0.0.0", "--port", "8000", "--tensor-parallel-size", "2"],
        **dict.fromkeys(("startupProbe", "livenessProbe", "readinessProbe"), probe),
    }
    labels = {f"example.org/label-{number}": "value" for number in range(8)}
    made = build.pod_json(server, labels=labels, uid="0" * 36, schedulerName="default-scheduler")
    return {**made, "status": {}}


def review(pod: dict[str, object], namespace: str = "team") -> bytes:
    """The pod's creation, as the API server asks."""
    request = {
        "uid": "f" * 36,
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": namespace,
        "operation": "CREATE",
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
        "object": pod,
        "dryRun": False,
    }
    return msgspec.json.encode({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": request,
    })


def rewritten(pod: dict[str, object]) -> dict[str, object]:
    """The pod as the mutating webhook leaves it."""
    decision = Cluster(Settings()).admit(pods.decode(msgspec.json.encode(pod)))
    return changes.apply(pod, changes.operations(decision.changes))


def bodies() -> dict[str, bytes]:
    """The review of each route: before the rewrite, and after it."""
    pod = a_pod()
    return {"/mutate": review(pod), "/validate": review(rewritten(pod))}


async def nobody_else() -> None:
    """No other replica decides."""


async def serve() -> None:
    """The product's server; prints its port, and runs until it is ended."""

    class Nothing:
        async def request(self, *_: object, **__: object) -> bytes:
            raise AssertionError("no quota applies, so nothing is written")

    async with asyncio.TaskGroup() as tasks:
        cluster = Cluster(Settings())
        for kind in events.Kind:
            cluster.apply(events.Listed(kind, frozenset()), time.time())
        api: Api = Nothing()
        charging = Charging(cluster, api, time.time, tasks, lambda: True, Surprises())
        binder = Binder(cluster, charging, api, time.time)
        extender = Extender(cluster, binder, nobody_else, print, time.time)
        webhook = Webhook(cluster, charging, time.time)
        snapshots, door = Snapshots(cluster, time.time), Senders(Settings(), api).guard
        server = Server(app.routes(webhook, extender, Probes(cluster), snapshots, door))
        tls = context.create()
        context.load(tls, authority.create((HOST,), datetime.now(UTC)))
        port = await server.start(HOST, 0, tls)
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


class Connection(asyncio.Protocol):
    """Sends one request again and again; notes how long each answer took, in seconds."""

    def __init__(self, request: bytes, count: int) -> None:
        self._request = request
        self._left = count
        self._begun = 0.0
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.times: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """An answer, or a part of one."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        assert b'"allowed":true' in body, body
        self.times.append(time.perf_counter() - self._begun)
        self._buffer = b""
        self._left -= 1
        if self._left:
            self._send()
        else:
            self.done.set_result(None)

    def _send(self) -> None:
        assert self._transport is not None
        self._begun = time.perf_counter()
        self._transport.write(self._request)


async def measure(port: int, path: str, body: bytes, connections: int, requests: int) -> list[str]:
    """One row: route, bytes, requests per second, p50, p99 and longest in milliseconds."""
    loop = asyncio.get_running_loop()
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    each = requests // connections
    begun = time.perf_counter()
    made = [
        await loop.create_connection(lambda: Connection(head + body, each), HOST, port, ssl=tls)
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in made))
    seconds = time.perf_counter() - begun
    for transport, _ in made:
        transport.close()
    times = sorted(one for _, protocol in made for one in protocol.times)
    marks = (times[len(times) // 2], times[len(times) * 99 // 100], times[-1])
    rate = f"{len(times) / seconds:,.0f}"
    return [path, str(len(body)), rate, *(f"{mark * 1000:.2f}" for mark in marks)]


def main() -> None:
    """Parse arguments, run server and client, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--requests", type=int, default=40_000)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    if options.serve:
        uvloop.run(serve())
        return
    command = [sys.executable, "-m", "benchmarks.bench_admit", "--serve"]
    table = Table("route", "bytes", "reviews/s", "p50 ms", "p99 ms", "max ms")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        try:
            for path, body in bodies().items():
                uvloop.run(measure(port, path, body, options.connections, 4000))  # warm up
                asked = (port, path, body, options.connections, options.requests)
                table.add_row(*uvloop.run(measure(*asked)))
        finally:
            server.terminate()
    Console().print(table)


if __name__ == "__main__":
    main()
