"""The pods of the chart: what they may do, how they are watched, what they take."""

from __future__ import annotations

from typing import Any

import pytest

from hami_admission.control import app
from tests.packaging import chart
from tests.packaging.chart import render
from tests.packaging.restricted import flaws
from tests.packaging.value_sets import SETS

Json = dict[str, Any]
EVERY_SET = pytest.mark.parametrize("values", SETS.values(), ids=SETS)
CONTROL, AGENT, TEST = "hami-admission", "hami-node-agent", "hami-admission-test"


def spec(name: str, values: Json | None = None) -> Json:
    """A pod's."""
    found: Json = chart.pod_specs(render(values))[name]
    return found


@EVERY_SET
@pytest.mark.parametrize("name", [CONTROL, TEST])
def test_control_keeps_to_the_restricted_level(name: str, values: Json) -> None:
    assert flaws(spec(name, values)) == []


BREAKS: dict[str, Json] = {
    "hostNetwork": {"hostNetwork": True},
    "volume v: hostPath": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
    "c: runAsNonRoot": {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}},
    "c: seccompProfile": {"securityContext": {"runAsNonRoot": True}},
}
GOOD: Json = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
CONTAINER_BREAKS: dict[str, Json] = {
    "c: privileged": {"privileged": True},
    "c: allowPrivilegeEscalation": {"allowPrivilegeEscalation": True},
    "c: capabilities are dropped": {"capabilities": {}},
    "c: capabilities are added": {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}},
    "c: runAsUser": {"runAsUser": 0},
    "c: readOnlyRootFilesystem": {"readOnlyRootFilesystem": False},
}


def a_pod(context: Json, **fields: Any) -> Json:
    """One that keeps to the level but for what is given."""
    general = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    container = {"name": "c", "securityContext": {**GOOD, **context}}
    return {"securityContext": general, "containers": [container], **fields}


def test_the_check_of_the_level_finds_each_flaw() -> None:
    assert flaws(a_pod({})) == []
    for flaw, fields in BREAKS.items():
        assert flaws(a_pod({}, **fields)) == [flaw]
    for flaw, context in CONTAINER_BREAKS.items():
        assert flaws(a_pod(context)) == [flaw]


def test_the_agent_has_folders_of_the_node_and_one_capability() -> None:
    found = spec(AGENT)
    assert set(flaws(found)) == {
        *(f"volume {each}: hostPath" for each in ("device-plugins", "pod-resources")),
        *(f"volume {each}: hostPath" for each in ("vgpu", "lock")),
        *("agent: capabilities are added", "agent: runAsNonRoot", "agent: runAsUser"),
    }
    (container,) = found["containers"]
    assert container["securityContext"]["capabilities"] == {
        "drop": ["ALL"],
        "add": ["DAC_OVERRIDE"],
    }


def test_an_agent_without_the_library_needs_neither_its_folders_nor_the_capability() -> None:
    found = spec(AGENT, {"agent": {"isolation": "none"}})
    assert not any("capabilities" in each or "vgpu" in each for each in flaws(found))


def test_who_cuts_cards_may_follow_its_node_and_has_what_the_driver_wants_of_it() -> None:
    (container,) = spec(AGENT, SETS["cards that are cut"])["containers"]
    assert "SYS_ADMIN" in container["securityContext"]["capabilities"]["add"]
    assert {"NVIDIA_MIG_CONFIG_DEVICES", "NVIDIA_MIG_MONITOR_DEVICES"} <= {
        each["name"] for each in container["env"]
    }
    bound = ("ClusterRoleBinding", "hami-node-agent-mig")
    assert bound in chart.kinds(render(SETS["cards that are cut"]))
    assert bound not in chart.kinds(render())


def test_the_agent_is_privileged_only_where_it_is_told() -> None:
    assert "agent: privileged" not in flaws(spec(AGENT))
    assert "agent: privileged" in flaws(spec(AGENT, {"agent": {"privileged": True}}))


def test_folders_of_the_node_are_where_the_kubelet_has_them() -> None:
    values = {"agent": {"kubeletPath": "/var/snap/kubelet", "hookPath": "/opt/hami"}}
    found = spec(AGENT, values)
    paths = {each["name"]: each["hostPath"]["path"] for each in found["volumes"][1:]}
    mounts = {each["name"]: each["mountPath"] for each in found["containers"][0]["volumeMounts"]}
    assert paths["device-plugins"] == "/var/snap/kubelet/device-plugins"
    assert mounts["device-plugins"] == "/var/lib/kubelet/device-plugins"
    assert paths["vgpu"] == mounts["vgpu"] == "/opt/hami/vgpu"


@EVERY_SET
def test_every_container_says_what_it_takes(values: Json) -> None:
    for each in chart.pod_specs(render(values)).values():
        for container in chart.containers(each):
            resources = container["resources"]
            assert resources["requests"].keys() == {"cpu", "memory"}, container["name"]
            assert "memory" in resources["limits"], container["name"]


@EVERY_SET
def test_every_process_that_stays_is_watched(values: Json) -> None:
    specs = chart.pod_specs(render(values))
    lasting = [c for name in (CONTROL, AGENT) if name in specs for c in specs[name]["containers"]]
    assert [each["name"] for each in lasting if "livenessProbe" not in each] == []
    ready = {each["name"] for each in lasting if "readinessProbe" in each}
    assert ready == {each["name"] for each in lasting} - {"kube-scheduler"}


