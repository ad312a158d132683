"""The cluster as metric families: upstream's names and labels (facts/scheduling.md 15), and ours.

``limit`` is what a card offers, ``allocated`` what is given out of it; what is used in fact only
the node knows.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily

from hami_admission.metrics.families import ZONE, build_info, gauge
from hami_admission.model.verdict import NODE_UNREGISTERED, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from hami_admission.cluster.overview import Overview
    from hami_admission.model.card import Card

MIB = 1 << 20

_CARD = ("zone", "node", "device_uuid", "device_index", "device_type")
_CORES = ("zone", "node", "device_uuid", "device_index", "device_cores", "device_type")
_OVERVIEW = (*_CORES[:5], "device_memory_limit", "device_type")
_HELD = ("zone", "namespace", "node", "pod", "container_index", "device_uuid")
_MIG = (
    *("zone", "node", "device_uuid", "device_index", "mig_uuid", "profile", "gpu_instance_id"),
    *("compute_instance_id", "placement_start", "placement_size"),
)
_LIMIT = ("zone", "namespace", "quota_name", "quota")
_USED = (*_LIMIT, "limit")
_REASONS = (*(each.value for each in Reason), NODE_UNREGISTERED)


def families(view: Overview) -> Iterator[Metric]:
    """All of them."""
    yield from _cards(view)
    yield from _held(view)
    yield from _quotas(view)
    yield from _drift(view)
    yield _exceeded(view)
    yield from _ours(view)
    yield from _waiting(view)
    yield build_info()


def _cards(view: Overview) -> Iterator[Metric]:
    cards = [((ZONE, node, *_of_card(card)), card) for node, card in view.cards()]
    with_cores = [
        ((*labels[:4], str(card.device.cores), labels[4]), card) for labels, card in cards
    ]
    yield gauge(
        "hami_gpu_memory_limit_bytes",
        "Memory that a card offers.",
        _CARD,
        [(labels, card.device.memory_mib * MIB) for labels, card in cards],
    )
    yield gauge(
        "hami_gpu_core_limit_ratio",
        "Cores that a card offers, 100 is one whole card.",
        _CARD,
        [(labels, card.device.cores) for labels, card in cards],
    )
    yield gauge(
        "hami_gpu_memory_allocated_bytes",
        "Memory of a card that is given out.",
        _CORES,
        [(labels, card.memory_mib * MIB) for labels, card in with_cores],
    )
    yield gauge(
        "hami_gpu_shared_count",
        "Containers on a card.",
        _CARD,
        [(labels, card.slots) for labels, card in cards],
    )
    yield gauge(
        "hami_gpu_core_allocated_ratio",
        "Cores of a card that are given out.",
        _CARD,
        [(labels, card.cores) for labels, card in cards],
    )
    yield gauge(
        "hami_node_gpu_overview",
        "Memory of a card that is given out, with what it offers as labels.",
        _OVERVIEW,
        [
            ((*labels[:5], str(card.device.memory_mib), labels[5]), card.memory_mib * MIB)
            for labels, card in with_cores
        ],
    )
    yield gauge(
        "hami_node_gpu_memory_allocated_ratio",
        "Share of a card's memory that is given out, 0 to 1.",
        _CARD,
        [
            (labels, card.memory_mib / card.device.memory_mib if card.device.memory_mib else 0)
            for labels, card in cards
        ],
    )


def _of_card(card: Card) -> tuple[str, str, str]:
    return card.device.uuid, str(card.device.index), card.device.type


def _held(view: Overview) -> Iterator[Metric]:
    held = [
        (
            (ZONE, each.namespace, each.node, each.pod, str(each.slot), each.grant.uuid),
            each.grant,
        )
        for each in view.held()
    ]
    yield gauge(
        "hami_vgpu_memory_allocated_bytes",
        "Memory of a card that a container has.",
        _HELD,
        [(labels, grant.memory_mib * MIB) for labels, grant in held],
    )
    yield gauge(
        "hami_vgpu_core_allocated_ratio",
        "Cores of a card that a container has.",
        _HELD,
        [(labels, grant.cores) for labels, grant in held],
    )
    index = {card.device.uuid: str(card.device.index) for _, card in view.cards()}
    yield gauge(
        "hami_node_gpu_mig_instance_info",
        "Instances that are reserved; their ids are the node's to give.",
        _MIG,
        [
            (
                (
                    *(ZONE, labels[2], grant.uuid, index.get(grant.uuid, "")),
                    *("", grant.profile, "", ""),
                    *(str(grant.units[0]), str(len(grant.units))),
                ),
                1,
            )
            for labels, grant in held
            if grant.profile
        ],
    )


def _quotas(view: Overview) -> Iterator[Metric]:
    """In the units of the quota: cards, MiB, percent points.

    ``quota_name`` is the resource, as upstream has it; ``quota`` is the ResourceQuota: a namespace
    may have several.
    """
    rows = [
        ((ZONE, quota.namespace, name, quota.name), quota.used.get(name, 0), hard)
        for quota in view.quotas
        for name, hard in quota.hard.items()
    ]
    yield gauge(
        "hami_resource_quota_used",
        "What a ResourceQuota counts as used.",
        _USED,
        [((*labels, str(hard)), used) for labels, used, hard in rows],
    )
    yield gauge(
        "hami_resource_quota_limit",
        "What a ResourceQuota allows.",
        _LIMIT,
        [(labels, hard) for labels, _, hard in rows],
    )


def _drift(view: Overview) -> Iterator[Metric]:
    yield gauge(
        "hami_admission_quota_drift",
        "What a ResourceQuota shows beyond what its pods come to; 0 but for moments.",
        _LIMIT,
        [((ZONE, quota.namespace, name, quota.name), value) for quota, name, value in view.drifts],
    )


def _exceeded(view: Overview) -> Metric:
    return gauge(
        "hami_admission_card_exceeded",
        "Cards of which more is given out than there is: pods that were bound past us.",
        _CARD,
        [((ZONE, node, *_of_card(card)), 1) for node, card in view.exceeded],
    )


def _ours(view: Overview) -> Iterator[Metric]:
    waiting = len(view.waiting)
    gauges = (
        ("nodes", "Nodes that offer cards.", len(view.usage)),
        ("pods", "Pods that ask for cards or have some.", view.pods),
        ("cards_on_two_nodes", "Cards that several nodes say they have.", view.twice),
        ("unasked_pods", "Pods with cards by annotation that they do not ask.", view.unasked),
        ("damaged_pods", "Pods whose annotations do not say which cards they have.", view.damaged),
        ("bookings", "Pods that were given cards and are not seen bound yet.", view.bookings),
        ("waiting_pods", "Pods that found no room when they were asked about last.", waiting),
        ("kept_tables", "Requests of one shape whose answers are kept.", view.tables),
    )
    for name, told, value in gauges:
        yield gauge(f"hami_admission_{name}", told, (), [((), value)])
    nodes = CounterMetricFamily(
        "hami_admission_plan_nodes",
        "Nodes in questions, by how the answer came.",
        labels=["answer"],
    )
    nodes.add_metric(["computed"], view.computed)
    nodes.add_metric(["kept"], max(view.asked - view.computed, 0))
    yield nodes


def _waiting(view: Overview) -> Iterator[Metric]:
    yield gauge(
        "hami_admission_waiting_since_timestamp_seconds",
        "Unix time since which the longest waiting pod finds no room; nothing while none waits.",
        (),
        [((), min(each.since for each in view.waiting))] if view.waiting else [],
    )
    found: dict[str, list[str]] = {}  # most pods wait for the same
    pods: Counter[str] = Counter()
    for each in view.waiting:
        for text in each.reasons:
            if text not in found:
                found[text] = [reason for reason in _REASONS if reason in text]
        pods.update({reason for text in each.reasons for reason in found[text]})
    yield gauge(
        "hami_admission_waiting_pods_by_reason",
        "Waiting pods for which this reason held on some node; a pod may have several.",
        ("reason",),
        [((reason,), count) for reason, count in sorted(pods.items())],
    )
