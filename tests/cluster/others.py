"""Device plugins of others, each a process of its own: ``python -m tests.cluster.others FILE``.

They follow the protocol as facts/devices.md 1.4 tells it: the lock of the node names the pod; its
work queue is served container by container, then the phase is ``success`` and the lock goes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster.api import Api, ApiFailure
from tests.cluster.kinds import KINDS
from tests.cluster.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.control_plane import ControlPlane

Json = dict[str, Any]

LOOK_SECONDS = 0.05


@dataclass
class Other:
    """What one family's plugin does on some nodes.

    ``queue`` is the annotation that it works off, empty where it only says that it is ``done``;
    ``nameless``: its lock does not say for whom, so it looks for a pod whose cards are not given
    out, which ``waits`` tells.
    """

    name: str
    nodes: list[str]
    queue: str = ""
    lock: str = "hami.io/mutex.lock"
    nameless: bool = False
    waits: dict[str, str] = field(default_factory=lambda: {"hami.io/bind-phase": "allocating"})
    done: dict[str, str] = field(default_factory=lambda: {"hami.io/bind-phase": "success"})


@contextmanager
def running(plane: ControlPlane, *others: Other) -> Iterator[list[Process]]:
    """A process for each."""
    processes = []
    for other in others:
        file = plane.folder / f"{other.name}.json"
        access = {"url": plane.url, "ca": str(plane.ca_file), "token": plane.token("plugin")}
        file.touch(mode=0o600)
        file.write_text(json.dumps({**access, "other": asdict(other)}))
        argv = [sys.executable, "-m", "tests.cluster.others", str(file)]
        log = plane.folder / f"plugin-{other.name}.log"
        processes.append(Process(f"plugin of {other.name}", argv, log))
    try:
        for process in processes:
            process.start()
        yield processes
    finally:
        for process in processes:
            process.kill()


async def main(given: Json) -> None:
    """Serve, until somebody ends the process."""
    other = Other(**given["other"])
    async with Api(given["url"], Path(given["ca"]), given["token"]) as api:
        while True:
            await _look_at_all(api, other)
            await asyncio.sleep(LOOK_SECONDS)


async def _look_at_all(api: Api, other: Other) -> None:
    for node in other.nodes:
        with suppress(ApiFailure):
            await _look(api, other, node)


async def _look(api: Api, other: Other, name: str) -> None:
    """Serve the pod for which the node is locked, once it is there."""
    node = await api.get(KINDS["Node"].path(name=name))
    lock = node["metadata"].get("annotations", {}).get(other.lock)
    if not lock:
        return
    pod = await (_waiting(api, other, name) if other.nameless else _named(api, lock))
    if pod is None or not _asks(pod, other) or pod["spec"].get("nodeName") != name:
        return
    path = KINDS["Pod"].path(pod["metadata"]["namespace"], pod["metadata"]["name"])
    left = pod["metadata"]["annotations"].get(other.queue, "").split(";")[:-1]
    for index, container in enumerate(left):
        if container:
            left[index] = ""
            text = "".join(f"{each};" for each in left)
            await api.patch(path, {"metadata": {"annotations": {other.queue: text}}})
    await api.patch(path, {"metadata": {"annotations": other.done}})
    await api.patch(
        KINDS["Node"].path(name=name), {"metadata": {"annotations": {other.lock: None}}}
    )


async def _named(api: Api, lock: str) -> Json | None:
    _, namespace, name = lock.split(",")
    pod: Json = await api.get(KINDS["Pod"].path(namespace, name))
    return pod


async def _waiting(api: Api, other: Other, node: str) -> Json | None:
    pods = await api.list("/api/v1/pods", fieldSelector=f"spec.nodeName={node}")
    return next((pod for pod in pods if _asks(pod, other)), None)


def _asks(pod: Json, other: Other) -> bool:
    notes = pod["metadata"].get("annotations", {})
    return all(notes.get(key) == value for key, value in other.waits.items())


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
