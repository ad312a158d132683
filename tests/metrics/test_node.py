"""Metric families of a node: the exposition text against the names and labels of the facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from hami_admission.metrics import node
from hami_admission.node import region, usage
from hami_admission.node.usage import CardUse, Instance, Owner, Share, Table
from tests.budgets import times
from tests.node import regions
from tests.node.regions import GIB, NOW
from tests.node.test_usage_properties import tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

UUID = "GPU-01234567-89ab-cdef-0123-456789abcdef"
TYPE = "NVIDIA A100-SXM4-80GB"
OWNER = Owner("team", "p", "uid", "main")
FACTS = CardUse(
    uuid=UUID, index=3, type=TYPE, memory_used=20 * GIB, memory_size=80 * GIB, utilization=75,
    memory_utilization=12, processes={4711: Share(5 * GIB, 25)},
)  # fmt: skip
INSTANCE = Instance(
    owner=OWNER, position=1, uuid=UUID, mig_uuid="MIG-1", profile="1g.10gb", gpu_instance=7,
    compute_instance=0,
)  # fmt: skip


def a_node() -> Table:
    """One container with two processes on the card, and an instance of it."""
    made = regions.new(cards=(UUID,), utilization_switch=1, last_kernel_time=NOW - 42)
    first = regions.join(made, 1, host_pid=4711, data=2 * GIB, sm=20)
    first.used[0].context, first.used[0].module, first.used[0].total = 100, 10, 2 * GIB + 110
    regions.join(made, 2, data=GIB, sm=7)
    found = region.read(regions.file(made))
    assert found is not None
    return usage.rows(
        {"f": found, "g": found}, {"f": OWNER}, (FACTS,),
        now=NOW, instances=(INSTANCE,), unreadable=2,
    )  # fmt: skip


class View:
    """A collector, as the edge has one."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def collect(self) -> Iterator[Metric]:
        return node.families(self._table, "n")


def text(table: Table) -> str:
    registry = CollectorRegistry()
    registry.register(View(table))
    return generate_latest(registry).decode()


Samples = dict[str, list[tuple[dict[str, str], float]]]


def samples(table: Table) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text(table)):
        assert family.type == "gauge"
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


CARD = "node device_index device_uuid device_type zone"
VDEVICE = "namespace pod container vdevice_index device_uuid zone"

UPSTREAM = {
    "hami_host_gpu_memory_used_bytes": (CARD, 20 * GIB),
    "hami_host_gpu_utilization_ratio": (CARD, 75),
    "hami_host_gpu_memory_controller_utilization_ratio": (
        "device_index device_uuid device_type zone",
        12,
    ),
    "hami_vgpu_memory_used_bytes": (VDEVICE, 3 * GIB + 110),
    "hami_vgpu_memory_limit_bytes": (VDEVICE, 8 * GIB),
    "hami_container_device_memory_bytes": (VDEVICE, 3 * GIB + 110),
    "hami_container_device_utilization_ratio": (VDEVICE, 27),
    "hami_container_last_kernel_elapsed_seconds": (VDEVICE, 42),
    "hami_vgpu_memory_context_bytes": (VDEVICE, 100),
    "hami_vgpu_memory_module_bytes": (VDEVICE, 10),
    "hami_vgpu_memory_buffer_bytes": (VDEVICE, 3 * GIB),
    "hami_mig_device_info": (
        f"{VDEVICE} mig_uuid profile gpu_instance_id compute_instance_id",
        1,
    ),
    "hami_build_info": ("version compiler platform", 1),
}
"""Facts/node.md 3.1; of the last the labels about Go and the build are left out."""

