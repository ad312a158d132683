"""The wiring of the agent, and the order of start and stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import yaml

from hami_admission.agent.cards import Cards
from hami_admission.agent.desk import Desk
from hami_admission.agent.instances import Instances
from hami_admission.agent.kubelet import Kubelet
from hami_admission.agent.monitor import Monitor
from hami_admission.agent.own import Own
from hami_admission.agent.pages import Pages
from hami_admission.agent.plugin import Plugin
from hami_admission.agent.podresources import PodResources
from hami_admission.agent.register import Register
from hami_admission.agent.rivals import Rivals
from hami_admission.agent.scripted import Scripted
from hami_admission.kube import client as clients
from hami_admission.kube import errors, paths
from hami_admission.kube.events import Recorder
from hami_admission.metrics import agent, node
from hami_admission.node import inventory, sources
from hami_admission.node.admissions import Admissions
from hami_admission.node.starting import NotPlaced, OtherCards
from hami_admission.settings import Mistakes
from hami_admission.wire import evictions
from hami_admission.wire.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from hami_admission.agent.driver import Driver
    from hami_admission.kube.client import Client
    from hami_admission.node.options import Options
    from hami_admission.node.pods import OwnPod
    from hami_admission.node.starting import Objection

log = logging.getLogger(__name__)

COMPONENT = "hami-agent"
FILES_SECONDS = 5.0
"""Between looks whether the files of the options have changed."""


class Flags(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are; ``settings`` are flags that say something of the cards, by their names."""

    node_name: str
    driver: str = "nvml"
    script: str | None = None
    device_config: str | None = None
    node_config: str | None = None
    settings: dict[str, str] = {}
    kubelet_folder: str = "/var/lib/kubelet/device-plugins"
    pod_resources: str = "/var/lib/kubelet/pod-resources/kubelet.sock"
    host: str = "0.0.0.0"
    metrics_port: int = 9394
    kubeconfig: str | None = None


class _Stop(Exception):
    """Raised in the task group when the process was asked to stop."""


async def serve(flags: Flags) -> None:
    """Run until SIGTERM or SIGINT.

    Raises NoConfiguration, DriverError and Mistakes where it cannot start.
    """
    gc.set_threshold(20_000, 50, 100)
    files = _Files(flags)
    options = files.read()
    driver = await _driver(flags)
    client = await clients.connect(flags.kubeconfig)
    agent = _Agent(flags, options, driver, client)
    try:
        async with asyncio.TaskGroup() as tasks:
            await agent.start(tasks, files)
    except* _Stop:
        log.info("stopped")
    finally:
        await agent.stop()
        await driver.close()
        await client.close()


async def _driver(flags: Flags) -> Driver:
    if flags.driver == "scripted":
        assert flags.script is not None, "the command line asks for it"
        return Scripted(Path(flags.script))
    from hami_admission.agent.nvml import Nvml

    return await Nvml.start()


class _Files:
    """The options as flags and files say; they may be read again."""

    def __init__(self, flags: Flags) -> None:
        self._flags = flags
        self._stamps: list[int | None] = []

    def changed(self) -> bool:
        """Is one of them another file than it was?"""
        return self._stamps != [_stamp(each) for each in self._paths()]

    def read(self) -> Options:
        """Raises Mistakes with all that is wrong; what has no effect is said."""
        self._stamps = [_stamp(each) for each in self._paths()]
        general, own = (None if path is None else _yaml(path) for path in self._paths())
        found = sources.read(
            device_config=general,
            node_config=own,
            environment={**os.environ, "NODE_NAME": self._flags.node_name},
            flags=self._flags.settings,
        )
        for note in found.notes:
            log.warning("setting without effect", extra={"note": note})
        return found.options

    def _paths(self) -> tuple[str | None, str | None]:
        return (self._flags.device_config, self._flags.node_config)


def _stamp(path: str | None) -> int | None:
    try:
        return None if path is None else Path(path).stat().st_mtime_ns
    except OSError:
        return None


def _yaml(path: str) -> object:
    """JSON is YAML."""
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise Mistakes([f"{path}: {error}"]) from error


