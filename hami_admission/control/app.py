"""The wiring of the control process, and the order of start and stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import secrets
import signal
import socket
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from prometheus_client import CollectorRegistry

from hami_admission.certificates.files import Files
from hami_admission.certificates.rotation import Keeper, Publisher
from hami_admission.cluster.state import Cluster
from hami_admission.control import trials
from hami_admission.control.bind import Binder
from hami_admission.control.catchup import CatchUp
from hami_admission.control.charging import Charging
from hami_admission.control.disbelief import Disbelief
from hami_admission.control.excess import Excess
from hami_admission.control.extender import Extender
from hami_admission.control.feed import Feed
from hami_admission.control.http import Route, Routes, Server
from hami_admission.control.preempt import Preemptor
from hami_admission.control.probes import Probes
from hami_admission.control.scrape import Scrape
from hami_admission.control.senders import Senders
from hami_admission.control.snapshots import Snapshots
from hami_admission.control.surprises import Surprises
from hami_admission.control.tls import Tls
from hami_admission.control.upkeep import Upkeep
from hami_admission.control.waker import Waker
from hami_admission.control.webhook import Webhook
from hami_admission.kube import client as clients
from hami_admission.kube import paths
from hami_admission.kube.election import Election
from hami_admission.kube.events import Recorder
from hami_admission.metrics.meters import Meters
from hami_admission.settings import Settings
from hami_admission.wire import extender as wire_extender
from hami_admission.wire import reviews

if TYPE_CHECKING:
    from hami_admission.control.http import Guard
    from hami_admission.control.scrape import Count
    from hami_admission.control.tls import Source
    from hami_admission.kube.client import Client

log = logging.getLogger(__name__)

DRAIN_SECONDS = 5.0
"""For reviews and binds in flight when the process stops; longer than any review may take."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Where the process listens and under which names it is known."""

    host: str = "0.0.0.0"
    port: int = 8443
    metrics_port: int = 9395
    namespace: str = "hami-system"
    service: str = "hami-admission"
    secret: str = "hami-admission-tls"
    webhooks: str = "hami-admission"
    lease: str = "hami-admission"
    scheduler_lease: str = "hami-system/hami-scheduler"
    leaving_seconds: float = 5.0
    """Between being unready and refusing connections: until no one is sent to us any more."""
    kubeconfig: str | None = None
    tls_folder: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names and addresses that the serving certificate is for."""
        host = f"{self.service}.{self.namespace}.svc"
        return (host, f"{host}.cluster.local", "localhost", "127.0.0.1")

    @property
    def scheduler_lease_path(self) -> str:
        """The Lease by which the kube-schedulers beside our replicas elect their leader."""
        return paths.lease(*self.scheduler_lease.split("/", 1))


class _Stop(Exception):
    """Raised in the task group when the process was asked to stop."""


def tune() -> None:
    """Fewer rounds of the garbage collector: much is kept, and none of it in cycles.

    And a thread that writes a scrape or a snapshot keeps reviews waiting a tenth as long at a time
    as Python lets it. And as many files as may be: each connection is one, and shells and container
    runtimes give a thousand unless asked for more.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    gc.set_threshold(20_000, 50, 100)
    sys.setswitchinterval(0.0005)