OURS = {
    "hami_admission_node_card_memory_size_bytes": (CARD, 80 * GIB),
    "hami_admission_node_card_utilization_ratio": (CARD, 0.75),
    "hami_admission_node_card_memory_controller_utilization_ratio": (CARD, 0.12),
    "hami_admission_node_card_containers": (CARD, 1),
    "hami_admission_node_container_driver_memory_bytes": (f"{VDEVICE} node", 5 * GIB),
    "hami_admission_node_container_utilization_ratio": (f"{VDEVICE} node", 0.25),
    "hami_admission_node_container_core_limit_ratio": (f"{VDEVICE} node", 0.3),
    "hami_admission_node_container_processes": (f"{VDEVICE} node", 2),
    "hami_admission_node_container_limited": (f"{VDEVICE} node", 1),
    "hami_admission_node_container_blocked": (f"{VDEVICE} node", 0),
    "hami_admission_node_strange_cards": ("node", 0),
}

VALUES = {
    "node": "n", "device_index": "3", "device_uuid": UUID, "device_type": TYPE, "zone": "vGPU",
    "namespace": "team", "pod": "p", "container": "main", "mig_uuid": "MIG-1",
    "profile": "1g.10gb", "gpu_instance_id": "7", "compute_instance_id": "0",
}  # fmt: skip


@pytest.mark.parametrize("name", [*UPSTREAM, *OURS])
def test_names_labels_and_values(name: str) -> None:
    labels, expected = {**UPSTREAM, **OURS}[name]
    ((found, value),) = samples(a_node())[name]
    assert sorted(found) == sorted(labels.split())
    assert value == expected
    position = "1" if name == "hami_mig_device_info" else "0"
    told = {**VALUES, "vdevice_index": position}
    assert {key: each for key, each in found.items() if key in told} == {
        key: told[key] for key in found if key in told
    }


def test_there_are_no_others() -> None:
    assert samples(a_node()).keys() == {*UPSTREAM, *OURS, "hami_admission_node_regions"}


def test_regions_by_what_became_of_them() -> None:
    found = {
        labels["state"]: value for labels, value in samples(a_node())["hami_admission_node_regions"]
    }
    assert found == {"shown": 1, "ownerless": 1, "replaced": 0, "unreadable": 2}


UNKNOWN = {
    "hami_host_gpu_memory_used_bytes",
    "hami_host_gpu_utilization_ratio",
    "hami_host_gpu_memory_controller_utilization_ratio",
    "hami_admission_node_card_memory_size_bytes",
    "hami_admission_node_card_utilization_ratio",
    "hami_admission_node_card_memory_controller_utilization_ratio",
    "hami_admission_node_container_driver_memory_bytes",
    "hami_admission_node_container_utilization_ratio",
    "hami_container_last_kernel_elapsed_seconds",
}


def test_what_nobody_knows_has_no_value() -> None:
    """A zero would be a lie: the driver does not say, or no kernel was launched."""
    silent = CardUse(uuid=UUID, index=0, type=TYPE)
    table = usage.rows({"f": regions.task(cards=(UUID,))}, {"f": OWNER}, (silent,), now=NOW)
    found = samples(table)
    assert UNKNOWN.isdisjoint(found)
    assert {*UPSTREAM, *OURS} - UNKNOWN - {"hami_mig_device_info"} <= found.keys()


def test_long_names_of_cards_are_cut_as_upstream_does() -> None:
    long = f"{UUID}-and-more"
    facts = msgspec.structs.replace(FACTS, uuid=long)
    instance = msgspec.structs.replace(INSTANCE, uuid=long)
    table = usage.rows(
        {"f": regions.task(cards=(long,))}, {"f": OWNER}, (facts,), now=NOW, instances=(instance,)
    )
    for rows in samples(table).values():
        for labels, _ in rows:
            assert labels.get("device_uuid", UUID) == UUID


@given(tables)
@settings(max_examples=times(0.5), deadline=None)
def test_no_series_is_there_twice(table: Table) -> None:
    """Prometheus would refuse the whole text."""
    for rows in samples(table).values():
        series = [tuple(sorted(labels.items())) for labels, _ in rows]
        assert len(set(series)) == len(series)
