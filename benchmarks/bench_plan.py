"""Milliseconds of /filter, from the body that kube-scheduler sends to the one it gets.

    python -m benchmarks.bench_plan [--rounds N] [--mixed]

One process, no sockets: decode, plan over all nodes, book, encode. Every node has 8 cards and ten
pods on them. *First* is the first question of a shape; *warm* the same question again, as for the
next pod of a Deployment, with the booking of the one before in between; *after 50 changes* with 25
pods gone and 25 come on other nodes meanwhile; *full scan* what it takes when no node fits. With
``--mixed`` half of the nodes have cards of the other families, in turn.
"""

from __future__ import annotations

import argparse
import itertools
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks import clusters
from hami_admission.cluster import events
from hami_admission.wire import extender
from tests import build
from tests.vendors import samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hami_admission.cluster.state import Cluster

SIZES = (100, 1_000, 5_000)
CHANGES = 25
MIXED: dict[str, tuple[build.Json, dict[str, str]]] = {
    "NVIDIA: 1 card, 8000 MiB, 30 cores": (build.gpu(1, memory=8000, cores=30), {}),
    **{
        f"{word}: a part of a card": (samples.SAMPLES[word].limits[0], {})
        for word in ("Ascend910B3", "MLU", "DCU", "XPU", "Enflame", "Metax-SGPU")
    },
    "Ascend910C: 2 whole dies": (samples.SAMPLES["Ascend910C"].limits[0], {}),
    "kunlun: 4 whole cards": ({"kunlunxin.com/xpu": 4}, {}),
}
WISHES: dict[str, tuple[build.Json, dict[str, str]]] = {
    "1 card, 8000 MiB, 30 cores": (build.gpu(1, memory=8000, cores=30), {}),
    "1 card, 50 %": (build.gpu(1, percent=50, cores=10), {}),
    "4 cards, 20000 MiB": (build.gpu(4, memory=20000), {}),
    "4 cards, topology-aware": (
        build.gpu(4, memory=20000),
        {"hami.io/gpu-scheduler-policy": "topology-aware"},
    ),
    "none fits (128 GiB)": (build.gpu(1, memory=131072), {}),
}


def answer(made: Cluster, body: bytes) -> bytes:
    """What control/extender.py does, without its socket."""
    asked = extender.decode_candidates(body)
    demand = made.demand(asked.pod)
    assert demand is not None
    plan = made.plan(asked.pod, demand, asked.nodes, 0)
    return extender.encode_filter(plan.fits, plan.unfit)


def timed(made: Cluster, body: bytes) -> float:
    """Milliseconds of one answer."""
    begun = time.perf_counter()
    answer(made, body)
    return 1000 * (time.perf_counter() - begun)


def change(made: Cluster, nodes: int, number: Iterator[int]) -> None:
    """Pods end, and come elsewhere."""
    for _ in range(CHANGES):
        step = next(number)
        gone, come = f"node-{step * 7 % nodes}", f"node-{step * 13 % nodes}"
        made.apply(events.PodGone(f"{gone}-{step % clusters.PODS_PER_NODE}"), 0)
        made.apply(events.PodSeen(clusters.bound(come, 100 + step)), 0)


def main() -> None:
    """Run every size and shape, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--mixed", action="store_true")
    options = parser.parse_args()
    rounds = options.rounds
    columns = ("first", "warm p50", "warm p99", f"after {2 * CHANGES} changes p50")
    table = Table("nodes × 8", "pods", "request", *(f"{each}, ms" for each in columns))
    for nodes in SIZES:
        made = clusters.mixed(nodes) if options.mixed else clusters.full(nodes)
        pods, number = f"{len(made.records()):,}", itertools.count()
        for name, (limits, wished) in (MIXED if options.mixed else WISHES).items():
            bodies = [clusters.question(f"{n}", limits, nodes, wished) for n in range(rounds)]
            first = timed(made, bodies[0])
            warm = sorted(timed(made, body) for body in bodies)
            changed = []
            for body in bodies:
                change(made, nodes, number)
                changed.append(timed(made, body))
            for n in range(rounds):
                made.bookings.release(f"{n}")
            times = (
                first,
                warm[rounds // 2],
                warm[-1 - rounds // 100],
                sorted(changed)[rounds // 2],
            )
            table.add_row(f"{nodes:,}", pods, name, *(f"{each:.2f}" for each in times))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
