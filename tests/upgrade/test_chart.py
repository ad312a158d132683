"""The chart before and after: values that people have are taken, and no object changes so that it
could not be updated in place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.packaging import chart, released
from tests.packaging.chart import named, render
from tests.packaging.value_sets import RELEASED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.upgrade.both import Side

Json = dict[str, Any]
Way = tuple["Side", "Side"]

every_set = pytest.mark.parametrize("values", RELEASED.values(), ids=RELEASED)

UNTOUCHABLE = {
    "Deployment": ("spec", "selector"),
    "DaemonSet": ("spec", "selector"),
    "ClusterRoleBinding": ("roleRef",),
    "RoleBinding": ("roleRef",),
    "Service": ("spec", "clusterIP"),
    "Secret": ("type",),
}
"""What the API server lets nobody change in an object."""


def before() -> Path:
    """The chart of the release."""
    return released.tree() / "helm" / "hami-admission"


def at(document: Any, path: Iterable[str]) -> Any:
    """A field of an object, or None."""
    for each in path:
        document = (document or {}).get(each)
    return document


def rendered(values: Json, folder: Path) -> dict[tuple[str, str], Json]:
    """The objects with monitors and policies, by kind and name."""
    found = render(values, folder=folder, apis=(chart.POLICY_API, *chart.MONITORING))
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


@every_set
def test_each_object_is_updated_where_it_is(values: Json) -> None:
    """None is renamed, so Helm deletes none of what is in use; none has to be made anew."""
    old, new = (rendered(values, each) for each in (before(), chart.CHART))
    assert old.keys() - new.keys() == set()
    for key, each in old.items():
        path = UNTOUCHABLE.get(key[0], ())
        assert at(each, path) == at(new[key], path) or not path, key
        assert each["apiVersion"] == new[key]["apiVersion"]


@every_set
def test_services_lead_to_pods_of_both(values: Json) -> None:
    """While they are rolled: by the labels, and to ports of the same names."""
    both = [rendered(values, each) for each in (before(), chart.CHART)]
    pods = [
        (each["metadata"]["namespace"], each["spec"]["template"])
        for objects in both
        for (kind, _), each in objects.items()
        if kind in {"Deployment", "DaemonSet"}
    ]
    for objects in both:
        for (kind, name), service in objects.items():
            if kind != "Service":
                continue
            wanted = service["spec"]["selector"].items()
            served = [
                {
                    port["name"]
                    for each in pod["spec"]["containers"]
                    for port in each.get("ports", ())
                }
                for namespace, pod in pods
                if namespace == service["metadata"]["namespace"]
                and wanted <= pod["metadata"]["labels"].items()
            ]
            assert len(served) == 2, name
            for port in service["spec"]["ports"]:
                assert all(port["targetPort"] in names for names in served), (name, port)


def test_kube_schedulers_of_both_ask_for_one_lease() -> None:
    """Else two would place pods at a time."""

    def lease(folder: Path) -> Json:
        (config,) = named(render({}, folder=folder), "ConfigMap", "hami-scheduler")["data"].values()
        found: Json = yaml.safe_load(config)["leaderElection"]
        return found

    assert lease(chart.CHART) == lease(before())


@every_set
def test_values_of_the_release_are_taken_with_all_its_defaults(values: Json) -> None:
    """As those give them who keep a file of all: ``helm get values --all``."""
    kept = chart.merged(chart.values(before()), values)
    assert kinds(kept, chart.CHART) >= kinds(values, before())


@every_set
def test_values_of_the_tree_are_taken_by_the_release_as_far_as_it_knows_them(values: Json) -> None:
    """As those give them who go back with their file, and without ``helm rollback``."""
    kept = known(chart.values(), chart.values(before()))
    assert kinds(chart.merged(kept, values), before()) == kinds(values, before())


def kinds(values: Json, folder: Path) -> set[tuple[str, str]]:
    """Of the objects."""
    return {*rendered(values, folder)}


def known(values: Json, pattern: Json) -> Json:
    """Those values whose keys stand in the pattern; where that has an empty mapping, all."""
    return {
        key: known(each, pattern[key]) if isinstance(each, dict) and pattern[key] else each
        for key, each in values.items()
        if key in pattern
    }


def test_what_is_known_of_values_is_by_key_at_each_level() -> None:
    values = {"a": {"b": 1, "new": 2}, "free": {"x": 1}, "new": {"y": 1}}
    found = known(values, {"a": {"b": 0}, "free": {}, "gone": 1})
    assert found == {"a": {"b": 1}, "free": {"x": 1}}


def _settings(values: Json, folder: Path) -> Json:
    data = named(render(values, folder=folder), "ConfigMap", "hami-admission")["data"]
    found: Json = yaml.safe_load(data["settings.yaml"])
    return found


@pytest.mark.parametrize("folder", ["release", "tree"])
@every_set
def test_settings_of_either_chart_mean_the_same_to_both(
    way: Way, folder: str, values: Json
) -> None:
    """A ConfigMap changes at once, and a replica of the other version may be started anew on it."""
    one, other = way
    found = _settings(values, before() if folder == "release" else chart.CHART)
    read = one.ask("read_settings", found)
    assert read == other.ask("read_settings", found)
    assert other.ask("read_settings", one.ask("write_settings", found)) == read


@pytest.mark.parametrize("folder", ["release", "tree"])
@every_set
def test_the_agent_s_settings_of_either_chart_mean_the_same_to_both(
    way: Way, folder: str, values: Json
) -> None:
    if values.get("agent", {}).get("enabled") is False:
        return
    objects = render(values, folder=before() if folder == "release" else chart.CHART)
    data = named(objects, "ConfigMap", "hami-node-agent")["data"]
    files = [
        yaml.safe_load(data["device-config.yaml"]),
        json.loads(data.get("config.json", "null")),
    ]
    one, other = way
    assert one.ask("read_agent_settings", files) == other.ask("read_agent_settings", files)
