"""The chart with the real Helm, versions 3 and 4: what is rendered is what the API server takes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

import hami_admission
from hami_admission.control import app
from tests import yamls
from tests.packaging import chart, tools
from tests.packaging.chart import Refused, named, render
from tests.packaging.schemas import MINORS, mistakes
from tests.packaging.value_sets import DIGEST, OTHER_NAMES, SCRIPTED, SETS

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

EVERY_SET = pytest.mark.parametrize("values", SETS.values(), ids=SETS)
HELMS = pytest.mark.parametrize("helm", [tools.HELM_4, tools.HELM_3], ids=["helm 4", "helm 3"])


@HELMS
def test_it_has_no_flaw_that_helm_knows_of(helm: tools.Package) -> None:
    assert "0 chart(s) failed" in chart.run(helm, "lint", "--strict", str(chart.CHART))


@EVERY_SET
def test_every_supported_kubernetes_takes_all_objects(values: Json) -> None:
    assert MINORS[:3] == ["1.28", "1.29", "1.30"]
    assert chart.NEWEST.rpartition(".")[0] in MINORS
    found = [
        f"{minor}: {line}"
        for minor in MINORS
        for line in mistakes(
            render(values, kubernetes=f"{minor}.0", apis=(chart.POLICY_API, *chart.MONITORING)),
            minor,
        )
    ]
    assert found == []


@EVERY_SET
def test_both_versions_of_helm_render_the_same(values: Json) -> None:
    """But for the order: Helm 3 does not know the kinds of policies, and puts them last."""

    def texts(helm: tools.Package) -> list[str]:
        given = json.dumps(values)
        text = chart.rendered(
            given, "1.34.0", chart.MONITORING, "hami-admission", chart.NAMESPACE, helm
        )
        return sorted(text.removeprefix("---\n").split("\n---\n"))

    one, other = texts(tools.HELM_4), texts(tools.HELM_3)
    assert [each.strip() for each in one] == [each.strip() for each in other]


def test_a_kubernetes_that_is_too_old_is_refused() -> None:
    with pytest.raises(Refused, match=r"1\.28"):
        render(kubernetes="1.27.9")


def test_it_is_of_the_version_of_the_code_and_needs_no_other_chart() -> None:
    about = yamls.load((chart.CHART / "Chart.yaml").read_text())
    assert about["version"] == about["appVersion"] == hami_admission.__version__
    assert "dependencies" not in about


VERSIONS: dict[str, tuple[str, str]] = {
    "plain": ("1.30.4", "v1.30.4"),
    "of a maker that adds to it": ("v1.31.2-gke.1348000", "v1.31.2"),
    "with a build": ("v1.33.1+k3s1", "v1.33.1"),
}


@pytest.mark.parametrize(("cluster", "tag"), VERSIONS.values(), ids=VERSIONS)
def test_the_kube_scheduler_is_of_the_version_of_the_cluster(cluster: str, tag: str) -> None:
    assert images(render(kubernetes=cluster))["kube-scheduler"] == (
        f"registry.k8s.io/kube-scheduler:{tag}"
    )


def images(objects: list[Json]) -> dict[str, str]:
    """By the name of the container."""
    return {
        each["name"]: each["image"]
        for spec in chart.pod_specs(objects).values()
        for each in chart.containers(spec)
    }


IMAGES: dict[str, tuple[Json, str]] = {
    "nothing": ({}, f"hami-admission:{hami_admission.__version__}"),
    "a tag": ({"image": {"tag": "x"}}, "hami-admission:x"),
    "a digest wins over the tag": (
        {"image": {"tag": "x", "digest": DIGEST}},
        f"hami-admission@{DIGEST}",
    ),
    "a registry": ({"image": {"registry": "a.example", "tag": "x"}}, "a.example/hami-admission:x"),
    "one for all wins": (
        {"global": {"imageRegistry": "b.example"}, "image": {"registry": "a.example", "tag": "x"}},
        "b.example/hami-admission:x",
    ),
}


@pytest.mark.parametrize(("values", "image"), IMAGES.values(), ids=IMAGES)
def test_the_image_is_as_the_values_say(values: Json, image: str) -> None:
    found = images(render(values))
    assert {found["control"], found["authority"], found["try"]} == {image}
    assert found["agent"].startswith(values.get("global", {}).get("imageRegistry", "hami"))


def test_every_image_can_be_pinned() -> None:
    digest: Json = {"digest": DIGEST}
    values = {
        "image": digest,
        "agent": {"image": digest},
        "scheduler": {"kubeScheduler": {"image": digest}},
    }
    assert all(each.endswith(f"@{DIGEST}") for each in images(render(values)).values())


def test_names_are_those_that_the_code_knows_whatever_the_release_is_called() -> None:
    found = render(release="anything")
    options = app.Options()
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        assert named(found, kind, options.webhooks)
    assert named(found, "Service", options.service)
    role = named(found, "Role", "hami-admission")
    names = {name for rule in role["rules"] for name in rule.get("resourceNames", ())}
    assert names == {options.lease, options.secret, options.scheduler_lease.rpartition("/")[2]}
    assert chart.kinds(found) == chart.kinds(render())


def test_an_upgrade_changes_no_selector() -> None:
    """And what selects a pod is on it."""
    for values in (*SETS.values(), {"scheduler": {"podLabels": {"a": "b"}}}):
        for each in render(values, release="other"):
            if each["kind"] in {"Deployment", "DaemonSet"}:
                part = "control" if each["kind"] == "Deployment" else "agent"
                selector = {
                    "app.kubernetes.io/name": "hami-admission",
                    "app.kubernetes.io/component": part,
                }
                assert each["spec"]["selector"] == {"matchLabels": selector}
                assert selector.items() <= each["spec"]["template"]["metadata"]["labels"].items()


def test_services_are_reached_from_inside_only() -> None:
    services = [each for values in SETS.values() for each in render(values)]
    services = [each for each in services if each["kind"] == "Service"]
    assert {each["spec"]["type"] for each in services} == {"ClusterIP"}
    assert not any("nodePort" in port for each in services for port in each["spec"]["ports"])


def checksums(values: Json) -> dict[str, Json]:
    """By the name of who has them."""
    return {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["annotations"]
        for each in render(values)
        if each["kind"] in {"Deployment", "DaemonSet"}
    }


CHANGES: dict[str, tuple[Json, str, str]] = {
    "a setting": ({"scheduler": {"holdSeconds": 20}}, "hami-admission", "checksum/settings"),
    "a back-off": (
        {"scheduler": {"kubeScheduler": {"podMaxBackoffSeconds": 9}}},
        "hami-admission",
        "checksum/scheduler",
    ),
    "a card setting": ({"agent": {"deviceSplitCount": 5}}, "hami-node-agent", "checksum/config"),
}


@pytest.mark.parametrize(("values", "name", "key"), CHANGES.values(), ids=CHANGES)
def test_who_reads_a_file_once_is_started_anew_when_it_changes(
    values: Json, name: str, key: str
) -> None:
    before, after = checksums({}), checksums(values)
    changed = {
        (who, each)
        for who, notes in before.items()
        for each in notes
        if after[who][each] != notes[each]
    }
    assert changed == {(name, key)}


BUDGETS: dict[str, tuple[Json, bool]] = {
    "two replicas": ({}, True),
    "one": ({"scheduler": {"replicas": 1}}, False),
    "switched off": ({"scheduler": {"podDisruptionBudget": {"enabled": False}}}, False),
}


@pytest.mark.parametrize(("values", "there"), BUDGETS.values(), ids=BUDGETS)
def test_a_budget_is_there_where_it_does_not_keep_a_node_from_being_drained(
    values: Json, there: bool
) -> None:
    assert any(each["kind"] == "PodDisruptionBudget" for each in render(values)) == there


def test_monitors_come_only_where_their_api_is() -> None:
    values = SETS["everything on"]
    of_prometheus = {"ServiceMonitor", "PrometheusRule"}
    assert not of_prometheus & {each["kind"] for each in render(values)}
    found = render(values, apis=chart.MONITORING)
    rule = named(found, "PrometheusRule", "hami-admission")
    assert rule["spec"] == yamls.load((chart.CHART / "files" / "alerts.yaml").read_text())
    services = {each["metadata"]["name"]: each for each in found if each["kind"] == "Service"}
    for name in ("hami-admission", "hami-node-agent"):
        monitor = named(found, "ServiceMonitor", name)
        assert all(each["honorLabels"] for each in monitor["spec"]["endpoints"])
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        chosen = [
            each
            for each, service in services.items()
            if wanted <= service["metadata"]["labels"].items()
        ]
        assert chosen == [name]
        ports = {port["name"] for port in services[name]["spec"]["ports"]}
        assert monitor["spec"]["endpoints"][0]["port"] in ports


def test_alerts_go_by_the_jobs_that_the_monitors_give() -> None:
    found = render(SETS["everything on"], apis=chart.MONITORING)
    monitors = [each for each in found if each["kind"] == "ServiceMonitor"]
    jobs = {each["spec"]["endpoints"][0]["relabelings"][0]["replacement"] for each in monitors}
    assert jobs == {"hami-admission", "hami-admission-agent"}
    alerts = (chart.CHART / "files" / "alerts.yaml").read_text()
    named_jobs = set(re.findall(r'job="([^"]+)"', alerts))
    assert named_jobs
    assert named_jobs <= jobs


def policies(objects: list[Json]) -> Iterator[tuple[str, str]]:
    """API and name of each policy."""
    for each in objects:
        if each["kind"] == "ValidatingAdmissionPolicy":
            yield each["apiVersion"].rpartition("/")[2], each["metadata"]["name"]


WRITERS: dict[str, tuple[Json, set[str], set[str]]] = {
    "all of the namespaces": (
        {"pluginNamespaces": ["cards"]},
        {
            "system:serviceaccounts:hami-system",
            "system:serviceaccounts:kube-system",
            "system:serviceaccounts:cards",
        },
        set(),
    ),
    "some accounts of them": (
        {"pluginNamespaces": ["cards"], "pluginAccounts": ["cards/plugin", "kube-system/other"]},
        {"system:serviceaccounts:hami-system"},
        {"system:serviceaccount:cards:plugin", "system:serviceaccount:kube-system:other"},
    ),
}


@pytest.mark.parametrize(("values", "groups", "users"), WRITERS.values(), ids=WRITERS)
def test_who_writes_annotations_of_the_decision(
    values: Json, groups: set[str], users: set[str]
) -> None:
    spec = named(render(values), "ValidatingAdmissionPolicy", "hami-admission-annotations")["spec"]
    (rule,) = [each["expression"] for each in spec["variables"] if each["name"] == "entitled"]
    found = set(re.findall(r"'(system:serviceaccounts?:[^']+)'", rule.partition(": (request")[2]))
    assert found == groups | users
    nodes = named(render(values), "ValidatingAdmissionPolicy", "hami-admission-nodes")["spec"]
    also = str(nodes["matchConditions"])
    assert all(each in also for each in groups | users)


def test_an_account_of_another_namespace_is_none() -> None:
    with pytest.raises(chart.Refused, match="pluginAccounts: other/plugin: add other to plugin"):
        render({"pluginAccounts": ["other/plugin"]})


FIVE = {"hami-admission", "hami-node-agent"} | {
    f"hami-admission-{each}" for each in ("annotations", "devices", "nodes")
}
POLICIES: dict[str, tuple[str, tuple[str, ...], set[str]]] = {
    "1.30": ("1.30.0", (), {"v1"}),
    "1.29 with the API": ("1.29.0", (chart.POLICY_API,), {"v1beta1"}),
    "1.28 without it": ("1.28.0", (), set()),
}


@pytest.mark.parametrize(("cluster", "apis", "versions"), POLICIES.values(), ids=POLICIES)
def test_policies_are_of_the_api_that_the_cluster_has(
    cluster: str, apis: tuple[str, ...], versions: set[str]
) -> None:
    found = list(policies(render(kubernetes=cluster, apis=apis)))
    assert {version for version, _ in found} == versions
    assert {name for _, name in found} == (FIVE if versions else set())


def test_before_tokens_name_their_node_an_agent_is_not_asked_for_it() -> None:
    def messages(cluster: str) -> str:
        found = render(kubernetes=cluster, apis=(chart.POLICY_API,))
        return str(named(found, "ValidatingAdmissionPolicy", "hami-node-agent")["spec"])

    assert "its own Node only" in messages("1.30.0")
    assert "its own Node only" not in messages("1.29.0")
    assert "writes annotations only" in messages("1.29.0")


def test_conditions_use_only_what_the_oldest_kubernetes_knows() -> None:
    """Optional values of CEL came with 1.29."""
    assert ".?" not in str(render(kubernetes="1.28.0", apis=(chart.POLICY_API,)))


def test_the_right_to_evict_comes_with_the_mode_that_does() -> None:
    bound = ("ClusterRoleBinding", "hami-node-agent-devices")
    assert bound not in chart.kinds(render())
    assert bound in chart.kinds(render({"agent": {"mode": "devices"}}))


SENDERS = "reviews of ranges, with a certificate"


def test_the_right_to_read_the_api_servers_addresses_comes_with_the_setting() -> None:
    role = ("Role", "hami-admission-senders")
    for name in ("the defaults", SENDERS):
        assert role not in chart.kinds(render(SETS[name]))
    found = render(SETS["reviews of the API server's addresses"])
    assert role in chart.kinds(found)
    assert named(found, *role)["metadata"]["namespace"] == "default"


def test_settings_that_are_not_set_are_not_named() -> None:
    """The version before refuses what it does not know."""
    text = named(render(), "ConfigMap", "hami-admission")["data"]["settings.yaml"]
    assert not {"reviewSenders", "reviewAuthority"} & yamls.load(text).keys()


def test_ranges_of_senders_are_those_of_the_network_policy_too() -> None:
    def first(values: Json) -> Json:
        rule: Json = named(render(values), "NetworkPolicy", "hami-admission")["spec"]["ingress"][0]
        return rule

    blocks = [{"ipBlock": {"cidr": each}} for each in ("10.0.0.0/28", "2001:db8::/64")]
    assert first(SETS[SENDERS])["from"] == blocks
    assert "from" not in first({"networkPolicy": {"enabled": True}})


def test_the_authority_of_clients_is_mounted_where_the_setting_names_it() -> None:
    def volumes(values: Json) -> dict[str, Json]:
        spec = chart.pod_specs(render(values))["hami-admission"]
        return {each["name"]: each for each in spec["volumes"]}

    assert volumes(SETS[SENDERS])["senders"]["configMap"] == {"name": "ca"}
    assert "senders" not in volumes({})
    (control,) = [
        each
        for each in chart.pod_specs(render(SETS[SENDERS]))["hami-admission"]["containers"]
        if each["name"] != "kube-scheduler"
    ]
    assert {"name": "senders", "mountPath": "/senders", "readOnly": True} in control["volumeMounts"]


def test_without_the_agent_nothing_of_it_is_there() -> None:
    kinds = chart.kinds(render({"agent": {"enabled": False}, "networkPolicy": {"enabled": True}}))
    assert not {each for each in kinds if "agent" in each[1]}


def test_scripted_cards_are_mounted_where_the_agent_is_told() -> None:
    found = render(SCRIPTED)
    data = named(found, "ConfigMap", "hami-node-agent")["data"]
    assert yamls.load(data["cards.yaml"]) == SCRIPTED["agent"]["script"]
    (agent,) = chart.pod_specs(found)["hami-node-agent"]["containers"]
    assert "--script=/etc/hami-admission/cards.yaml" in agent["args"]
    assert "NVIDIA_VISIBLE_DEVICES" not in {each["name"] for each in agent["env"]}


def test_other_names_leave_none_of_the_usual() -> None:
    """In conditions, policies, settings and the scheduler alike."""
    found = [
        each for each in render(OTHER_NAMES) if each["kind"] not in {"DaemonSet", "Deployment"}
    ]
    text = str(found)
    names = [*OTHER_NAMES["devices"]["awsneuron"].values(), *OTHER_NAMES.values()]
    assert all(each in text for each in names if isinstance(each, str))
    assert "nvidia.com/" not in text
    assert "aws.amazon.com/neuron" not in text
    policies = str([each for each in found if each["kind"] == "ValidatingAdmissionPolicy"])
    assert "hami-scheduler" not in policies


def test_alerts_lead_to_where_the_runbook_is_kept() -> None:
    base = "https://wiki.example/hami/"
    values = {"prometheus": {"rules": {"enabled": True, "runbookBaseUrl": base}}}
    found = render(values, apis=("monitoring.coreos.com/v1/PrometheusRule",))
    groups = named(found, "PrometheusRule", "hami-admission")["spec"]["groups"]
    links = [rule["annotations"]["runbook_url"] for group in groups for rule in group["rules"]]
    assert len(links) > 20
    assert all(link.startswith(f"{base}docs/runbook.md#") for link in links)
