"""What the shipped alerts and dashboards ask Prometheus, and which metrics there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector

from hami_admission.cluster import overview
from hami_admission.cluster.state import Cluster
from hami_admission.metrics import agent, control, node
from hami_admission.metrics.meters import Meters
from hami_admission.node import usage
from hami_admission.settings import Settings
from tests import yamls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
FILES = ROOT / "helm" / "hami-admission" / "files"
ALERTS = FILES / "alerts.yaml"
RUNBOOK = ROOT / "docs" / "runbook.md"
BOARDS = sorted((FILES / "dashboards").glob("*.json"))

OF_PROMETHEUS = {"up"}
WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}
ENDS = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}

_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_LABELS = re.compile(r"\{[^}]*\}|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_RANGE = re.compile(r"\[[^\]]*\]|\$\w+|\$\{\w+\}")
_NAME = re.compile(r"(?<![\w.])[a-zA-Z_:][\w:]*(?!\w)(?!\s*\()")


def rules() -> list[Json]:
    """The alerts, in the order of the file."""
    groups = yamls.load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def board(path: Path) -> Json:
    """A dashboard."""
    read: Json = json.loads(path.read_text())
    return read


def panels(of: Json) -> Iterator[Json]:
    """Its panels but for the titles of rows, those in closed rows too."""
    for each in of["panels"]:
        if each["type"] == "row":
            yield from each.get("panels", [])
        else:
            yield each


class Query(NamedTuple):
    """A query of a panel or of a variable, and where it stands."""

    where: str
    text: str


def queries(of: Json) -> Iterator[Query]:
    """What the panels and the variables of a dashboard ask."""
    for panel in panels(of):
        for target in panel["targets"]:
            yield Query(f"{of['uid']}: {panel['title']}", target["expr"])
    for each in of["templating"]["list"]:
        if each["type"] == "query":
            series = re.fullmatch(r"label_values\((.+), \w+\)", each["query"]["query"])
            assert series is not None, each["query"]
            yield Query(f"{of['uid']}: ${each['name']}", series[1])


def named(query: str) -> set[str]:
    """The metrics that a query names."""
    for part in (_TEXT, _LABELS, _RANGE):
        query = part.sub(" ", query)
    return {each for each in _NAME.findall(query) if each not in WORDS}


def known() -> set[str]:
    """All series of control and agent, with the ends that Prometheus sees."""
    registry = CollectorRegistry()
    Meters(registry).standing(lambda: True, lambda: True, lambda: 0)
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    families: list[Metric] = [
        *control.families(overview.of(Cluster(Settings()))),
        *agent.families(agent.AgentView({}, {}, 0)),
        *node.families(usage.rows({}, {}, (), now=0), "n"),
        *registry.collect(),
    ]
    found = {f"{each.name}{end}" for each in families for end in ENDS.get(each.type, ())}
    # What the parts of the control process count themselves, all by result.
    wiring = (ROOT / "hami_admission" / "control" / "app.py").read_text()
    return found | {f"{each}_total" for each in re.findall(r'"(hami_admission_\w+)"', wiring)}
