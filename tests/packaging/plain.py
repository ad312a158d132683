"""What is applied without Helm: ``certs/`` and parts of ``webhooks/`` are written from the chart.

``python -m tests.packaging.plain`` writes them; a test compares all ``webhooks/`` with the chart.
"""

from __future__ import annotations

import subprocess
from typing import Any

import yaml

from tests import yamls
from tests.packaging import chart, tools

Json = dict[str, Any]

FOLDER = chart.ROOT / "webhooks"

WRITTEN: dict[str, tuple[str, Json, tuple[tuple[str, str], ...]]] = {
    "webhooks/control.yaml": (
        "The process, its kube-scheduler, and the Service that the webhooks name.",
        {},
        (
            ("ServiceAccount", "hami-admission"),
            ("ClusterRoleBinding", "hami-admission-kube-scheduler"),
            ("ClusterRoleBinding", "hami-admission-volume-scheduler"),
            ("ConfigMap", "hami-admission"),
            ("Service", "hami-admission"),
            ("Deployment", "hami-admission"),
            ("PodDisruptionBudget", "hami-admission"),
        ),
    ),
    "webhooks/nodes.yaml": (
        "The agent of the nodes; its rights are in agent.yaml.",
        {},
        (
            ("ConfigMap", "hami-node-agent"),
            ("Service", "hami-node-agent"),
            ("DaemonSet", "hami-node-agent"),
        ),
    ),
    "webhooks/senders.yaml": (
        "The right that setting reviewSenders: api-server needs; not applied without it.",
        {"scheduler": {"admissionWebhook": {"senders": "api-server"}}},
        (("Role", "hami-admission-senders"), ("RoleBinding", "hami-admission-senders")),
    ),
    "certs/cert-manager.yaml": (
        "For cert-manager: an authority, and the certificate that it signs.",
        {"certificates": {"mode": "certManager"}},
        (
            ("Issuer", "hami-admission-root"),
            ("Certificate", "hami-admission-root"),
            ("Issuer", "hami-admission"),
            ("Certificate", "hami-admission"),
        ),
    ),
}
"""By file: what it is about, the chart's values, and what is in it by kind and name."""

_OF_HELM = {"helm.sh/chart"} | {
    f"app.kubernetes.io/{each}" for each in ("instance", "managed-by", "version")
}


def stripped(each: Json) -> Json:
    """Without what is Helm's or says nothing here: labels of its own, checksums."""
    metadata = dict(each["metadata"])
    labels = {k: v for k, v in metadata.pop("labels", {}).items() if k not in _OF_HELM}
    # Outside of the Services that are told apart by it, no label of the object is used.
    if each["kind"] == "Service":
        metadata["labels"] = labels
    found = {**each, "metadata": metadata}
    template = each.get("spec", {}).get("template")
    if template is None:
        return found
    notes = template["metadata"].get("annotations", {})
    kept = {k: v for k, v in notes.items() if not k.startswith("checksum/")}
    about = {k: v for k, v in template["metadata"].items() if k != "annotations"}
    about |= {"annotations": kept} if kept else {}
    return {**found, "spec": {**each["spec"], "template": {**template, "metadata": about}}}


def of_chart(values: Json | None = None) -> list[Json]:
    """The chart's objects but for ``helm test``, with default values if none are given."""
    objects = (stripped(each) for each in chart.render(values))
    return [each for each in objects if "helm.sh/hook" not in _notes(each)]


def _notes(each: Json) -> Json:
    found: Json = each["metadata"].get("annotations", {})
    return found


def kustomized() -> list[Json]:
    """What ``kubectl apply -k webhooks/`` sends."""
    kubectl = tools.tool(tools.HELM_4, "kubectl")
    done = subprocess.run([kubectl, "kustomize", FOLDER], capture_output=True, check=True)
    return [each for each in yamls.load_all(done.stdout) if each]


class _Dumper(yaml.SafeDumper):
    """Lists indented as in the other files, and texts of several lines as such."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def text(file: str) -> str:
    """A file as it should be."""
    about, values, wanted = WRITTEN[file]
    found = {(each["kind"], each["metadata"]["name"]): each for each in of_chart(values)}
    made = "Made from helm/hami-admission by tests/packaging/plain.py: change it there."
    head = f"# {about}\n# {made}\n"
    objects = [found[each] for each in wanted]
    body = yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
    return head + body


if __name__ == "__main__":
    for each in WRITTEN:
        (chart.ROOT / each).write_text(text(each))
