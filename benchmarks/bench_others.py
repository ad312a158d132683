"""What the first list of pods costs where another scheduler has many beside ours.

    python -m benchmarks.bench_others [--pods 50000]

One process, no sockets: pages as the API server sends them, through the decoding and the state of
the product. *Of ours* are bound pods that hold a card, for comparison. Each row is a process of its
own, so that the memory of one is not another's.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks import clusters
from benchmarks.bench_rebuild import resident
from hami_admission.cluster.state import Cluster
from hami_admission.control import app
from hami_admission.control.charging import Charging
from hami_admission.control.feed import Feed
from hami_admission.control.surprises import Surprises
from hami_admission.kube import reflector
from hami_admission.settings import Settings
from tests import build

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = b"the-name-of-the-pod"
MANAGED: build.Json = {"f:metadata": {f"f:field-{n}": {"f:inner": {}} for n in range(60)}}


def body(kind: str) -> bytes:
    """A pod as the API server has it, its name and uid to be filled in."""
    name = NAME.decode()
    if kind == "of ours":
        made = clusters.bound_json("node-1", 1)
        made["spec"]["schedulerName"] = "hami-scheduler"
    else:
        env = [{"name": f"VARIABLE_{n}", "value": "a value of some length"} for n in range(20)]
        made = build.pod_json(
            build.container(limits={"cpu": "4", "memory": "8Gi"}, env=env),
            namespace="team-1",
            nodeName="node-1",
            schedulerName="volcano",
            annotations={"scheduling.k8s.io/group-name": "podgroup-1"},
        )
    made["metadata"] |= {"name": name, "uid": name}
    made["metadata"]["managedFields"] = [{"manager": "m", "fieldsV1": MANAGED}] * 2
    made["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "reason": "x" * 60}] * 5}
    return msgspec.json.encode(made)


class Api:
    """Lists so many pods, then says nothing."""

    def __init__(self, count: int, kind: str) -> None:
        self._count = count
        self._body = body(kind)
        self.done = asyncio.Event()

    async def page(self, *_: Any, query: Mapping[str, str], **__: Any) -> bytes:
        begin = int(query.get("continue") or 0)
        end = min(begin + reflector.PAGE, self._count)
        more = b',"continue":"%d"' % end if end < self._count else b""
        items = b",".join(self._body.replace(NAME, b"%036d" % n) for n in range(begin, end))
        return b'{"metadata":{"resourceVersion":"1"%s},"items":[%s]}' % (more, items)

    def lines(self, *_: Any, **__: Any) -> Any:
        self.done.set()
        return _Silent()


class _Silent:
    async def __aenter__(self) -> _Silent:
        await asyncio.Event().wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


async def first_list(count: int, kind: str) -> None:
    """Prints seconds of CPU, and memory before, at most and after."""
    app.tune()
    api: Any = Api(count, kind)
    async with asyncio.TaskGroup() as tasks:
        cluster = Cluster(Settings())
        charging = Charging(cluster, api, time.time, tasks, lambda: False, Surprises())
        feed = Feed(cluster, charging, api, time.time)
        before, begun = resident("self", "VmRSS"), time.process_time()
        following = tasks.create_task(feed.pods())
        await api.done.wait()
        took = time.process_time() - begun
        print(f"{took:.2f}", before, resident("self", "VmHWM"), resident("self", "VmRSS"), sep="|")
        following.cancel()


def main() -> None:
    """Parse arguments, run a process for each row, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=50_000)
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.kind:
        uvloop.run(first_list(options.pods, options.kind))
        return
    table = Table("pods", "bytes each", "CPU, s", "before", "at most", "after")
    for kind in ("of others", "of ours"):
        argv = [sys.executable, "-m", "benchmarks.bench_others", "--kind", kind]
        argv += ["--pods", str(options.pods)]
        said = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout
        size = f"{len(body(kind)):,}"
        table.add_row(f"{options.pods:,} {kind}", size, *said.strip().split("|"))
    Console().print(table)


if __name__ == "__main__":
    main()