def test_probes_and_ports_are_those_that_the_process_serves() -> None:
    control, scheduler = spec(CONTROL)["containers"]
    options = app.Options()
    ports = {each["name"]: each["containerPort"] for each in control["ports"]}
    assert ports == {"https": options.port, "metrics": options.metrics_port}
    assert control["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert control["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert scheduler["ports"] == [{"name": "scheduler", "containerPort": 10259}]
    assert "--secure-port=10259" in scheduler["command"]


def test_a_pod_is_given_the_time_that_it_takes_to_leave() -> None:
    found = spec(CONTROL, {"scheduler": {"leavingSeconds": 60}})
    assert "--leaving-seconds=60" in found["containers"][0]["args"]
    assert found["terminationGracePeriodSeconds"] > 60 + app.DRAIN_SECONDS


def volumes(found: Json) -> Json:
    """By name."""
    return {each["name"]: each for each in found["volumes"]}


def test_kube_scheduler_starts_after_its_authority_is_written() -> None:
    found = spec(CONTROL)
    (first,) = found["initContainers"]
    assert first["args"][:2] == ["authority", "--file=/authority/ca.crt"]
    assert "emptyDir" in volumes(found)["authority"]
    mounts = {each["name"]: each["mountPath"] for each in found["containers"][1]["volumeMounts"]}
    assert mounts["authority"] == "/tls"
    config = chart.named(render(), "ConfigMap", "hami-scheduler")["data"]["kube-scheduler.yaml"]
    assert "caFile: /tls/ca.crt" in config


OF_OTHERS: dict[str, tuple[str, str]] = {
    "a certificate of one's own": ("a certificate of one's own", "mine"),
    "cert-manager": ("cert-manager", "hami-admission-tls"),
    "an issuer": ("an issuer of cert-manager", "hami-admission-tls"),
}


@pytest.mark.parametrize(("which", "secret"), OF_OTHERS.values(), ids=OF_OTHERS)
def test_a_certificate_of_others_is_mounted_its_key_for_us_alone(which: str, secret: str) -> None:
    found = spec(CONTROL, SETS[which])
    control, scheduler = found["containers"]
    assert "initContainers" not in found
    assert "--tls-folder=/tls" in control["args"]
    assert volumes(found)["tls"]["secret"]["secretName"] == secret
    authority = volumes(found)["authority"]["secret"]
    assert authority["secretName"] == secret
    assert [each["key"] for each in authority["items"]] == ["ca.crt"]
    assert "tls" not in {each["name"] for each in scheduler["volumeMounts"]}
    rights = chart.named(render(SETS[which]), "Role", "hami-admission")["rules"]
    assert not any("secrets" in rule["resources"] for rule in rights)


def test_cert_manager_makes_an_authority_that_outlives_the_certificates() -> None:
    found = render(SETS["cert-manager"])
    serving = chart.named(found, "Certificate", "hami-admission")["spec"]
    assert set(app.Options().names) == {*serving["dnsNames"], *serving["ipAddresses"]}
    assert serving["secretName"] == "hami-admission-tls"
    issuer = chart.named(found, "Issuer", serving["issuerRef"]["name"])["spec"]
    root = chart.named(found, "Certificate", "hami-admission-root")["spec"]
    assert root["isCA"]
    assert issuer["ca"]["secretName"] == root["secretName"]
    given = render(SETS["an issuer of cert-manager"])
    assert {each["kind"] for each in given} & {"Issuer"} == set()
    issuer_ref = chart.named(given, "Certificate", "hami-admission")["spec"]["issuerRef"]
    assert issuer_ref == {"name": "company", "kind": "ClusterIssuer"}


def test_the_api_server_is_told_whom_to_trust_by_who_knows_it() -> None:
    def of(which: str) -> tuple[Json, Json]:
        hook = chart.named(render(SETS[which]), "MutatingWebhookConfiguration", "hami-admission")
        return hook["metadata"].get("annotations", {}), hook["webhooks"][0]["clientConfig"]

    assert "caBundle" not in of("the defaults")[1]
    assert of("a certificate of one's own")[1]["caBundle"] == "YQ=="
    injected = {"cert-manager.io/inject-ca-from": "hami-system/hami-admission"}
    assert of("cert-manager")[0] == injected


@EVERY_SET
def test_tokens_are_asked_for_where_they_are_used(values: Json) -> None:
    for each in chart.pod_specs(render(values)).values():
        assert each["automountServiceAccountToken"] is True
        assert each["serviceAccountName"] in {CONTROL, AGENT, TEST}


def test_replicas_keep_away_from_each_other_where_that_can_be() -> None:
    found = spec(CONTROL)
    selector = {
        "app.kubernetes.io/name": "hami-admission",
        "app.kubernetes.io/component": "control",
    }
    (spread,) = found["topologySpreadConstraints"]
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
    assert spread["labelSelector"]["matchLabels"] == selector
    (term,) = found["affinity"]["podAntiAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    assert term["podAffinityTerm"]["labelSelector"]["matchLabels"] == selector


def test_the_trial_is_asked_where_pods_are_not_left_alone() -> None:
    found = render({"tests": {"namespace": "trials"}})
    role = chart.named(found, "Role", TEST)
    assert role["metadata"]["namespace"] == "trials"
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}]
    (pod,) = chart.pod_specs(found)[TEST]["containers"]
    assert "--in=trials" in pod["args"]
    hooks = [each for each in found if each["metadata"]["name"] == TEST]
    assert {each["metadata"]["annotations"]["helm.sh/hook"] for each in hooks} == {"test"}
    assert len(hooks) == 4
