"""What the families of both processes have in common."""

from __future__ import annotations

import platform
from collections.abc import Sequence

from prometheus_client.core import GaugeMetricFamily

import hami_admission

ZONE = "vGPU"
"""Upstream's label on all of its metrics."""

Rows = Sequence[tuple[Sequence[str], float]]
"""Values of labels, and the value."""


def gauge(name: str, told: str, labels: Sequence[str], rows: Rows) -> GaugeMetricFamily:
    """A family of one value for each row."""
    family = GaugeMetricFamily(name, told, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def build_info() -> GaugeMetricFamily:
    """What runs; upstream has more labels (of Go, revision, date): left out is as if empty."""
    version = (
        hami_admission.__version__,
        platform.python_implementation(),
        f"{platform.system()}/{platform.machine()}".lower(),
    )
    return gauge(
        "hami_build_info", "What runs.", ("version", "compiler", "platform"), [(version, 1)]
    )
