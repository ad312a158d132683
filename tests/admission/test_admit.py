from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hami_admission.admission import admit, changes, scope
from hami_admission.admission.changes import SetLimits, SetRuntimeClass, SetScheduler
from hami_admission.model.verdict import sentence
from hami_admission.settings import NvidiaOptions, Settings
from hami_admission.vendors import table
from hami_admission.wire import keys
from tests import build

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
ALL = {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}


def decide(document: Json, **settings: Any) -> admit.Decision:
    """The decision about a pod's JSON."""
    made = Settings(**settings)
    return admit.decide(build.noun(document), table.build(made), made)


def patched(document: Json, **settings: Any) -> Json:
    """The pod as it leaves admission."""
    return changes.apply(document, changes.operations(decide(document, **settings).changes))


def gpu_pod(**fields: Any) -> Json:
    """A pod with a share of a card."""
    return build.pod_json(build.container(limits=build.gpu(1, memory=2000)), **fields)


def env_of(document: Json, index: int = 0) -> dict[str, Any]:
    """The environment of an app container, by name: a literal or a path."""
    return {
        each["name"]: each.get("value", each.get("valueFrom", {}).get("fieldRef", {}))
        for each in document["spec"]["containers"][index].get("env", [])
    }


def test_a_share_is_rewritten_with_scheduler_and_environment() -> None:
    pod = gpu_pod()
    after = patched(pod)
    assert after["spec"]["schedulerName"] == "hami-scheduler"
    assert env_of(after) == {
        "NVIDIA_VISIBLE_DEVICES": {
            "apiVersion": "v1",
            "fieldPath": "metadata.annotations['hami.io/env-0.nvidia-visible-devices']",
        },
        "CUDA_DEVICE_MEMORY_LIMIT_0": "2000m",
        "CUDA_DEVICE_SM_LIMIT": "0",
    }


