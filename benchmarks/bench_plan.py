"""Milliseconds of /filter, from the body that kube-scheduler sends to the one it gets.

    python -m benchmarks.bench_plan [--rounds N]

One process, no sockets: decode, plan over all nodes, book, encode. Every node has 8 cards and
some pods on them; nothing is kept from one question to the next.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.model.grant import Grant
from hami_admission.settings import Settings
from hami_admission.wire import extender, grants, keys
from tests import build

if TYPE_CHECKING:
    from hami_admission.model.pod import Pod

SIZES = (100, 1_000, 5_000)
PODS_PER_NODE = 5
SHAPES = {
    "1 card, 8000 MiB, 30 cores": build.gpu(1, memory=8000, cores=30),
    "1 card, 50 %": build.gpu(1, percent=50, cores=10),
    "4 cards, 20000 MiB": build.gpu(4, memory=20000),
    "none fits (128 GiB)": build.gpu(1, memory=131072),
}


def cluster(nodes: int) -> Cluster:
    """A cluster of that many nodes × 8, partly used."""
    made = Cluster(Settings())
    for number in range(nodes):
        made.apply(events.NodeSeen(build.facts(f"node-{number}")), 0)
    for number in range(nodes):
        for place in range(PODS_PER_NODE):
            made.apply(events.PodSeen(_bound(f"node-{number}", place)), 0)
    return made


def _bound(node: str, place: int) -> Pod:
    taken = ((Grant(f"GPU-{node}-{place}", "NVIDIA", 9000 + 1000 * place, 20),),)
    container = build.container(limits=build.gpu(1, memory=9000, cores=20))
    return build.pod(
        container,
        uid=f"{node}-{place}",
        nodeName=node,
        annotations={keys.NVIDIA_ALLOCATED: grants.encode(taken)},
    )


def question(limits: dict[str, object], nodes: int) -> bytes:
    """The body of /filter."""
    pod = build.pod_json(build.container(limits=limits), uid="asking")
    names = [f"node-{number}" for number in range(nodes)]
    return msgspec.json.encode({"Pod": pod, "NodeNames": names})


def answer(made: Cluster, body: bytes) -> bytes:
    """What control/extender.py does, without its socket."""
    asked = extender.decode_candidates(body)
    demand = made.demand(asked.pod)
    assert demand is not None
    plan = made.plan(asked.pod, demand, asked.nodes, 0)
    return extender.encode_filter(list(plan.fits), plan.unfit)


def main() -> None:
    """Run every size and shape, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    table = Table("nodes × 8", "pods", "request", "median ms", "longest ms")
    for nodes in SIZES:
        made = cluster(nodes)
        for name, limits in SHAPES.items():
            body = question(limits, nodes)
            times = []
            for _ in range(rounds):
                begun = time.perf_counter()
                answer(made, body)
                times.append(1000 * (time.perf_counter() - begun))
            times.sort()
            row = (f"{nodes:,}", f"{nodes * PODS_PER_NODE:,}", name)
            table.add_row(*row, f"{times[len(times) // 2]:.2f}", f"{times[-1]:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
