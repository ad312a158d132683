"""Values: what is wrong is refused with its path, what is right means what it says in the code."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from hami_admission import cli, settings
from hami_admission.node import sources
from hami_admission.settings import Settings
from tests import yamls
from tests.packaging import chart, tools, values_table
from tests.packaging.chart import Refused, named, render
from tests.packaging.value_sets import OTHER_NAMES, SCRIPTED, SETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Json = dict[str, Any]
SCHEMA: Json = json.loads((chart.CHART / "values.schema.json").read_text())

WRONG: dict[str, tuple[Json, tuple[str, ...]]] = {
    "a key that is not there": ({"replicas": 3}, ("replicas",)),
    "one of a section": ({"scheduler": {"replica": 3}}, ("scheduler", "replica")),
    "upstream's name for a section": ({"devicePlugin": {"enabled": True}}, ("devicePlugin",)),
    "a key deep down": (
        {"scheduler": {"kubeScheduler": {"image": {"name": "x"}}}},
        ("scheduler", "kubeScheduler", "image", "name"),
    ),
    "a key of an issuer": (
        {"certificates": {"certManager": {"issuerRef": {"nam": "x"}}}},
        ("certManager", "issuerRef", "nam"),
    ),
    "a number as text": ({"scheduler": {"replicas": "2"}}, ("scheduler", "replicas", "integer")),
    "a text as number": ({"image": {"tag": 1.2}}, ("image", "tag", "string")),
    "a list as text": (
        {"scheduler": {"admissionWebhook": {"whitelistNamespaces": "a"}}},
        ("whitelistNamespaces", "array"),
    ),
    "no replica": ({"scheduler": {"replicas": 0}}, ("scheduler", "replicas", "1")),
    "a policy that there is not": (
        {"scheduler": {"admissionWebhook": {"failurePolicy": "Maybe"}}},
        ("failurePolicy", "Fail"),
    ),
    "a webhook that waits too long": (
        {"scheduler": {"admissionWebhook": {"timeoutSeconds": 31}}},
        ("timeoutSeconds", "30"),
    ),
    "a digest that is none": ({"image": {"digest": "sha256:1"}}, ("image", "digest")),
    "a name that is no resource": ({"resourceName": "gpu"}, ("resourceName",)),
    "a Secret that is not named": (
        {"certificates": {"mode": "existingSecret"}},
        ("certificates", "existingSecret"),
    ),
    "scripted cards without cards": ({"agent": {"driver": "scripted"}}, ("agent", "cards")),
    "more on one card than can be": (
        {"agent": {"deviceSplitCount": 1001}},
        ("agent", "deviceSplitCount"),
    ),
    "a sender that is no range": (
        {"scheduler": {"admissionWebhook": {"senders": ["apiserver"]}}},
        ("admissionWebhook", "senders"),
    ),
    "a label that is no text": ({"agent": {"nodeSelector": {"gpu": True}}}, ("nodeSelector",)),
}


@pytest.mark.parametrize("helm", [tools.HELM_4, tools.HELM_3], ids=["helm 4", "helm 3"])
@pytest.mark.parametrize(("values", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused_with_its_path(
    values: Json, words: tuple[str, ...], helm: tools.Package
) -> None:
    with pytest.raises(Refused) as caught:
        render(values, helm=helm)
    assert all(each in str(caught.value) for each in words), str(caught.value)


def test_a_package_of_the_chart_holds_the_schema(tmp_path: Path) -> None:
    """Where .helmignore drops it, every value is taken."""
    chart.run(tools.HELM_4, "package", str(chart.CHART), "--destination", str(tmp_path))
    (package,) = tmp_path.glob("*.tgz")
    shutil.unpack_archive(package, tmp_path, filter="data")
    with pytest.raises(Refused, match="replicas"):
        chart.run(
            tools.HELM_4, "template", "x", str(tmp_path / "hami-admission"), "--set", "replicas=3"
        )


FREE = {
    *("deviceConfig", "nodeConfig", "script", "affinity"),
    *("tolerations", "claims", "matchExpressions", "rollingUpdate"),
}
"""Of other people, and passed on as they are; so are maps of texts."""


def objects(schema: Any, name: str = "") -> Iterator[tuple[str, Json]]:
    """All schemas of mappings, with the key that each is the value of."""
    if isinstance(schema, dict):
        kind = schema.get("type", ())
        if kind == "object" or "object" in kind:
            yield name, schema
        for key, value in schema.items():
            if key not in {"if", "then"}:
                yield from objects(value, name if key == "items" else key)


def test_nothing_but_what_others_define_may_be_called_anything() -> None:
    loose = {name for name, each in objects(SCHEMA) if "additionalProperties" not in each}
    assert loose == FREE
    maps = [name for name, each in objects(SCHEMA) if each.get("additionalProperties") is True]
    assert maps == []


@pytest.mark.parametrize("values", [{}, *SETS.values()], ids=["the file", *SETS])
def test_the_schema_takes_what_it_should(values: Json) -> None:
    jsonschema.validate(chart.merged(chart.values(), values), SCHEMA)


def test_every_value_is_explained_and_the_readme_has_them_all() -> None:
    """If not: ``python -m tests.packaging.values_table``."""
    explained = {row.path for row in values_table.rows()}
    sections = {f"{each}." for each in explained}
    silent = {
        each
        for each in values_table.leaves(chart.values())
        if each not in explained and not any(each.startswith(section) for section in sections)
    }
    assert silent == set()
    text = values_table.README.read_text()
    assert text == values_table.fresh(text)


def test_every_value_is_used() -> None:
    """Each by its last word, somewhere in the templates."""
    templates = "\n".join(
        each.read_text() for each in (chart.CHART / "templates").rglob("*") if each.is_file()
    )
    unused = {row.path for row in values_table.rows() if row.path.split(".")[-1] not in templates}
    assert unused == set()


def settings_of(values: Json) -> Settings:
    """What the control process reads; a mistake raises."""
    data = named(render(values), "ConfigMap", "hami-admission")["data"]
    return settings.from_mapping(yamls.load(data["settings.yaml"]))


def test_the_defaults_are_those_of_the_code() -> None:
    assert settings_of({}) == Settings()
    config = named(render(), "ConfigMap", "hami-node-agent")["data"]
    found = sources.read(
        device_config=yamls.load(config["device-config.yaml"]),
        environment={"NODE_NAME": "n"},
    )
    assert found.notes == ()
    assert found.options == sources.read(environment={"NODE_NAME": "n"}).options


@pytest.mark.parametrize("values", SETS.values(), ids=SETS)
def test_the_code_reads_all_settings_without_a_mistake(values: Json) -> None:
    assert settings_of(values).nvidia.resource_count_name == values.get(
        "resourceName", "nvidia.com/gpu"
    )


SAID: dict[str, tuple[Json, Json]] = {
    "the scheduler": ({"schedulerName": "x"}, {"schedulerName": "x"}),
    "its further names": ({"moreSchedulerNames": ["x"]}, {"moreSchedulerNames": ["x"]}),
    "others": ({"otherSchedulers": ["volcano"]}, {"otherSchedulers": ["volcano"]}),
    "policies": (
        {"scheduler": {"defaultSchedulerPolicy": {"gpuSchedulerPolicy": "numa,binpack"}}},
        {"gpuSchedulerPolicy": "numa,binpack"},
    ),
    "times": (
        {"scheduler": {"holdSeconds": 30, "bookingSeconds": 90}},
        {"holdSeconds": 30, "bookingSeconds": 90},
    ),
    "patience": (
        {"scheduler": {"admissionWebhook": {"timeoutSeconds": 10}}},
        {"reviewSeconds": 9.5},
    ),
    "switches": (
        {
            "scheduler": {
                "forceOverwriteDefaultScheduler": False,
                "overwriteEnv": True,
                "preemption": False,
            }
        },
        {
            "forceOverwriteDefaultScheduler": False,
            "preemption": False,
            "nvidia": {"overwriteEnv": True},
        },
    ),
    "namespaces": (
        {"scheduler": {"admissionWebhook": {"whitelistNamespaces": ["a"]}}},
        {"exemptNamespaces": ["kube-system", "hami-system", "a"]},
    ),
    "senders": (
        {"scheduler": {"admissionWebhook": {"senders": "api-server"}}},
        {"reviewSenders": "api-server"},
    ),
    "senders by range and certificate": (
        {"scheduler": {"admissionWebhook": {"senders": ["10.0.0.0/28"], "clientAuthority": "x"}}},
        {"reviewSenders": ["10.0.0.0/28"], "reviewAuthority": "/senders/ca.crt"},
    ),
    "what is meant when nothing is said": (
        {
            "devices": {
                "nvidia": {
                    "defaultMemory": 2000000,
                    "defaultCores": 10,
                    "defaultGPUNum": 0,
                    "gpuCorePolicy": "force",
                    "runtimeClassName": "nvidia",
                }
            }
        },
        {
            "nvidia": {
                "defaultMemory": 2000000,
                "defaultCores": 10,
                "defaultGPUNum": 0,
                "gpuCorePolicy": "force",
                "runtimeClassName": "nvidia",
            }
        },
    ),
}


@pytest.mark.parametrize(("values", "wanted"), SAID.values(), ids=SAID)
def test_a_value_means_the_setting_of_the_same_name(values: Json, wanted: Json) -> None:
    assert settings_of(values) == settings.from_mapping(wanted)


def test_our_namespace_is_left_alone_whatever_it_is_called() -> None:
    found = render(namespace="cards")
    for each in found:
        if "Webhook" in each["kind"]:
            selector = each["webhooks"][0]["namespaceSelector"]["matchExpressions"][0]
            assert selector["values"] == ["kube-system", "cards"]
    assert "hami-system" not in str(found)


def test_the_agent_reads_what_is_said_of_nodes() -> None:
    values = SETS["an agent that steers by devices"]
    config = named(render(values), "ConfigMap", "hami-node-agent")["data"]
    found = sources.read(
        device_config=yamls.load(config["device-config.yaml"]),
        node_config=yamls.load(config["config.json"]),
        environment={"NODE_NAME": "n1"},
    )
    options = found.options
    assert (options.quiet_seconds, options.memory_scaling, options.split_count) == (60, 1.5, 4)
    assert found.notes == ()


@pytest.mark.parametrize("values", [*SETS.values(), OTHER_NAMES, SCRIPTED])
def test_the_command_line_takes_all_that_containers_are_started_with(
    values: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a pod of the chart would end at its start."""
    seen = set()
    for spec in chart.pod_specs(render(values)).values():
        for each in chart.containers(spec):
            if each["name"] == "kube-scheduler":
                continue
            for entry in each.get("env", ()):
                monkeypatch.setenv(entry["name"], entry.get("value", "of-the-pod"))
            command, *words = each["args"]
            with cli.main.commands[command].make_context(command, words):
                seen.add(command)
    assert seen >= {"control", "try"}


def test_what_the_guide_of_migration_names_is_there() -> None:
    """The right column of the table under *Values*."""
    text = (chart.ROOT / "docs" / "migrating.md").read_text()
    section = text.partition("## Values")[2].partition("\n## ")[0]
    right = [row.split("|")[2] for row in section.splitlines() if row.startswith("| ")]
    quoted = {each for cell in right for each in re.findall(r"`([a-zA-Z.]+)`", cell)}
    named_values = {each for each in quoted if "." in each or each == "image"}
    known = {row.path for row in values_table.rows()}
    sections = {".".join(each.split(".")[:n]) for each in known for n in range(1, 5)}
    assert len(named_values) > 20
    assert named_values <= sections