def test_a_whole_card_gets_all_cores_and_a_count_that_is_missing_one() -> None:
    whole = patched(build.pod_json(build.container(limits=build.gpu(1))))
    assert whole["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpucores"] == "100"
    counted = patched(build.pod_json(build.container(limits=build.gpu(memory=4096))))
    assert counted["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    requested = patched(build.pod_json(build.container(requests=build.gpu(1, memory=10))))
    limits = requested["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "10"}


REFUSED: dict[str, tuple[Json, str, str]] = {
    "privileged": (
        build.pod_json(build.container(limits=build.gpu(1)), build.container("x", privileged=True)),
        "spec.containers[1].securityContext.privileged: Invalid value: true",
        "container x is privileged",
    ),
    "a fixed node": (
        gpu_pod(nodeName="n1"),
        "spec.nodeName: Invalid value: n1",
        "kubernetes.io/hostname: n1",
    ),
    "our annotations": (
        gpu_pod(annotations={"hami.io/vgpu-node": "n1"}),
        "metadata.annotations[hami.io/vgpu-node]: Invalid value: n1",
        "only the scheduler writes this annotation",
    ),
    "a size in bytes": (
        build.pod_json(build.container(), init=(build.container(limits=build.gpu(memory="8Gi")),)),
        "spec.initContainers[0].resources.limits[nvidia.com/gpumem]: Invalid value: 8Gi",
        "write 8192",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_field_value_and_what_would_be_right(name: str) -> None:
    document, field, advice = REFUSED[name]
    decision = decide(document)
    text = sentence(decision.objections)
    assert (field in text, advice in text) == (True, True), text
    assert decision.changes == ()


def test_what_is_wrong_with_the_pod_is_told_once_for_all_its_containers() -> None:
    limits = {"volcano.sh/vgpu-number": 1}
    document = build.pod_json(
        build.container("a", limits),
        build.container("b", limits),
        annotations={"volcano.sh/vgpu-podgroup-policy": "binpack"},
    )
    assert [each.field for each in decide(document).objections] == [
        "metadata.annotations[volcano.sh/vgpu-podgroup-policy]"
    ]


def test_all_objections_are_told_at_once() -> None:
    document = gpu_pod(nodeName="n1")
    document["spec"]["containers"].append(build.container("x", privileged=True))
    assert len(decide(document).objections) == 2


SCHEDULERS = {
    ("", True): True,
    ("", False): True,
    ("default-scheduler", True): True,
    ("default-scheduler", False): False,
    ("hami-scheduler", True): True,
    ("hami-scheduler", False): True,
    ("volcano", True): False,
    ("volcano", False): False,
}


@pytest.mark.parametrize(("name", "force"), SCHEDULERS)
def test_scheduler_names(name: str, force: bool) -> None:
    document = gpu_pod(schedulerName=name) if name else gpu_pod()
    decision = decide(document, force_overwrite_default_scheduler=force)
    assert (not decision.untouched) is SCHEDULERS[name, force]
    if decision.untouched:
        assert decision.warnings == (decision.untouched,)
        assert name in decision.untouched


def test_a_pod_keeps_the_name_of_a_profile_of_ours() -> None:
    document = gpu_pod(schedulerName="second")
    assert decide(document).untouched
    decision = decide(document, more_scheduler_names=("second",))
    assert not decision.untouched
    assert changes.SetScheduler("hami-scheduler") not in decision.changes
    assert not decide(
        document, more_scheduler_names=("second",), other_schedulers=("volcano",)
    ).objections


def test_other_schedulers_may_be_limited_to_those_that_are_named() -> None:
    def found(name: str, **fields: Any) -> admit.Decision:
        return decide(gpu_pod(schedulerName=name, **fields), other_schedulers=("volcano",))

    (objection,) = found("my-scheduler").objections
    assert objection.field == "spec.schedulerName"
    assert "hami-scheduler or volcano" in objection.advice
    assert found("volcano").untouched
    assert not found("hami-scheduler").objections
    assert not found("default-scheduler").objections
    static = {keys.MIRROR: "x"}
    assert not found("my-scheduler", annotations=static).objections


def test_opt_outs_and_pods_that_ask_for_nothing_are_left_alone() -> None:
    assert "kube-system" in decide(gpu_pod(namespace="kube-system")).untouched
    label = {keys.OPT_OUT_LABEL: keys.OPT_OUT_VALUE}
    assert "hami.io/webhook" in decide(gpu_pod(labels=label)).untouched
    assert not decide(gpu_pod(labels={keys.OPT_OUT_LABEL: "other"})).untouched
    assert "static" in decide(gpu_pod(annotations={keys.MIRROR: "x"}, nodeName="n")).untouched
    plain = build.pod_json(build.container(limits={"cpu": 1}), nodeName="n1")
    assert decide(plain) is admit.NOT_ASKING
    zero = build.pod_json(build.container(limits=build.gpu(0), privileged=True))
    assert decide(zero) is admit.NOT_ASKING


def test_runtime_class_and_core_policy_where_the_cluster_has_them() -> None:
    options = NvidiaOptions(runtime_class="nvidia", core_policy="force")
    after = patched(gpu_pod(), nvidia=options)
    assert after["spec"]["runtimeClassName"] == "nvidia"
    assert env_of(after)["GPU_CORE_UTILIZATION_POLICY"] == "force"
    own = patched(gpu_pod(runtimeClassName="other"), nvidia=options)
    assert own["spec"]["runtimeClassName"] == "other"
    assert "runtimeClassName" not in patched(gpu_pod())["spec"]


def test_priority_becomes_a_variable() -> None:
    limits = build.gpu(1, memory=10, priority=1)
    assert (
        env_of(patched(build.pod_json(build.container(limits=limits))))["CUDA_TASK_PRIORITY"] == "1"
    )


def test_containers_without_a_request_see_no_card() -> None:
    named = build.container("x", env=[{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}])
    document = gpu_pod()
    document["spec"]["containers"] += [named, build.container("y")]
    after = patched(document)
    assert env_of(after, 1) == {"NVIDIA_VISIBLE_DEVICES": "none"}
    assert env_of(after, 2) == {}
    hidden = patched(document, nvidia=NvidiaOptions(overwrite_env=True))
    assert env_of(hidden, 2) == {"NVIDIA_VISIBLE_DEVICES": "none"}


MIXED: Json = {
    **build.gpu(1, memory=2000, cores=30),
    "iluvatar.ai/BI-V100-vgpu": 1,
    "iluvatar.ai/BI-V100.vMem": 20,
    "huawei.com/Ascend310P": 1,
}
"""Of three families: two set variables, two have variables of their own."""


def test_families_in_one_container_without_environment_do_not_undo_each_other() -> None:
    after = patched(build.pod_json(build.container("main", MIXED)))
    assert env_of(after).keys() == {
        "NVIDIA_VISIBLE_DEVICES", "CUDA_DEVICE_MEMORY_LIMIT_0", "CUDA_DEVICE_SM_LIMIT",
        "SOL_CONTINER_NAME",
    }  # fmt: skip
    assert decide(after).changes == ()


def test_families_in_one_container_without_limits_do_not_undo_each_other() -> None:
    after = patched(build.pod_json(build.container("main", requests=MIXED)))
    limits = after["spec"]["containers"][0]["resources"]["limits"]
    assert limits.keys() == {*MIXED, "huawei.com/Ascend310P-memory"}
    assert decide(after).changes == ()


def test_of_the_environment_of_a_container_each_family_takes_its_own_alone() -> None:
    theirs = ("CUDA_DEVICE_MEMORY_LIMIT_7", "ASCEND_VISIBLE_DEVICES", "NPU_PRIORITY")
    names = ("A", theirs[0], "B", theirs[1], "C", theirs[2], "D")
    env = [{"name": name, "value": "x"} for name in names]
    after = patched(build.pod_json(build.container("main", MIXED, env=env)))
    assert {name for name, value in env_of(after).items() if value == "x"} == {*"ABCD"}
    assert decide(after).changes == ()


def test_what_one_family_hides_another_may_show() -> None:
    """A container with cards by Volcano's names sees them beside one with NVIDIA's."""
    theirs = build.container("theirs", {"volcano.sh/vgpu-number": 1}, env=[dict(ALL)])
    pod = build.pod_json(build.container("ours", build.gpu(1)), theirs)
    after = patched(pod, nvidia=NvidiaOptions(overwrite_env=True))
    assert env_of(after, 1) == {}
    assert decide(after, nvidia=NvidiaOptions(overwrite_env=True)).changes == ()


def test_what_is_called_like_ours_and_is_not_is_warned_of() -> None:
    limits = {**build.gpu(1, memory=2000), "nvidia.com/gpumemory": 2000, "example.com/other": 1}
    decision = decide(build.pod_json(build.container(limits=limits)))
    (warning,) = decision.warnings
    assert warning.startswith(
        "spec.containers[0].resources: nvidia.com/gpumemory: nothing here gives that out; of"
        " nvidia.com there are nvidia.com/gpu, nvidia.com/gpumem,"
    )


def test_what_the_user_set_of_ours_is_overruled_with_a_warning() -> None:
    env = [
        {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"},
        {"name": "KEPT", "value": "1"},
        {"name": "CUDA_DEVICE_MEMORY_LIMIT_7", "value": "1m"},
        {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"},
    ]
    document = build.pod_json(build.container(limits=build.gpu(1, memory=10), env=env))
    decision = decide(document)
    names = [each["name"] for each in patched(document)["spec"]["containers"][0]["env"]]
    assert names == [
        "NVIDIA_VISIBLE_DEVICES",
        "KEPT",
        "CUDA_DEVICE_MEMORY_LIMIT_0",
        "CUDA_DEVICE_SM_LIMIT",
    ]
    told = [warning.partition(":")[0] for warning in decision.warnings]
    assert told == [f"spec.containers[0].env[{index}]" for index in (0, 2, 3)]


UNREADABLE = {
    keys.NODE_POLICY: ("best", "allowed: binpack, spread"),
    keys.CARD_POLICY: (
        "spread,best",
        "allowed: binpack, spread, numa, mutex, topology-aware, or several",
    ),
    keys.WEIGHTS: ("memory=1", "write slot=1,core=1,memory=3: all three"),
    keys.TOPOLOGY: ("hard", "allowed: preferred, required"),
    keys.NVIDIA_NUMA_BIND: ("yes", "allowed: true, false"),
    keys.NVIDIA_MODE: ("mig-parted", "allowed: hami-core, mig, mps"),
    keys.NVIDIA_USE_TYPE: (", ,", "a list of commas names no card"),
    keys.NVIDIA_USE_UUID: (",", "a list of commas names no card"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_wishes_that_cannot_be_read_are_refused_with_what_is_allowed(name: str) -> None:
    value, advice = UNREADABLE[name]
    (objection,) = decide(gpu_pod(annotations={name: value})).objections
    assert (objection.field, objection.value) == (f"metadata.annotations[{name}]", repr(value))
    assert objection.advice.startswith(advice)
    assert decide(gpu_pod(annotations={name: ""})).objections == () or name in {
        keys.NODE_POLICY,
        keys.CARD_POLICY,
        keys.WEIGHTS,
        keys.TOPOLOGY,
        keys.NVIDIA_NUMA_BIND,
    }


def test_wishes_have_a_length_and_say_so() -> None:
    ids = ",".join(f"GPU-{n:036}" for n in range(60))
    fits = {"nvidia.com/use-gpuuuid": ids, "nvidia.com/nouse-gputype": "A"}
    assert not decide(gpu_pod(annotations=fits)).objections
    (objection,) = decide(gpu_pod(annotations={**fits, "nvidia.com/nouse-gpuuuid": ids})).objections
    assert objection.field == "metadata.annotations[nvidia.com/nouse-gpuuuid]"
    assert "may have 4096; choose nodes by spec.nodeSelector" in objection.advice
    assert not decide(gpu_pod(annotations={**fits, "of": ids * 9})).objections


def test_wishes_of_another_family_are_not_read() -> None:
    document = build.pod_json(
        build.container(limits={"aws.amazon.com/neuron": 1}),
        annotations={keys.NVIDIA_MODE: "anything"},
    )
    assert decide(document).objections == ()


UNDONE: dict[str, tuple[str, Callable[[Json], object]]] = {
    "spec.schedulerName: Invalid value: not hami-scheduler": (
        "scheduler",
        lambda spec: spec.update(schedulerName="default-scheduler"),
    ),
    "spec.runtimeClassName: Invalid value: not nvidia": (
        "runtime class",
        lambda spec: spec.pop("runtimeClassName"),
    ),
    "spec.containers[0].resources.limits: Invalid value: nvidia.com/gpu": (
        "count",
        lambda spec: spec["containers"][0]["resources"]["limits"].pop("nvidia.com/gpu"),
    ),
    "spec.containers[0].env: Invalid value: CUDA_DEVICE_SM_LIMIT": (
        "variable that is missing",
        lambda spec: spec["containers"][0]["env"].pop(),
    ),
    "spec.containers[0].env: Invalid value: NVIDIA_VISIBLE_DEVICES": (
        "variable with another value, twice",
        lambda spec: spec["containers"][0]["env"].extend([ALL, ALL]),
    ),
}


@pytest.mark.parametrize("text", UNDONE, ids=[name for name, _ in UNDONE.values()])
def test_undone_names_what_is_not_as_we_left_it(text: str) -> None:
    options = NvidiaOptions(runtime_class="nvidia")
    document = patched(gpu_pod(), nvidia=options)
    assert admit.undone(decide(document, nvidia=options)) is None
    UNDONE[text][1](document["spec"])
    undone = str(admit.undone(decide(document, nvidia=options)))
    assert undone.startswith(f"{text}: the pod is not as the mutating webhook left it; another")


def test_changes_write_parents_that_are_missing() -> None:
    bare = build.pod(build.container()).containers[0]
    assert changes.operations([SetLimits(bare, {"a/b": 1})]) == [
        {"op": "add", "path": "/spec/containers/0/resources", "value": {"limits": {"a/b": "1"}}}
    ]
    some = build.pod(build.container(requests={"cpu": 1})).containers[0]
    assert changes.operations([SetLimits(some, {"a": 1})])[0]["path"].endswith("/limits")  # type: ignore[attr-defined]
    full = build.pod(build.container(limits={"cpu": 1})).containers[0]
    (operation,) = changes.operations([SetLimits(full, {"a/b~c": 1})])
    assert operation["path"] == "/spec/containers/0/resources/limits/a~1b~0c"
    both = changes.operations([SetScheduler("s"), SetRuntimeClass("r")])
    assert [each["path"] for each in both] == ["/spec/schedulerName", "/spec/runtimeClassName"]


def test_default_scheduler_is_kubernetes_name() -> None:
    assert scope.DEFAULT_SCHEDULER == "default-scheduler"
