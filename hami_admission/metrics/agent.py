"""What an agent did and sees, as Prometheus families."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric


class AgentView(msgspec.Struct, frozen=True):
    """``counts`` by what is counted; ``cards`` are uuids with what is wrong, if anything."""

    counts: dict[str, float]
    cards: dict[str, str]
    foreign: int


COUNTED = {
    "registrations": "Registrations at the kubelet.",
    "allocations": "Containers whose devices the kubelet asked for.",
    "answer_seconds": "Time that the kubelet waited for answers about devices.",
    "node_writes": "Writes of the node's annotations.",
    "mismatches": "Containers that were kept from starting on other cards than their pod's.",
}


def families(view: AgentView) -> Iterator[Metric]:
    """All of them, also where they are zero."""
    for name, told in COUNTED.items():
        counter = CounterMetricFamily(f"hami_admission_agent_{name}", told)
        counter.add_metric([], view.counts.get(name, 0))
        yield counter
    healthy = GaugeMetricFamily(
        "hami_admission_agent_card_healthy",
        "1 where the card takes new pods; else 0, and why.",
        labels=["device_uuid", "reason"],
    )
    for uuid, reason in sorted(view.cards.items()):
        healthy.add_metric([uuid, reason], 0 if reason else 1)
    yield healthy
    yield GaugeMetricFamily(
        "hami_admission_agent_foreign_devices",
        "Devices of our resource that another device plugin offers on this node.",
        value=view.foreign,
    )
