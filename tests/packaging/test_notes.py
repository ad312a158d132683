"""What Helm tells after an installation: the next steps, and what is risky."""

from __future__ import annotations

from typing import Any

import pytest

from tests.packaging.chart import notes
from tests.packaging.value_sets import OTHER_NAMES, SCRIPTED

Json = dict[str, Any]


def test_they_name_the_resources_the_label_and_what_is_left() -> None:
    told = notes(chart_values(OTHER_NAMES))
    for each in ("example.com/card: 1", "example.com/card-memory: 8000", "NODE gpu=on"):
        assert each in told
    assert "secret/hami-admission-tls lease/hami-admission lease/hami-scheduler" in told
    assert "helm test -n hami-system hami-admission" in told


def chart_values(values: Json) -> Json:
    """With a second label, to see that all are told."""
    return {**values, "agent": {"nodeSelector": {"gpu": "on"}}}


RISKS: dict[str, tuple[Json, str, str]] = {
    "a webhook that may fail": (
        {"scheduler": {"admissionWebhook": {"failurePolicy": "Ignore"}}},
        "1.34.0",
        "WARNING: failurePolicy Ignore: while no replica answers, accelerator pods are refused",
    ),
    "one without policies": (
        {"scheduler": {"admissionWebhook": {"failurePolicy": "Ignore"}}},
        "1.29.0",
        "they get whole cards",
    ),
    "one replica": ({"scheduler": {"replicas": 1}}, "1.34.0", "WARNING: one replica"),
    "scripted cards": (SCRIPTED, "1.34.0", "WARNING: agent.driver is scripted"),
    "no isolation": (
        {"agent": {"isolation": "none"}},
        "1.34.0",
        "WARNING: agent.isolation is none",
    ),
    "no policies": ({}, "1.29.0", "WARNING: this cluster has no ValidatingAdmissionPolicy"),
}


@pytest.mark.parametrize(("values", "cluster", "line"), RISKS.values(), ids=RISKS)
def test_what_is_risky_is_told(values: Json, cluster: str, line: str) -> None:
    assert line in notes(values, cluster)


def test_as_shipped_nothing_is() -> None:
    assert "WARNING" not in notes()
