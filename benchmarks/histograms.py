"""How long requests took: from the histograms of running processes, or from single times."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Buckets = list[tuple[float, float]]
"""Upper bound in seconds, how many up to it."""


async def read(hosts: Iterable[str], route: str) -> Buckets:
    """What all these processes say of a route together."""
    total: defaultdict[float, float] = defaultdict(float)
    for host in hosts:
        for bound, count in _buckets(await _metrics(host), route):
            total[bound] += count
    return sorted(total.items())


async def _metrics(host: str) -> str:
    async with aiohttp.ClientSession() as session:
        answer = await session.get(f"http://{host}:9395/metrics")
        return await answer.text()


def _buckets(text: str, route: str) -> Iterator[tuple[float, float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if (
                sample.name == "hami_admission_request_duration_seconds_bucket"
                and sample.labels["route"] == route
            ):
                yield float(sample.labels["le"]), sample.value


def since(before: Buckets, after: Buckets) -> Buckets:
    """What came in between."""
    earlier = dict(before)
    return [(bound, count - earlier.get(bound, 0)) for bound, count in after]


def quantile(buckets: Buckets, share: float) -> str:
    """The bucket that holds it, as text in milliseconds."""
    total = buckets[-1][1] if buckets else 0
    for bound, count in buckets:
        if total and count >= share * total:
            return f"≤ {1000 * bound:g} ms"
    return "none"


def marks(times: list[float]) -> str:
    """Median, 99th percentile and longest in milliseconds."""
    found = sorted(times)
    p99 = found[min(len(found) * 99 // 100, len(found) - 1)]
    return " / ".join(f"{1000 * each:.0f}" for each in (found[len(found) // 2], p99, found[-1]))
