"""What our policies cost the API server for each pod.

    python -m benchmarks.bench_policies [--pods 400] [--rounds 5]

A real kube-apiserver on this machine, without webhooks. In each round pods are created as a dry run
without policies, with those of the release before, and with those of this tree, one after the
other; counted is the CPU of kube-apiserver, which other work on the machine moves less than a rate.
A plain pod has 20 variables and 10 annotations; the other asks for a card and is as our mutating
webhook leaves it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console
from rich.table import Table

from tests import build
from tests.cluster.api import Api, wait
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kinds import KINDS
from tests.packaging import released

if TYPE_CHECKING:
    from tests.cluster.processes import Process

Json = dict[str, Any]

PODS = KINDS["Pod"].path("default")
AT_ONCE = 2
KNOWN_SECONDS = 3.0
"""Until an API server has compiled policies that are new."""

ENV = [{"name": f"V{number}", "value": "x"} for number in range(20)]
NOTES = {f"example.com/a{number}": "v" * 50 for number in range(10)}
SOURCE = {"fieldRef": {"fieldPath": "metadata.annotations['hami.io/env-0.NVIDIA_VISIBLE_DEVICES']"}}
VISIBLE = {"name": "NVIDIA_VISIBLE_DEVICES", "valueFrom": SOURCE}

CASES = {
    "plain": build.pod_json(
        build.container(limits={"cpu": "1"}, env=ENV), namespace="default", annotations=NOTES
    ),
    "asks for a card": build.pod_json(
        build.container(limits=build.gpu(1, memory=1000), env=[VISIBLE, *ENV]),
        namespace="default",
        annotations=NOTES,
        schedulerName="hami-scheduler",
    ),
}


def policies(root: Path) -> list[Json]:
    """Those of a tree, each followed by its binding."""
    return list(yaml.safe_load_all((root / "webhooks" / "policy.yaml").read_text()))


async def put(api: Api, documents: list[Json]) -> None:
    """In place of those that there are."""
    for kind in ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"):
        await api.delete(KINDS[kind].path())
    await api.apply(*documents)
    await asyncio.sleep(KNOWN_SECONDS)


def cpu_seconds(process: Process) -> float:
    """Of the process until now, in user and system mode."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def cost(api: Api, server: Process, pod: Json, count: int) -> float:
    """Milliseconds of the API server for one creation."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with gate:
            await api.create(PODS, pod, dryRun="All")

    begun = cpu_seconds(server)
    await asyncio.gather(*(one() for _ in range(count)))
    return (cpu_seconds(server) - begun) / count * 1000


async def measured(
    api: Api, server: Process, pods: int, rounds: int
) -> dict[tuple[str, str], list[float]]:
    """By case and whose policies."""
    whose = {
        "none": [],
        f"v{released.VERSION}": policies(released.tree()),
        "this tree": policies(released.ROOT),
    }
    found: dict[tuple[str, str], list[float]] = {
        (case, name): [] for case in CASES for name in whose
    }
    account = KINDS["ServiceAccount"].path("default", "default")
    await wait(lambda: api.get(account), "default service account", 60)
    await cost(api, server, CASES["plain"], pods)
    for name in [*whose] * rounds:
        await put(api, whose[name])
        for case, pod in CASES.items():
            await cost(api, server, pod, pods // 4)
            found[case, name].append(await cost(api, server, pod, pods))
    return found


async def main() -> None:
    """Parse arguments, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    table = Table("pod", "policies", "ms of kube-apiserver per creation: median", "all")
    with ControlPlane() as plane:
        async with Api(plane.url, plane.ca_file, plane.token("admin")) as api:
            found = await measured(api, plane.apiserver, options.pods, options.rounds)
    for (case, name), values in found.items():
        every = " ".join(f"{value:.1f}" for value in values)
        table.add_row(case, name, f"{statistics.median(values):.1f}", every)
    Console(width=120).print(table)


if __name__ == "__main__":
    asyncio.run(main())
