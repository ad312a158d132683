"""The chart, rendered by the real Helm."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import yamls
from tests.packaging import tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "hami-admission"
NAMESPACE = "hami-system"
NEWEST = "1.34.0"
"""The Kubernetes that tests render for where it does not matter."""

POLICY_API = "admissionregistration.k8s.io/v1beta1/ValidatingAdmissionPolicy"
MONITORING = (
    "monitoring.coreos.com/v1/ServiceMonitor",
    "monitoring.coreos.com/v1/PrometheusRule",
)


class Refused(Exception):
    """Helm does not take the values; the message is Helm's."""


def render(
    values: Json | None = None,
    *,
    kubernetes: str = NEWEST,
    apis: Sequence[str] = (),
    release: str = "hami-admission",
    namespace: str = NAMESPACE,
    helm: tools.Package = tools.HELM_4,
    folder: Path = CHART,
) -> list[Json]:
    """The objects; raises Refused."""
    given = json.dumps(values or {})
    text = rendered(given, kubernetes, tuple(apis), release, namespace, helm, folder)
    return [each for each in yamls.load_all(text) if each]


@cache
def rendered(
    values: str,
    kubernetes: str,
    apis: tuple[str, ...],
    release: str,
    namespace: str,
    helm: tools.Package,
    folder: Path = CHART,
) -> str:
    """The text of all objects; raises Refused."""
    where = ["--namespace", namespace, "--kube-version", kubernetes, "--values", "-"]
    offered = [word for each in apis for word in ("--api-versions", each)]
    return run(helm, "template", release, str(folder), *where, *offered, given=values)


def notes(values: Json | None = None, kubernetes: str = NEWEST) -> str:
    """What Helm tells after an installation.

    ``helm install`` takes no version of Kubernetes and ``helm template`` leaves the notes out, so a
    copy of the chart has them in a template.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(CHART, Path(folder, "hami-admission")))
        told = (copy / "templates" / "NOTES.txt").read_text()
        (copy / "templates" / "told.yaml").write_text(
            f'{{{{ define "told" }}}}{told}{{{{ end }}}}told: {{{{ include "told" . | toJson }}}}'
        )
        where = ["--namespace", NAMESPACE, "--kube-version", kubernetes, "--values", "-"]
        only = ["--show-only", "templates/told.yaml"]
        words = ["template", "hami-admission", str(copy), *where, *only]
        found = run(tools.HELM_4, *words, given=json.dumps(values or {}))
    text: str = yamls.load(found)["told"]
    return text


def run(package: tools.Package, *words: str, given: str = "") -> str:
    """What Helm prints; raises Refused."""
    done = subprocess.run(
        [tools.tool(package, "helm"), *words],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        # It ends before there is garbage that is worth a collection.
        env={"PATH": "", "HOME": "/nonexistent", "GOGC": "off"},
    )
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def named(objects: Iterable[Json], kind: str, name: str) -> Json:
    """The only object of that kind and name."""
    (found,) = (
        each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name
    )
    return found


def kinds(objects: Iterable[Json]) -> set[tuple[str, str]]:
    """Kind and name of each."""
    return {(each["kind"], each["metadata"]["name"]) for each in objects}


def merged(*given: Json) -> Json:
    """Values over values; the later wins."""
    found: Json = {}
    for each in given:
        for key, value in each.items():
            mine = found.get(key)
            if isinstance(value, dict) and isinstance(mine, dict):
                value = merged(mine, value)
            found[key] = value
    return found


def values(folder: Path = CHART) -> Json:
    """The defaults of the chart."""
    found: Json = yamls.load((folder / "values.yaml").read_text())
    return found


def pod_specs(objects: Iterable[Json]) -> dict[str, Json]:
    """The pods that the objects make, hooks among them, by name."""
    found = {}
    for each in objects:
        if each["kind"] == "Pod":
            found[each["metadata"]["name"]] = each["spec"]
        elif each["kind"] in {"Deployment", "DaemonSet"}:
            found[each["metadata"]["name"]] = each["spec"]["template"]["spec"]
    return found


def containers(spec: Json) -> list[Json]:
    """All containers of a pod, init containers first."""
    return [*spec.get("initContainers", ()), *spec["containers"]]
