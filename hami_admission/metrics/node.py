"""What a node's containers really use: upstream's names and labels (facts/node.md 3.1), and ours.

Upstream's ratios go from 0 to 100; those under ``hami_admission_node_`` from 0 to 1, and all of
ours name the node. ``device_type`` is as the card is registered, so that these join with the
scheduler's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.metrics.families import ZONE, build_info, gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client.core import Metric

    from hami_admission.metrics.families import Rows
    from hami_admission.node.usage import CardUse, Row, Table

UUID_LENGTH = 40
"""Upstream cuts names of cards; those of whole cards have exactly this length."""

_CARD = ("zone", "node", "device_index", "device_uuid", "device_type")
_CARD_WITHOUT_NODE = ("zone", "device_index", "device_uuid", "device_type")
_CONTAINER = ("zone", "namespace", "pod", "container", "vdevice_index", "device_uuid")
_MIG = (*_CONTAINER, "mig_uuid", "profile", "gpu_instance_id", "compute_instance_id")
_OURS = (*_CONTAINER, "node")


def families(table: Table, node: str) -> Iterator[Metric]:
    """All of them, for the node of this name; what nobody knows has no value."""
    yield from _cards(table, node)
    yield from _containers(table)
    yield _instances(table)
    yield from _our_cards(table, node)
    yield from _our_containers(table, node)
    yield from _our_node(table, node)
    yield build_info()


def _cards(table: Table, node: str) -> Iterator[Metric]:
    yield gauge(
        "hami_host_gpu_memory_used_bytes",
        "Memory of a card that is in use, as the driver says.",
        _CARD,
        _of_cards(table.cards, node, lambda card: card.memory_used),
    )
    yield gauge(
        "hami_host_gpu_utilization_ratio",
        "Time in which kernels ran on a card, 100 is all of it.",
        _CARD,
        _of_cards(table.cards, node, lambda card: card.utilization),
    )
    without_node = _of_cards(table.cards, node, lambda card: card.memory_utilization)
    yield gauge(
        "hami_host_gpu_memory_controller_utilization_ratio",
        "Time in which the memory of a card was read or written, 100 is all of it.",
        _CARD_WITHOUT_NODE,
        [((labels[0], *labels[2:]), value) for labels, value in without_node],
    )


def _containers(table: Table) -> Iterator[Metric]:
    gauges: tuple[tuple[str, str, Callable[[Row], float | None]], ...] = (
        (
            "hami_vgpu_memory_used_bytes",
            "Memory of a card that a container uses, as counted against its limit.",
            lambda row: row.memory_used,
        ),
        (
            "hami_vgpu_memory_limit_bytes",
            "Memory of a card that a container may use; 0 is no limit.",
            lambda row: row.memory_limit,
        ),
        (
            "hami_container_device_memory_bytes",
            "The same as hami_vgpu_memory_used_bytes.",
            lambda row: row.memory_used,
        ),
        (
            "hami_container_device_utilization_ratio",
            "Time in which a container's kernels ran, 100 is all of it; 0 without a core limit.",
            lambda row: row.sm,
        ),
        (
            "hami_container_last_kernel_elapsed_seconds",
            "Time since a container's last kernel on any card.",
            lambda row: row.idle,
        ),
        (
            "hami_vgpu_memory_context_bytes",
            "Of a container's memory on a card: contexts.",
            lambda row: row.context,
        ),
        (
            "hami_vgpu_memory_module_bytes",
            "Of a container's memory on a card: modules.",
            lambda row: row.module,
        ),
        (
            "hami_vgpu_memory_buffer_bytes",
            "Of a container's memory on a card: data.",
            lambda row: row.data,
        ),
    )
    for name, told, value in gauges:
        yield gauge(name, told, _CONTAINER, _of_rows(table.rows, (), value))


def _instances(table: Table) -> Metric:
    return gauge(
        "hami_mig_device_info",
        "MIG instances that containers have.",
        _MIG,
        [
            (
                (
                    *(ZONE, each.owner.namespace, each.owner.pod, each.owner.container),
                    *(str(each.position), each.uuid[:UUID_LENGTH], each.mig_uuid, each.profile),
                    *(str(each.gpu_instance), str(each.compute_instance)),
                ),
                1,
            )
            for each in table.instances
        ],
    )


def _our_cards(table: Table, node: str) -> Iterator[Metric]:
    sharing = table.sharing()
    yield gauge(
        "hami_admission_node_card_memory_size_bytes",
        "Memory of a card.",
        _CARD,
        _of_cards(table.cards, node, lambda card: card.memory_size),
    )
    yield gauge(
        "hami_admission_node_card_utilization_ratio",
        "Share of time in which kernels ran on a card, 0 to 1.",
        _CARD,
        _of_cards(table.cards, node, lambda card: _ratio(card.utilization)),
    )
    yield gauge(
        "hami_admission_node_card_memory_controller_utilization_ratio",
        "Share of time in which the memory of a card was read or written, 0 to 1.",
        _CARD,
        _of_cards(table.cards, node, lambda card: _ratio(card.memory_utilization)),
    )
    yield gauge(
        "hami_admission_node_card_containers",
        "Containers that have begun to use a card.",
        _CARD,
        _of_cards(table.cards, node, lambda card: sharing[card.uuid]),
    )


def _our_containers(table: Table, node: str) -> Iterator[Metric]:
    gauges: tuple[tuple[str, str, Callable[[Row], float | None]], ...] = (
        (
            "hami_admission_node_container_driver_memory_bytes",
            "Memory of a card that a container's processes have, as the driver says.",
            lambda row: row.driver_memory,
        ),
        (
            "hami_admission_node_container_utilization_ratio",
            "Share of time in which a container's kernels ran, 0 to 1, as the driver says.",
            lambda row: _ratio(row.driver_sm),
        ),
        (
            "hami_admission_node_container_core_limit_ratio",
            "Share of time in which a container's kernels may run, 0 to 1; 1 is no limit.",
            lambda row: _ratio(row.core_limit),
        ),
        (
            "hami_admission_node_container_processes",
            "Processes of a container that use cards.",
            lambda row: row.processes,
        ),
        (
            "hami_admission_node_container_limited",
            "1 while a container's core limit counts: it is not alone on its cards.",
            lambda row: row.limited,
        ),
        (
            "hami_admission_node_container_blocked",
            "1 while a container's kernels wait for those of a higher priority.",
            lambda row: row.blocked,
        ),
    )
    for name, told, value in gauges:
        yield gauge(name, told, _OURS, _of_rows(table.rows, (node,), value))


def _our_node(table: Table, node: str) -> Iterator[Metric]:
    yield gauge(
        "hami_admission_node_regions",
        "Usage regions of a node by what became of them.",
        ("node", "state"),
        [((node, state), count) for state, count in table.regions.items()],
    )
    yield gauge(
        "hami_admission_node_strange_cards",
        "Cards that usage regions name and the driver does not know.",
        ("node",),
        [((node,), table.strange_cards)],
    )


def _of_cards(
    cards: Iterable[CardUse], node: str, value: Callable[[CardUse], float | None]
) -> Rows:
    return [
        ((ZONE, node, str(card.index), card.uuid[:UUID_LENGTH], card.type), found)
        for card in cards
        if (found := value(card)) is not None
    ]


def _of_rows(
    rows: Iterable[Row], more: Sequence[str], value: Callable[[Row], float | None]
) -> Rows:
    return [
        (
            (
                *(ZONE, row.owner.namespace, row.owner.pod, row.owner.container),
                *(str(row.position), row.uuid[:UUID_LENGTH], *more),
            ),
            found,
        )
        for row in rows
        if (found := value(row)) is not None
    ]


def _ratio(percent: int | None) -> float | None:
    return None if percent is None else percent / 100
