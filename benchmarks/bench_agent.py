"""The agent of a node: memory, idle CPU, and how fast it answers the kubelet.

    python -m benchmarks.bench_agent [--cards 16] [--split 20] [--idle SECONDS]

The agent is the product's, in a process of its own, as in a pod (token and authority from files);
the kubelet's side of the protocol and an API server that knows one node are in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from aiohttp import web
from rich.console import Console
from rich.table import Table

from hami_admission.certificates import authority, context
from tests.agent.kubelet import StandIn

PROGRAM = """
import asyncio, sys
from pathlib import Path
from hami_admission import logs
from hami_admission.agent import app
from hami_admission.kube import access
logs.set_up("json", "warning")
async def find(_): return access.mounted(Path(sys.argv[1]))
access.find = find
flags = app.Flags(node_name="n", driver="scripted", script=sys.argv[2],
    settings={"isolation": "none"},
    node_config=sys.argv[3], kubelet_folder=sys.argv[4], metrics_port=0, host="127.0.0.1",
    pod_resources=sys.argv[4] + "/kubelet.sock")
asyncio.run(app.serve(flags))
"""


class Figures(NamedTuple):
    """Seconds, milliseconds each, MiB, and a share of a core."""

    started: float
    allocations: list[float]
    preferences: list[float]
    memory: float
    cpu: float


async def api(folder: Path) -> tuple[web.AppRunner, int]:
    """An API server with one node and no pods."""
    identity = authority.create(("127.0.0.1",), datetime.now(UTC))
    (folder / "ca.crt").write_bytes(identity.ca)
    (folder / "token").write_text("token")
    tls = context.create()
    context.load(tls, identity)

    async def node(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {"name": "n"}})

    async def pods(request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            answer = web.StreamResponse()
            await answer.prepare(request)
            await asyncio.sleep(3600)
            return answer
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})

    app = web.Application()
    app.router.add_route("*", "/api/v1/nodes/n", node)
    app.router.add_get("/api/v1/pods", pods)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    return runner, int(runner.addresses[0][1])


def used(pid: int) -> tuple[float, float]:
    """MiB in memory, and seconds of CPU so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (each for each in status.splitlines() if each.startswith("VmRSS"))
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return int(line.split()[1]) / 1024, ticks / os.sysconf("SC_CLK_TCK")


async def timed(kubelet: StandIn, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of Allocate, and of the preference before it."""
    devices = sorted(kubelet.lists[-1])
    allocations, preferences = [], []
    for n in range(count):
        begun = time.perf_counter()
        (device,) = await kubelet.preferred(devices, 1)
        between = time.perf_counter()
        await kubelet.allocate(device if n % 2 else devices[n % len(devices)])
        allocations.append((time.perf_counter() - between) * 1000)
        preferences.append((between - begun) * 1000)
    return allocations, preferences


async def measured(cards: int, split: int, idle: float) -> Figures:
    """Start the agent in a folder of its own, ask it, leave it alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runner, port = await api(folder)
        script, node_config = folder / "script.yaml", folder / "config.json"
        script.write_text(json.dumps({"cards": [{"uuid": f"GPU-{n:032}"} for n in range(cards)]}))
        node_config.write_text(
            json.dumps({"nodeconfig": [{"name": "n", "devicesplitcount": split}]})
        )
        env = {**os.environ, "KUBERNETES_SERVICE_HOST": "127.0.0.1",
               "KUBERNETES_SERVICE_PORT": str(port)}  # fmt: skip
        async with StandIn(folder) as kubelet:
            begun = time.perf_counter()
            argv = [sys.executable, "-c", PROGRAM, name, str(script), str(node_config), name]
            process = await asyncio.create_subprocess_exec(*argv, env=env)
            try:
                first = await kubelet.heard(1)
                started = time.perf_counter() - begun
                assert len(first) == cards * split
                allocations, preferences = await timed(kubelet, 500)
                before = used(process.pid)
                await asyncio.sleep(idle)
                after = used(process.pid)
            finally:
                process.terminate()
                await process.wait()
        await runner.cleanup()
    cpu = (after[1] - before[1]) / idle
    return Figures(started, allocations, preferences, after[0], cpu)


def shown(figures: Figures, cards: int, split: int) -> Table:
    """As a table."""
    table = Table("what", "value", title=f"agent with {cards} cards × {split}")
    table.add_row("start to list at the kubelet", f"{figures.started:.2f} s")
    for what, found in (
        ("Allocate", figures.allocations),
        ("GetPreferredAllocation", figures.preferences),
    ):
        found.sort()
        marks = (median(found), found[int(len(found) * 0.99)], found[-1])
        told = " / ".join(f"{each:.1f}" for each in marks)
        table.add_row(f"{what}, p50 / p99 / longest", f"{told} ms")
    table.add_row("memory", f"{figures.memory:.0f} MiB")
    table.add_row("CPU without work", f"{figures.cpu:.2%} of a core")
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=16)
    parser.add_argument("--split", type=int, default=20)
    parser.add_argument("--idle", type=float, default=60.0)
    given = parser.parse_args()
    found = asyncio.run(measured(given.cards, given.split, given.idle))
    Console().print(shown(found, given.cards, given.split))
