"""GET /metrics, on a port of its own: a scrape of a large cluster is long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from hami_admission.cluster import overview
from hami_admission.control.http import Reply
from hami_admission.metrics import control

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from hami_admission.cluster.overview import Overview
    from hami_admission.cluster.state import Cluster

Count = tuple[str, str, dict[str, int]]
"""A counter: its name, what it counts, and its value by result."""


class _View:
    """Hands prometheus-client the families of one view."""

    def __init__(self, view: Overview, counts: list[Count]) -> None:
        self._view = view
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        yield from control.families(self._view)
        for name, told, values in self._counts:
            family = CounterMetricFamily(name, told, labels=["result"])
            for result, value in values.items():
                family.add_metric([result], value)
            yield family


class Scrape:
    """``counts`` gives the counters that others keep."""

    def __init__(
        self,
        cluster: Cluster,
        registry: CollectorRegistry,
        counts: Callable[[], list[Count]],
    ) -> None:
        self._cluster = cluster
        self._registry = registry
        self._counts = counts
        self._lock = asyncio.Lock()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)

    async def metrics(self, _: bytes) -> Reply:
        """The exposition text; made in a thread, from a view that was taken at once."""
        async with self._lock:  # two scrapes at a time would take twice the memory
            view = _View(overview.of(self._cluster), self._counts())
            body = await asyncio.to_thread(self._text, view)
        return Reply(body, content_type=CONTENT_TYPE_PLAIN_0_0_4)

    def _text(self, view: _View) -> bytes:
        of_view = CollectorRegistry()
        of_view.register(view)
        return generate_latest(self._registry) + generate_latest(of_view)
