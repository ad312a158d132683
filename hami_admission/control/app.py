"""The wiring of the control process, and the order of start and stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from prometheus_client import CollectorRegistry

from hami_admission.certificates import context as contexts
from hami_admission.certificates.rotation import Keeper
from hami_admission.cluster.state import Cluster
from hami_admission.control.bind import Binder
from hami_admission.control.charging import Charging
from hami_admission.control.extender import Extender
from hami_admission.control.feed import Feed
from hami_admission.control.http import Route, Routes, Server
from hami_admission.control.probes import Probes
from hami_admission.control.scrape import Scrape
from hami_admission.control.snapshots import Snapshots
from hami_admission.control.upkeep import Upkeep
from hami_admission.control.waker import Waker
from hami_admission.control.webhook import Webhook
from hami_admission.kube import client as clients
from hami_admission.kube import errors
from hami_admission.kube.events import Recorder
from hami_admission.metrics.meters import Meters
from hami_admission.wire import extender as wire_extender
from hami_admission.wire import reviews

if TYPE_CHECKING:
    from ssl import SSLContext

    from hami_admission.certificates.authority import Identity
    from hami_admission.control.scrape import Count
    from hami_admission.kube.client import Client
    from hami_admission.settings import Settings

log = logging.getLogger(__name__)

CERTIFICATE_SECONDS, MISSING_SECONDS = 60.0, 1.0
"""Between looks at certificate and webhook configurations; shorter while one is missing."""

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
    kubeconfig: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names and addresses that the serving certificate is for."""
        host = f"{self.service}.{self.namespace}.svc"
        return (host, f"{host}.cluster.local", "localhost", "127.0.0.1")


class _Stop(Exception):
    """Raised in the task group when the process was asked to stop."""


def tune() -> None:
    """Fewer rounds of the garbage collector: much is kept, and none of it in cycles.

    And a thread that writes a scrape or a snapshot keeps reviews waiting a tenth as long at a time
    as Python lets it.
    """
    gc.set_threshold(20_000, 50, 100)
    sys.setswitchinterval(0.0005)


async def serve(options: Options, settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; then stop in reverse order of the start."""
    tune()
    client = await clients.connect(options.kubeconfig)
    try:
        async with asyncio.TaskGroup() as tasks:
            await _start(options, settings, client, tasks)
    except* _Stop:
        log.info("stopped")
    finally:
        await client.close()


async def _start(
    options: Options, settings: Settings, client: Client, tasks: asyncio.TaskGroup
) -> None:
    """Certificate, listener, watches, upkeep: each may rely on those before it."""
    cluster = Cluster(settings)
    charging = Charging(cluster, client, time.time, tasks)
    binder = Binder(cluster, charging, client, time.time)
    probes = Probes(cluster)
    webhook = Webhook(cluster, charging, time.time)
    recorder = Recorder(client, settings.scheduler_name, time.time)
    waker = Waker(cluster, client, time.time)
    cluster.waiting.on_room = waker.ring
    extender = Extender(cluster, binder, recorder.tell, time.time)
    registry = CollectorRegistry()
    meters = Meters(registry)
    scrape = Scrape(cluster, registry, partial(_counts, recorder, waker))
    snapshots = Snapshots(cluster, time.time)
    server = Server(
        routes(webhook, extender, probes, snapshots), meters.request, grace=DRAIN_SECONDS
    )
    metrics = Server({("GET", "/metrics"): Route(scrape.metrics)})
    tls = contexts.create()
    keeper = Keeper(
        client,
        namespace=options.namespace,
        secret=options.secret,
        names=options.names,
        clock=lambda: datetime.now(UTC),
    )
    contexts.load(tls, await _first_identity(keeper))
    port = await server.start(options.host, options.port, tls)
    log.info("listening", extra={"host": options.host, "port": port})
    await metrics.start(options.host, options.metrics_port, None)
    feed = Feed(cluster, charging, client, time.time)
    for following in (feed.nodes, feed.quotas, feed.pods):
        tasks.create_task(following())
    tasks.create_task(_certificates(keeper, tls, options.webhooks, probes))
    upkeep = Upkeep(cluster, charging, client, time.time, meters.expired.inc)
    tasks.create_task(upkeep.run())
    tasks.create_task(recorder.run())
    tasks.create_task(waker.run())
    tasks.create_task(_until_stopped(server, metrics, probes))


def routes(webhook: Webhook, extender: Extender, probes: Probes, snapshots: Snapshots) -> Routes:
    """Every route that we serve; ``webhook`` is upstream's name for ``mutate``."""
    mutate = Route(webhook.mutate, reviews.MAX_BYTES)
    longest = wire_extender.MAX_BYTES
    return {
        ("POST", "/mutate"): mutate,
        ("POST", "/webhook"): mutate,
        ("POST", "/validate"): Route(webhook.validate, reviews.MAX_BYTES),
        ("POST", "/filter"): Route(extender.filter, longest, local=True),
        ("POST", "/prioritize"): Route(extender.prioritize, longest, local=True),
        ("POST", "/bind"): Route(extender.bind, longest, local=True),
        ("GET", "/healthz"): Route(probes.healthz),
        ("GET", "/readyz"): Route(probes.readyz),
        ("GET", "/snapshot"): Route(snapshots.snapshot, local=True),
    }


def _counts(recorder: Recorder, waker: Waker) -> list[Count]:
    """What these two count themselves."""
    told = {"written": recorder.written, "dropped": recorder.dropped}
    return [
        ("hami_admission_events", "Events for pods, by what became of them.", told),
        ("hami_admission_wakes", "Writes that woke waiting pods.", {"written": waker.writes}),
    ]


async def _first_identity(keeper: Keeper) -> Identity:
    while True:
        try:
            return await keeper.identity()
        except errors.ApiError as error:
            log.warning("no certificate yet", extra={"error": str(error)})
            await asyncio.sleep(MISSING_SECONDS)


async def _certificates(
    keeper: Keeper, tls: SSLContext, configuration: str, probes: Probes
) -> None:
    """Keep the serving certificate good and the webhook configurations knowing its authority."""
    while True:
        missing: list[str] = ["?"]
        try:
            identity = await keeper.identity()
            contexts.load(tls, identity)
            missing = await keeper.publish(identity, configuration)
            if missing and not probes.published:
                log.warning("webhook configurations missing", extra={"paths": missing})
            probes.published = not missing
        except errors.ApiError as error:
            log.warning("certificate not looked after", extra={"error": str(error)})
        except Exception:  # what is served now stays good for weeks
            log.exception("certificate not looked after")
        await asyncio.sleep(MISSING_SECONDS if missing else CERTIFICATE_SECONDS)


async def _until_stopped(server: Server, metrics: Server, probes: Probes) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    probes.leaving = True
    log.info("stopping")
    await server.stop()
    await metrics.stop()
    raise _Stop
