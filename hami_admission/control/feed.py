"""Watches to ``Cluster``: one follower per kind; what changed is told to the ledger's writer."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from typing import TYPE_CHECKING

from hami_admission.admission.scope import DEFAULT_SCHEDULER
from hami_admission.cluster import events, records
from hami_admission.kube import paths, reflector, watch
from hami_admission.wire import nodes, pods, quotas
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from hami_admission.cluster.state import Cluster
    from hami_admission.control.charging import Charging
    from hami_admission.kube.client import Client
    from hami_admission.kube.reflector import Signal
    from hami_admission.model.pod import Pod

    Keyed = tuple[str | None, events.Event]
    Decode = Callable[[msgspec.Raw, int], Keyed]

log = logging.getLogger(__name__)

TURN_SECONDS = 0.001
"""How long objects are taken in before others have their turn: a review waits no longer."""

LASTING = 1000
"""Listed objects after which the garbage collector is told that they stay."""


class Feed:
    """Follows pods that may hold cards, all nodes, all quotas."""

    def __init__(
        self, cluster: Cluster, charging: Charging, client: Client, clock: Callable[[], float]
    ) -> None:
        self._cluster = cluster
        self._charging = charging
        self._client = client
        self._clock = clock
        self._again = asyncio.Event()
        self._begun = 0
        self._complete_since = asyncio.Condition()
        self._listed = 0

    async def pods(self) -> None:
        """Pods that name a scheduler, whichever: under a name that ours had before, some still hold
        cards. One watch, because one version says how far we have seen; those who name none, mostly
        all, are not among them, unless that name is ours."""
        ours = DEFAULT_SCHEDULER in self._cluster.settings.scheduler_names
        selector = "" if ours else f"spec.schedulerName!={DEFAULT_SCHEDULER}"
        while True:
            self._again.clear()
            self._begun += 1
            following = reflector.Reflector(paths.PODS, selector)
            watching = asyncio.create_task(
                self._follow(events.Kind.PODS, following, self._pod_seen, self._pod_gone)
            )
            again = asyncio.create_task(self._again.wait())
            try:
                await asyncio.wait({watching, again}, return_when=asyncio.FIRST_COMPLETED)
                if watching.done():
                    watching.result()
            finally:
                for task in (watching, again):
                    task.cancel()
                await asyncio.gather(watching, again, return_exceptions=True)

    async def refresh(self) -> None:
        """Returns when all pods were listed anew, from a list that began after the call."""
        wanted = self._begun + 1
        self._again.set()
        async with self._complete_since:
            await self._complete_since.wait_for(lambda: self._listed >= wanted)

    async def nodes(self) -> None:
        """All nodes; those without a register annotation cost a name."""
        following = reflector.Reflector(paths.NODES)
        await self._follow(events.Kind.NODES, following, _node_seen, _node_gone)

    async def quotas(self) -> None:
        """All quotas; those without a key of ours are dropped at once."""
        following = reflector.Reflector(paths.QUOTAS)
        await self._follow(events.Kind.QUOTAS, following, _quota_seen, _quota_gone)

    async def _follow(
        self, kind: events.Kind, following: reflector.Reflector, seen: Decode, gone: Decode
    ) -> None:
        listed: set[str] | None = None
        begun = time.perf_counter()
        async for signal in watch.signals(self._client, following):
            if isinstance(signal, reflector.Listing):
                listed = set()
                if kind is events.Kind.QUOTAS:
                    self._apply(events.QuotasListing())
            elif isinstance(signal, reflector.Listed):
                self._apply(events.Listed(kind, frozenset(listed or ()), signal.version))
                await self._complete(kind, len(listed or ()))
                listed = None
            elif isinstance(signal, reflector.Reached):
                if kind is events.Kind.PODS:
                    self._apply(events.PodsReached(signal.version))
            else:
                key = self._one(kind, signal, seen, gone)
                if listed is not None and key is not None:
                    _note(listed, key)
            if time.perf_counter() - begun > TURN_SECONDS:
                await asyncio.sleep(0)
                begun = time.perf_counter()

    async def _complete(self, kind: events.Kind, listed: int) -> None:
        gc.freeze()
        log.info("listed", extra={"kind": kind.value, "objects": listed})
        if kind is events.Kind.PODS:
            async with self._complete_since:
                self._listed = self._begun
                self._complete_since.notify_all()

    def _one(self, kind: events.Kind, signal: Signal, seen: Decode, gone: Decode) -> str | None:
        """One object; one that cannot be read is said and passed over, not the end of the watch."""
        assert isinstance(signal, reflector.Seen | reflector.Removed)
        try:
            decode = seen if isinstance(signal, reflector.Seen) else gone
            key, event = decode(signal.body, signal.version)
        except Malformed as error:
            log.warning("object passed over", extra={"kind": kind.value, "error": str(error)})
            return None
        try:
            self._apply(event)
        except Exception:  # one object must not end the watch of all others
            log.exception("object not taken in", extra={"kind": kind.value, "key": key})
        return key

    def _pod_seen(self, body: msgspec.Raw, version: int) -> Keyed:
        pod = pods.decode(body)
        return self._of_pod(pod, events.PodSeen(pod, version))

    def _pod_gone(self, body: msgspec.Raw, version: int) -> Keyed:
        pod = pods.decode(body)
        return self._of_pod(pod, events.PodGone(pod.uid, version))

    def _of_pod(self, pod: Pod, event: events.PodSeen | events.PodGone) -> Keyed:
        """Of another scheduler's pod that holds nothing only the version is news."""
        if records.concern(pod, self._cluster.settings) or self._cluster.pod(pod.uid) is not None:
            return pod.uid, event
        return None, events.PodsReached(event.version)

    def _apply(self, event: events.Event) -> None:
        touched = self._cluster.apply(event, self._clock())
        self._charging.touch(touched, moved=not isinstance(event, events.QuotaSeen))


def _note(listed: set[str], key: str) -> None:
    listed.add(key)
    if len(listed) % LASTING == 0:
        gc.freeze()


def _node_seen(body: msgspec.Raw, _: int) -> Keyed:
    facts = nodes.decode(body)
    return facts.name, events.NodeSeen(facts)


def _node_gone(body: msgspec.Raw, _: int) -> Keyed:
    facts = nodes.decode(body)
    return facts.name, events.NodeGone(facts.name)


def _quota_seen(body: msgspec.Raw, _: int) -> Keyed:
    quota = quotas.decode(body)
    return f"{quota.namespace}/{quota.name}", events.QuotaSeen(quota)


def _quota_gone(body: msgspec.Raw, _: int) -> Keyed:
    quota = quotas.decode(body)
    return f"{quota.namespace}/{quota.name}", events.QuotaGone(quota.namespace, quota.name)