async def serve(options: Options, settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; then stop in reverse order of the start."""
    tune()
    client = await clients.connect(options.kubeconfig)
    try:
        async with asyncio.TaskGroup() as tasks:
            await _Control(options, settings, client, tasks).start(tasks)
    except* _Stop:
        log.info("stopped")
    finally:
        await client.close()


async def authority(options: Options) -> bytes:
    """What the kube-scheduler beside us is to trust, in PEM; it reads it once, when it starts.

    A Secret that is not there is made, as ``serve`` makes it.
    """
    client = await clients.connect(options.kubeconfig)
    try:
        publisher = Publisher(client, options.webhooks)
        tls = Tls(_source(options, client), publisher, Probes(Cluster(Settings())))
        await tls.start()
    finally:
        await client.close()
    return tls.authority


async def trial(options: Options, settings: Settings, namespace: str) -> list[str]:
    """What is wrong with the answer to a pod that is created for a trial. Raises ApiError."""
    client = await clients.connect(options.kubeconfig)
    try:
        return await trials.ask(client, namespace, settings)
    finally:
        await client.close()


class _Control:
    """The parts of the process and how they know each other."""

    def __init__(
        self, options: Options, settings: Settings, client: Client, tasks: asyncio.TaskGroup
    ) -> None:
        clock = time.time
        self.options = options
        self.cluster = Cluster(settings)
        self.election = Election(client, options.namespace, options.lease, _identity())
        self.recorder = Recorder(client, settings.scheduler_name, clock)
        self.surprises = Surprises(self.recorder.tell)
        leads = self.election.leads
        self.charging = Charging(self.cluster, client, clock, tasks, leads, self.surprises)
        self.election.on_lead = self._lead
        self.feed = Feed(self.cluster, self.charging, client, clock)
        self.catch_up = CatchUp(client, options.scheduler_lease_path, self.feed.refresh)
        self.waker = Waker(self.cluster, client, clock)
        self.cluster.waiting.on_room = self.waker.ring
        self.preemptor = Preemptor(self.cluster, client, self.recorder.tell, clock)
        self.senders = Senders(settings, client)
        self.probes = Probes(
            self.cluster, lambda: self.election.silence, lambda: self.senders.known
        )
        self.tls = Tls(_source(options, client), Publisher(client, options.webhooks), self.probes)
        registry = CollectorRegistry()
        meters = Meters(registry)
        self.upkeep = Upkeep(self.cluster, self.charging, client, clock, leads, meters.expired.inc)
        tell = self.recorder.tell
        self.upkeep.on_round = (Excess(self.cluster, tell).look, Disbelief(self.cluster, tell).look)
        meters.standing(leads, lambda: not self.probes.missing(), lambda: self.tls.ends)
        self.webhook = Webhook(self.cluster, self.charging, clock)
        self.client = client
        served = self._routes(client, meters)
        meters.expect(path for _, path in served)
        self.server = Server(served, meters.request, grace=DRAIN_SECONDS)
        scrape = Scrape(self.cluster, registry, self._counts)
        self.metrics = Server({("GET", "/metrics"): Route(scrape.metrics)})

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Certificate, listener, watches, upkeep: each may rely on those before it."""
        await self.tls.start()
        self.tls.ask_for(self.cluster.settings.review_authority)
        port = await self.server.start(self.options.host, self.options.port, self.tls.context)
        log.info("listening", extra={"host": self.options.host, "port": port})
        await self.metrics.start(self.options.host, self.options.metrics_port, None)
        await self.catch_up.start()
        for lasting in (
            *(self.feed.nodes(), self.feed.quotas(), self.feed.pods()),
            *(self.tls.run(), self.upkeep.run(), self.election.run()),
            *(self.recorder.run(), self.waker.run(), self.preemptor.run(), self.senders.run()),
            self._until_stopped(),
        ):
            tasks.create_task(lasting)

    async def _until_stopped(self) -> None:
        """Unready first, and served on while the way to us is taken down; then others lead."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await stop.wait()
        self.probes.leaving = True
        self.server.leave()
        log.info("stopping")
        await asyncio.sleep(self.options.leaving_seconds)
        await self.server.stop()
        await self.metrics.stop()
        await self.election.resign()
        raise _Stop

    def _lead(self) -> None:
        self.charging.touch(self.cluster.quotas.namespaces(), moved=False)

    def _routes(self, client: Client, meters: Meters) -> Routes:
        clock = time.time
        binder = Binder(self.cluster, self.charging, client, clock)
        binder.locks.on_wait = meters.lock_wait
        ensure, tell = self.catch_up.ensure, self.recorder.tell
        extender = Extender(self.cluster, binder, ensure, tell, clock)
        extender.on_refused = self.preemptor.ask
        return routes(
            self.webhook,
            extender,
            self.probes,
            Snapshots(self.cluster, clock),
            self.senders.guard,
        )

    def _counts(self) -> list[Count]:
        """What the parts count themselves."""
        told = {"written": self.recorder.written, "dropped": self.recorder.dropped}
        woken = {"written": self.waker.writes}
        victims = {"evicted": self.preemptor.evicted, "refused": self.preemptor.refused}
        return [
            ("hami_admission_events", "Events for pods, by what became of them.", told),
            ("hami_admission_wakes", "Writes that woke waiting pods.", woken),
            (
                "hami_admission_malformed_requests",
                "Requests on the port of the webhooks that were no HTTP.",
                {"refused": self.server.malformed},
            ),
            (
                "hami_admission_refused_senders",
                "Reviews of who may not send them, by what is wrong with him.",
                self.senders.refused,
            ),
            (
                "hami_admission_quota_repairs",
                "Quotas that did not show what their pods take, for no reason that is known.",
                {"repaired": self.surprises.repairs},
            ),
            (
                "hami_admission_reviews",
                "Reviews that both webhooks have answered, by what they said.",
                self.webhook.verdicts,
            ),
            (
                "hami_admission_api_failures",
                "Requests of ours that the API server did not grant, by its status.",
                dict(self.client.failures),
            ),
            ("hami_admission_preemptions", "Evictions for pods of higher priority.", victims),
        ]


def _source(options: Options, client: Client) -> Source:
    """Files that others look after, or else a Secret of our own."""
    if options.tls_folder is not None:
        return Files(options.tls_folder)
    return Keeper(
        client,
        namespace=options.namespace,
        secret=options.secret,
        names=options.names,
        clock=lambda: datetime.fromtimestamp(time.time(), UTC),
    )


def _identity() -> str:
    """The name of the pod, and something that no other process of that name had."""
    return f"{socket.gethostname()}_{secrets.token_hex(4)}"


def routes(
    webhook: Webhook, extender: Extender, probes: Probes, snapshots: Snapshots, guard: Guard
) -> Routes:
    """Every route that we serve; ``webhook`` is upstream's name for ``mutate``.

    ``guard`` stands before reviews.
    """
    largest, seconds = reviews.MAX_BYTES, webhook.seconds
    mutate = Route(webhook.mutate, largest, seconds=seconds, guard=guard)
    validate = Route(webhook.validate, largest, seconds=seconds, guard=guard)
    longest = wire_extender.MAX_BYTES
    return {
        ("POST", "/mutate"): mutate,
        ("POST", "/webhook"): mutate,
        ("POST", "/validate"): validate,
        ("POST", "/filter"): Route(extender.filter, longest, local=True),
        ("POST", "/prioritize"): Route(extender.prioritize, longest, local=True),
        ("POST", "/bind"): Route(extender.bind, longest, local=True),
        ("GET", "/healthz"): Route(probes.healthz),
        ("GET", "/readyz"): Route(probes.readyz),
        ("GET", "/snapshot"): Route(snapshots.snapshot, local=True),
    }
