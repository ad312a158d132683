"""Files to a scenario: workloads become their pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hami_admission.simulate import scenario
from hami_admission.simulate.scenario import Scenario
from tests import build

if TYPE_CHECKING:
    from tests.build import Json


def _workload(kind: str, **spec: object) -> Json:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [build.container()]}}
    metadata = {"name": "w", "namespace": "team"}
    return {"kind": kind, "metadata": metadata, "spec": {"template": template, **spec}}


def _cron(**spec: object) -> Json:
    made = _workload("CronJob")
    made["spec"] = {"schedule": "@daily", "jobTemplate": {"spec": {**made["spec"], **spec}}}
    return made


def _build(*documents: object, templates_only: bool = False) -> Scenario:
    placed = [(f"f, document {n}", each) for n, each in enumerate(documents, 1)]
    return scenario.build(placed, templates_only=templates_only)


COUNTS: dict[str, tuple[Json, list[str]]] = {
    "a Deployment without replicas": (_workload("Deployment"), ["w-0"]),
    "replicas are null": (_workload("Deployment", replicas=None), ["w-0"]),
    "three replicas": (_workload("Deployment", replicas=3), ["w-0", "w-1", "w-2"]),
    "none": (_workload("Deployment", replicas=0), []),
    "a ReplicaSet": (_workload("ReplicaSet", replicas=2), ["w-0", "w-1"]),
    "a ReplicationController": (_workload("ReplicationController", replicas=2), ["w-0", "w-1"]),
    "a StatefulSet": (_workload("StatefulSet", replicas=2), ["w-0", "w-1"]),
    "a Job": (_workload("Job"), ["w-0"]),
    "a Job of two": (_workload("Job", completions=2, parallelism=1), ["w-0", "w-1"]),
    "a Job of workers": (_workload("Job", parallelism=2), ["w-0", "w-1"]),
    "a Job whose parallelism is null": (_workload("Job", parallelism=None), ["w-0"]),
    "a CronJob": (_cron(), ["w-0"]),
    "a CronJob of two": (_cron(completions=2), ["w-0", "w-1"]),
    "a DaemonSet on the default nodes": (_workload("DaemonSet"), ["w-node-1", "w-node-2"]),
}


@pytest.mark.parametrize("sentence", COUNTS)
def test_workloads_become_their_pods(sentence: str) -> None:
    document, names = COUNTS[sentence]
    steps = _build(document).steps
    assert [step.pod.name for step in steps] == names
    assert {step.owner for step in steps} <= {f"{document['kind']}/w"}
    assert {step.pod.namespace for step in steps} <= {"team"}
    assert all(step.pod.labels == {"a": "b"} for step in steps)


@pytest.mark.parametrize("sentence", COUNTS)
def test_check_looks_at_each_template_once(sentence: str) -> None:
    steps = _build(COUNTS[sentence][0], templates_only=True).steps
    assert len(steps) == 1
    assert steps[0].only_node is None


def test_a_daemon_set_has_one_pod_bound_to_each_node_of_the_files() -> None:
    nodes = [{"kind": "Node", "metadata": {"name": name}} for name in ("a", "b")]
    steps = _build(_workload("DaemonSet"), *nodes).steps
    assert [(step.pod.name, step.only_node) for step in steps] == [("w-a", "a"), ("w-b", "b")]


def test_a_pod_is_itself() -> None:
    document = build.pod_json(build.container(), name="p", labels={"c": "d"})
    (step,) = _build(document).steps
    assert (step.owner, step.only_node) == (None, None)
    assert step.document == document
    assert step.pod == build.noun(document)


def test_a_generated_name_names_the_pod() -> None:
    document = build.pod_json(build.container())
    document["metadata"] = {"generateName": "job-"}
    (step,) = _build(document).steps
    assert step.pod.key == "default/job-"


@pytest.mark.parametrize("namespace", [None, ""])
def test_the_namespace_is_default_where_none_is_said(namespace: str | None) -> None:
    pod = build.pod_json(build.container())
    quota = build.quota_json(gpu=1)
    workload = _workload("Deployment")
    for document in (pod, quota, workload):
        document["metadata"]["namespace"] = namespace
    found = _build(pod, quota, workload)
    assert {step.pod.namespace for step in found.steps} == {"default"}
    assert found.steps[0].document["metadata"] == {"name": "p", "namespace": "default"}
    assert [each.namespace for each in found.quotas] == ["default"]


def test_the_workloads_namespace_wins_over_its_templates() -> None:
    workload = _workload("Deployment")
    workload["spec"]["template"]["metadata"]["namespace"] = "other"
    assert _build(workload).steps[0].pod.namespace == "team"
    del workload["metadata"]["namespace"]
    assert _build(workload).steps[0].pod.namespace == "other"


def test_a_template_needs_no_metadata() -> None:
    workload = _workload("Deployment")
    del workload["spec"]["template"]["metadata"]
    assert _build(workload).steps[0].pod.key == "team/w-0"


def test_lists_are_their_items_in_order() -> None:
    inner = {"kind": "PodList", "items": [build.pod_json(build.container(), name="b")]}
    items = [build.pod_json(build.container(), name="a"), inner, None]
    found = _build({"kind": "List", "items": items}, None)
    assert [step.pod.name for step in found.steps] == ["a", "b"]


def test_nodes_and_quotas_are_used_and_other_kinds_counted() -> None:
    node: Json = {"kind": "Node", "metadata": {"name": "n", "annotations": {"a": "b"}}}
    service: Json = {"kind": "Service"}
    found = _build(node, build.quota_json(gpu=1), service, service, {"kind": "ConfigMap"})
    assert [(each.name, each.annotations) for each in found.nodes] == [("n", {"a": "b"})]
    assert [each.hard for each in found.quotas] == [{"nvidia.com/gpu": 1}]
    assert found.ignored == {"Service": 2, "ConfigMap": 1}
    assert found.steps == []


def test_namespaces_that_opted_out_are_noted() -> None:
    def namespace(name: str, **metadata: object) -> Json:
        return {"kind": "Namespace", "metadata": {"name": name, **metadata}}

    found = _build(
        namespace("out", labels={"hami.io/webhook": "ignore"}),
        namespace("in", labels={"hami.io/webhook": "yes"}),
        namespace("plain"),
        {"kind": "Namespace"},
    )
    assert found.exempt == {"out"}


def test_an_empty_scenario_shares_nothing_with_the_next() -> None:
    _build(build.pod_json(build.container()), {"kind": "Service"})
    assert _build() == Scenario()