class _Agent:
    """The parts of the process and how they know each other."""

    def __init__(self, flags: Flags, options: Options, driver: Driver, client: Client) -> None:
        self._flags = flags
        name, clock = flags.node_name, time.time
        self.recorder = Recorder(client, COMPONENT, clock)
        admissions = Admissions()
        self.own = Own(client, name, admissions)
        self.resources = PodResources(Path(flags.pod_resources))
        self.desk = Desk(admissions, self.own, self.resources, self._refused)
        self.desk.options = options
        self.cards = Cards(name, driver, options, self.own, clock)
        self.plugin = Plugin(options.resource_name, self.desk)
        self.kubelet = Kubelet(Path(flags.kubelet_folder), [self.plugin])
        self.register = Register(client, name)
        self.rivals = Rivals(name, self.resources, self.plugin, self.kubelet, self.recorder.tell)
        self.monitor = Monitor(driver, self.cards, self.own, self.resources)
        self.pages = Pages(self._families, self._missing)
        self.instances = Instances(client, name, driver, self.own, time.monotonic)
        self.refusals: Counter[type[Objection]] = Counter()
        self._cutting: asyncio.Task[None] | None = None
        self._client = client
        self._misplaced: asyncio.Queue[OwnPod] = asyncio.Queue()

    async def start(self, tasks: asyncio.TaskGroup, files: _Files) -> None:
        """The cards first: the kubelet is told of nothing that is not there."""
        await self.cards.look()
        await self.pages.start(self._flags.host, self._flags.metrics_port)
        for lasting in (
            *(self.own.run(), self.recorder.run(), self.cards.listen()),
            self.cards.run(self.plugin, self.register, self.desk, self.recorder.tell),
            *(self.kubelet.run(), self.rivals.run(), self.monitor.run(), self._evict()),
            *(self._follow(files, tasks), self._until_stopped()),
        ):
            tasks.create_task(lasting)
        self._cut(tasks)

    async def stop(self) -> None:
        """Pods that run go on; no new ones come."""
        await asyncio.to_thread(self.monitor.release)
        await self.kubelet.stop()
        await self.pages.stop()

    def _families(self) -> Iterator[Metric]:
        counts = {
            "registrations": self.kubelet.registrations,
            "allocations": self.plugin.allocations,
            "answer_seconds": self.plugin.seconds,
            "node_writes": self.register.writes,
            "mismatches": self.refusals[OtherCards],
            "not_placed": self.refusals[NotPlaced],
            "unchecked": self.desk.unchecked,
            "instances": self.instances.made,
        }
        found = self.cards.inventory
        cards = {each.uuid: found.sick.get(each.uuid, "") for each in found.devices}
        yield from agent.families(agent.AgentView(counts, cards, self.rivals.found))
        yield from node.families(self.monitor.table, self._flags.node_name)

    def _missing(self) -> list[str]:
        done = {
            "pods of the node": self.own.listed,
            "registration at the kubelet": self.kubelet.registrations > 0,
            "annotations of the node": self.register.published,
        }
        return [what for what, is_done in done.items() if not is_done]

    async def _follow(self, files: _Files, tasks: asyncio.TaskGroup) -> None:
        """Files that are wrong leave everything as it was."""
        while True:
            await asyncio.sleep(FILES_SECONDS)
            if not files.changed():
                continue
            try:
                options = files.read()
            except Mistakes as error:
                for line in error.lines:
                    log.error("settings not taken", extra={"error": line})
                continue
            if options.resource_name != self.plugin.resource:
                log.error(
                    "another resource name needs a restart",
                    extra={"resource": options.resource_name},
                )
                options = msgspec.structs.replace(options, resource_name=self.plugin.resource)
            self.cards.use(options)
            self._cut(tasks)
            log.info("settings taken")

    def _cut(self, tasks: asyncio.TaskGroup) -> None:
        """Once its cards are to be cut into instances, somebody must do it."""
        if self._cutting is None and self.cards.options.mode == inventory.MIG:
            self._cutting = tasks.create_task(self.instances.run())

    async def _until_stopped(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await stop.wait()
        raise _Stop

    def _refused(self, pod: OwnPod, objection: Objection, text: str) -> None:
        self.refusals[type(objection)] += 1
        fields = {"pod": f"{pod.namespace}/{pod.name}", "error": text}
        log.error("container kept from starting", extra=fields)
        if isinstance(objection, OtherCards):
            notice = Notice(pod.namespace, pod.name, pod.uid, "OtherCards", text, "Warning")
            self._misplaced.put_nowait(pod)
        else:
            notice = Notice(pod.namespace, pod.name, pod.uid, "NotPlaced", text, "Warning")
        self.recorder.tell(notice)

    async def _evict(self) -> None:
        """Pods that the kubelet gave other cards than theirs: they cannot start, and go.

        One that cannot be evicted now is found again when the kubelet tries to start it again.
        """
        while True:
            pod = await self._misplaced.get()
            body = evictions.encode(pod.namespace, pod.name, pod.uid)
            try:
                path = paths.eviction(pod.namespace, pod.name)
                await self._client.request("POST", path, body)
            except errors.ApiError as error:
                fields = {"pod": f"{pod.namespace}/{pod.name}", "error": str(error)}
                log.warning("not evicted", extra=fields)
