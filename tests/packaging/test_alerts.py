"""Alerts say what is wrong and what to do, and name only metrics that there are."""

from __future__ import annotations

import re

import pytest

from tests import yamls
from tests.packaging import promql
from tests.packaging.promql import ALERTS, RUNBOOK, Json

CASES = ALERTS.parents[3] / "tests" / "packaging" / "alerts_test.yaml"
ENTRY = re.compile(r"^## (\w+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
NUMBERLESS = {"HamiAdmissionAbsent", "HamiAdmissionNobodyLeads"}
"""They say that there is nothing."""

rule = pytest.mark.parametrize("rule", promql.rules(), ids=lambda rule: rule["alert"])


@rule
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: Json) -> None:
    notes = rule["annotations"]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert len(notes["description"]) > 40
    assert "{{ $" in notes["summary"] or rule["alert"] in NUMBERLESS
    assert notes["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"


@rule
def test_an_alert_names_metrics_that_there_are(rule: Json) -> None:
    asked = [rule["expr"], *re.findall(r'query "([^"]+)"', rule["annotations"]["summary"])]
    found = {name for each in asked for name in promql.named(each)}
    assert found
    assert found <= promql.known() | promql.OF_PROMETHEUS


def test_every_alert_has_its_entry_in_the_runbook_and_every_entry_its_alert() -> None:
    entries = dict(ENTRY.findall(RUNBOOK.read_text()))
    assert list(entries) == [rule["alert"] for rule in promql.rules()]
    for name, text in entries.items():
        for part in ("Means: ", "Users notice: ", "Look first:\n\n```", "Fix: "):
            assert text.count(f"\n{part}") == 1, (name, part)


def test_every_alert_is_tried_before_and_after() -> None:
    """tests/cluster/test_prometheus.py runs these."""
    tried = [
        (each["alertname"], bool(each.get("exp_alerts")))
        for case in yamls.load(CASES.read_text())["tests"]
        for each in case["alert_rule_test"]
    ]
    for rule in promql.rules():
        assert {(rule["alert"], False), (rule["alert"], True)} <= set(tried)


def test_names_of_metrics_are_found_in_queries() -> None:
    """The finder itself: what it overlooked would never be checked."""
    text = """sum by (route, le) (rate(a_bucket{route=~"/x|up",b!="c"}[$__rate_interval])) > 1.5e3
        unless on (node) (d:e or time() - f{x="}"}) and g offset 5m"""
    assert promql.named(text) == {"a_bucket", "d:e", "f", "g"}
    assert promql.named('label_replace(up{job="$job"}, "a", "$1", "b", "(.*)")') == {"up"}
