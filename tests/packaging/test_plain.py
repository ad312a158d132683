"""Without Helm the same is installed: ``kubectl apply -k webhooks/`` against the chart."""

from __future__ import annotations

from typing import Any

import pytest

from tests import yamls
from tests.packaging import chart, plain

Json = dict[str, Any]
Identity = tuple[str, str, str]


def by_name(objects: list[Json]) -> dict[Identity, Json]:
    """The objects without what is Helm's, the texts of ConfigMaps read."""
    found = {}
    for each in map(plain.stripped, objects):
        metadata = each["metadata"]
        if each["kind"] == "ConfigMap":
            each["data"] = {k: yamls.load(text) for k, text in each["data"].items()}
        found[each["kind"], metadata.get("namespace", ""), metadata["name"]] = each
    return found


def test_it_is_what_the_chart_installs_with_default_values() -> None:
    ours, charts = by_name(plain.kustomized()), by_name(plain.of_chart())
    assert ours.pop(("Namespace", "", "hami-system"))
    assert ours.keys() == charts.keys()
    for name, each in charts.items():
        assert ours[name] == each


def test_the_images_can_be_set_in_one_place() -> None:
    """Each that is used stands in kustomization.yaml, and nothing else does."""
    customization = yamls.load((plain.FOLDER / "kustomization.yaml").read_text())
    named = {f"{each['name']}:{each['newTag']}" for each in customization["images"]}
    specs = [
        each["spec"]["template"]["spec"]
        for each in plain.kustomized()
        if each["kind"] in {"Deployment", "DaemonSet"}
    ]
    used = {c["image"] for s in specs for c in (*s.get("initContainers", ()), *s["containers"])}
    assert used == named


@pytest.mark.parametrize("file", plain.WRITTEN)
def test_the_files_that_are_made_are_fresh(file: str) -> None:
    """If not: ``python -m tests.packaging.plain``."""
    assert (chart.ROOT / file).read_text() == plain.text(file)
