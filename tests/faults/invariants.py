"""What holds whatever struck, computed from what the API server says and nothing of ours."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster.kinds import KINDS
from tests.cluster.product import charged

if TYPE_CHECKING:
    from tests.cluster.api import Api
    from tests.cluster.processes import Process

Json = dict[str, Any]
GRACE_SECONDS = 10.0
"""Beyond a hold's own end: until it was looked for twice and the ledger was written."""


CARD_MIB = 81920


class View:
    """Pods, nodes and quotas as they are at one moment."""

    def __init__(self, pods: list[Json], nodes: list[Json], quotas: list[Json]) -> None:
        self.pods = [each for each in pods if not _ended(each)]
        self.nodes = nodes
        self.quotas = quotas


async def view(api: Api) -> View:
    """Now."""
    return View(
        [
            each
            for each in await api.list("/api/v1/pods")
            if each["spec"].get("schedulerName") == "hami-scheduler"
        ],
        await api.list(KINDS["Node"].path()),
        await api.list("/api/v1/resourcequotas"),
    )


def wrong(found: View) -> list[str]:
    """Everything that must never be, in words."""
    return [*_cards(found), *_hard(found)]


def unsettled(found: View) -> list[str]:
    """Everything that must not be once it is quiet."""
    return [*wrong(found), *_used(found), *_holds(found), *_silent(found)]


def resident(process: Process) -> int:
    """MiB that a process has in memory."""
    return _status(process, "VmRSS")


def high_water(process: Process) -> int:
    """MiB that it had there at most."""
    return _status(process, "VmHWM")


def _status(process: Process, field: str) -> int:
    text = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith(field))
    return int(line.split()[1]) // 1024


def _ended(pod: Json) -> bool:
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}


def _grants(pod: Json) -> list[tuple[str, int, int]]:
    """Card, MiB and cores of each share that the pod was given; init containers are not used."""
    text = pod["metadata"].get("annotations", {}).get("hami.io/vgpu-devices-allocated", "")
    parts = (each.split(",") for slot in text.split(";") for each in slot.split(":") if each)
    return [(uuid, int(memory), int(cores)) for uuid, _, memory, cores, *_ in parts]


def _cards(found: View) -> list[str]:
    taken: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for pod in found.pods:
        if pod["spec"].get("nodeName"):
            for uuid, memory, cores in _grants(pod):
                taken[uuid].update(slots=1, memory=memory, cores=cores)
    offered = {}
    for node in found.nodes:
        text = node["metadata"].get("annotations", {}).get("hami.io/node-nvidia-register", "[]")
        for card in json.loads(text):
            limits = {"slots": card["count"], "memory": card["devmem"], "cores": card["devcore"]}
            offered[card["id"]] = limits
    return [
        f"card {uuid}: {amount} {what} taken of {offered[uuid][what]}"
        for uuid, amounts in taken.items()
        if uuid in offered
        for what, amount in amounts.items()
        if amount > offered[uuid][what]
    ]


def cost(pod: Json) -> Counter[str]:
    """What the pod costs by its own words, or by its cards where those say less."""
    total: Counter[str] = Counter()
    granted = _grants(pod) if pod["spec"].get("nodeName") else []
    for uuid, memory, cores in granted:
        assert uuid
        total.update(gpu=1, gpumem=memory, gpucores=cores)
    if granted:
        return total
    for container in pod["spec"]["containers"]:
        limits = container.get("resources", {}).get("limits", {})
        count = int(limits.get("nvidia.com/gpu", 0))
        total.update(
            gpu=count,
            gpumem=count * _memory(limits),
            gpucores=count * _number(limits.get("nvidia.com/gpucores", "0")),
        )
    return total


def _memory(limits: Json) -> int:
    """MiB per card; all cards of these tests have the same size."""
    if "nvidia.com/gpumem" in limits:
        return _number(limits["nvidia.com/gpumem"])
    return CARD_MIB * int(limits.get("nvidia.com/gpumem-percentage", 100)) // 100


def _number(text: str) -> int:
    return int(text.replace("k", "000"))


def _hard(found: View) -> list[str]:
    """Above hard by its own numbers; ``hami.io/test-lowered`` marks those that were lowered."""
    lines = []
    for quota in found.quotas:
        if "lowered" in quota["metadata"].get("labels", {}):
            continue
        hard = charged({"status": {"used": quota["spec"].get("hard", {})}})
        for name, used in charged(quota).items():
            if used > hard.get(name, used):
                lines.append(f"quota {_key(quota)}: {name} {used} used of {hard[name]}")
    return lines


def _used(found: View) -> list[str]:
    lines = []
    for quota in found.quotas:
        live: Counter[str] = Counter()
        for pod in found.pods:
            if pod["metadata"]["namespace"] == quota["metadata"]["namespace"]:
                live.update(cost(pod))
        lines += [
            f"quota {_key(quota)}: {name} {used} used, pods have {live[name]}"
            for name, used in charged(quota).items()
            if used != live[name]
        ]
    return lines


def _holds(found: View) -> list[str]:
    lines = []
    for quota in found.quotas:
        text = quota["metadata"].get("annotations", {}).get("hami.io/quota-holds", "{}")
        for uid, hold in json.loads(text).items():
            if hold["until"] + GRACE_SECONDS < time.time():
                lines.append(f"quota {_key(quota)}: hold of {hold['pod']} ({uid}) is over")
    return lines


def _silent(found: View) -> list[str]:
    lines = []
    for pod in found.pods:
        if pod["spec"].get("nodeName"):
            continue
        conditions = pod.get("status", {}).get("conditions", [])
        if not any(each["type"] == "PodScheduled" and each.get("message") for each in conditions):
            lines.append(f"pod {_key(pod)}: not bound, and nobody says why")
    return lines


def _key(thing: Json) -> str:
    return f"{thing['metadata']['namespace']}/{thing['metadata']['name']}"
