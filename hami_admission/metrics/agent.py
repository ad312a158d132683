"""What an agent did and sees, as Prometheus families."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric


class AgentView(msgspec.Struct, frozen=True):
    """``counts`` by what is counted, without the prefix; ``cards`` are uuids with what is wrong,
    if anything."""

    counts: dict[str, float]
    cards: dict[str, str]
    foreign: int


PREFIX = "hami_admission_agent_"
COUNTED = {
    "hami_admission_agent_registrations": "Registrations at the kubelet.",
    "hami_admission_agent_allocations": "Containers whose devices the kubelet asked for.",
    "hami_admission_agent_answer_seconds": "Time that the kubelet waited for us.",
    "hami_admission_agent_node_writes": "Writes of the node's annotations.",
    "hami_admission_agent_instances": "MIG instances that were made.",
    "hami_admission_agent_mismatches": "Containers kept from starting on other cards than theirs.",
    "hami_admission_agent_not_placed": "Containers kept from starting that nobody placed.",
    "hami_admission_agent_unchecked": "Containers started though nobody said whose they are.",
}


def families(view: AgentView) -> Iterator[Metric]:
    """All of them, also where they are zero."""
    for name, told in COUNTED.items():
        counter = CounterMetricFamily(name, told)
        counter.add_metric([], view.counts.get(name.removeprefix(PREFIX), 0))
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
