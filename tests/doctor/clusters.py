"""A cluster in which all is well, from the shipped manifests, to be broken in one place each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from hami_admission.doctor import objects
from hami_admission.doctor.seen import Certificate, Observed, Seen, Trial
from hami_admission.settings import Settings
from hami_admission.wire import keys
from tests import build, yamls

if TYPE_CHECKING:
    from hami_admission.model.pod import Pod

T = TypeVar("T")

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
BUNDLE = "Y2E="
WEBHOOKS = Path(__file__).parents[2] / "webhooks"
REGISTER = keys.NVIDIA_REGISTER


def documents(name: str) -> list[dict[str, Any]]:
    """Of a shipped manifest."""
    return yamls.load_all((WEBHOOKS / name).read_text())


def wire(form: type[T], value: object) -> T:
    """An object as the API server would send it."""
    return msgspec.convert(value, form, strict=False)


def configuration(name: str, **hook: Any) -> objects.Configuration:
    """A shipped one with its caBundle and these fields of its webhook changed."""
    (found,) = documents(name)
    found["webhooks"][0]["clientConfig"]["caBundle"] = BUNDLE
    found["webhooks"][0] |= hook
    return wire(objects.Configuration, found)


def mutating(**hook: Any) -> dict[str, Any]:
    """The cluster's field with a webhook that differs in these."""
    return {"mutating": Seen([configuration("mutating.yaml", **hook)])}


def other(name: str, hook: str, seconds: int = 10) -> objects.Configuration:
    """Somebody else's webhook for pods."""
    rules = [{"operations": ["CREATE"], "resources": ["pods"]}]
    hooks = [{"name": hook, "timeoutSeconds": seconds, "rules": rules}]
    return wire(objects.Configuration, {"metadata": {"name": name}, "webhooks": hooks})


def policies() -> list[objects.Policy]:
    """The shipped ones."""
    return [wire(objects.Policy, each) for each in documents("policy.yaml")[::2]]


def bindings() -> list[objects.Binding]:
    """The shipped ones."""
    return [wire(objects.Binding, each) for each in documents("policy.yaml")[1::2]]


def lease(holder: str = "me", age: float = 1) -> Seen[objects.Lease]:
    """Renewed that many seconds ago, good for ten."""
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 10}
    spec["renewTime"] = (NOW - timedelta(seconds=age)).isoformat()
    return Seen(wire(objects.Lease, {"spec": spec}))


def leases(**changed: Seen[objects.Lease]) -> dict[str, Any]:
    """Both; ours is ``ours``, that of kube-scheduler ``theirs``."""
    found = {"ours": lease(), "theirs": lease()} | changed
    return {"leases": {"hami-admission": found["ours"], "hami-scheduler": found["theirs"]}}


def workload(
    place: str, image: str = "x", ready: int = 2, replicas: int = 2, **spec: Any
) -> objects.Workload:
    """A Deployment or a DaemonSet."""
    namespace, _, name = place.partition("/")
    pod = {"containers": [{"image": image}], **spec}
    return wire(
        objects.Workload,
        {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": replicas, "template": {"spec": pod}},
            "status": {"readyReplicas": ready, "desiredNumberScheduled": ready},
        },
    )


def node(
    name: str = "n",
    *,
    offered: object = "20",
    register: str | None = None,
    labels: dict[str, str] | None = None,
    **device: Any,
) -> objects.Node:
    """With two cards of its own, unless a register annotation is given ("-": none)."""
    text = build.facts(name, 2, **device).annotations[REGISTER] if register is None else register
    allocatable = {} if offered is None else {"nvidia.com/gpu": offered}
    info = {"containerRuntimeVersion": "containerd://1.7.0"}
    return wire(
        objects.Node,
        {
            "metadata": {
                "name": name,
                "labels": labels or {},
                "annotations": {} if text == "-" else {REGISTER: text},
            },
            "status": {"allocatable": allocatable, "nodeInfo": info},
        },
    )


def nodes(*found: objects.Node) -> dict[str, Any]:
    """The cluster's field."""
    return {"nodes": Seen([*found])}


def quota(used: dict[str, str] | None = None, **hard: object) -> dict[str, Any]:
    """The cluster's field with one; in keys stand ``_`` for ``.`` and ``__`` for ``/``."""
    spelled = {key.replace("__", "/").replace("_", "."): str(value) for key, value in hard.items()}
    value = {
        "metadata": {"name": "q", "namespace": "team"},
        "spec": {"hard": spelled},
        "status": {"used": used or {}},
    }
    return {"quotas": Seen([wire(objects.Quota, value)])}


def marked(counted: str, version: str) -> dict[str, Any]:
    """The cluster's field with one quota of that version, and a mark of ours."""
    annotations = {keys.QUOTA_COUNTED: counted}
    metadata = {"name": "q", "namespace": "team", "resourceVersion": version}
    hard = {"limits.nvidia.com/gpu": "8"}
    value = {"metadata": {**metadata, "annotations": annotations}, "spec": {"hard": hard}}
    return {"quotas": Seen([wire(objects.Quota, value)])}


def pod(name: str, minutes: int, **spec: Any) -> objects.Pod:
    """Pending, of our scheduler, since that many minutes."""
    created = (NOW - timedelta(minutes=minutes)).isoformat()
    metadata = {"name": name, "namespace": "team", "creationTimestamp": created}
    full = {"schedulerName": "hami-scheduler", **spec}
    return wire(objects.Pod, {"metadata": metadata, "spec": full})


def placed(*found: Pod) -> dict[str, Any]:
    """The cluster's field."""
    return {"placed": Seen([*found])}


def having(text: str, *containers: dict[str, Any]) -> Pod:
    """A pod ``team/p`` on node ``n`` with this annotation of its cards; it asks for one."""
    asking = containers or (build.container(limits=build.gpu(1)),)
    return build.pod(*asking, nodeName="n", annotations={keys.NVIDIA_ALLOCATED: text})


def refused(message: str, status: int = 403) -> dict[str, Any]:
    """The trial's pod was not taken."""
    return {"trial": Seen(Trial(namespace="default", status=status, refusal=message))}


def taken(scheduler: str, path: str) -> dict[str, Any]:
    """The trial's pod came back like this."""
    variable = {"name": "V", "valueFrom": {"fieldRef": {"fieldPath": path}}}
    spec = {"schedulerName": scheduler, "containers": [{"env": [variable]}]}
    value = wire(objects.Pod, {"spec": spec})
    return {"trial": Seen(Trial(namespace="default", pod=value))}


def certificate(begins: int = -10, ends: int = 300, name: str = "") -> dict[str, Any]:
    """In days from now."""
    found = Certificate(
        begins=NOW + timedelta(days=begins),
        ends=NOW + timedelta(days=ends),
        names=(name or "hami-admission.hami-system.svc",),
    )
    return {"certificate": Seen(found)}


def scheduler(**changed: Any) -> dict[str, Any]:
    """The shipped configuration, in a ConfigMap."""
    (found,) = documents("kube-scheduler.yaml")
    return {"schedulers": Seen([wire(objects.Scheduler, found | {"place": "s/c"} | changed)])}


def reviews(senders: str | list[str] = "any", authority: str = "") -> dict[str, Any]:
    """Who may send them."""
    said = {"reviewSenders": senders, "reviewAuthority": authority}
    return {"reviews": Seen(wire(objects.Reviews, said))}


def api_servers(*addresses: str) -> dict[str, Any]:
    """Where they are."""
    said = {"endpoints": [{"addresses": [each]} for each in addresses]}
    return {"api_servers": Seen(wire(objects.Slice, said))}


def version(major: str, minor: str) -> dict[str, Any]:
    """Of the API server."""
    git = f"v{major}.{minor}.1"
    return {"version": Seen(objects.Version(major=major, minor=minor, git_version=git))}


def runtime_classes(*pairs: tuple[str, str]) -> dict[str, Any]:
    """By name and handler."""
    found = [{"metadata": {"name": name}, "handler": handler} for name, handler in pairs]
    return {"runtime_classes": Seen([wire(objects.RuntimeClass, each) for each in found])}


def healthy(**changed: Any) -> Observed:
    """All is well, but for these."""
    ours = workload("hami-system/hami-admission")
    rewritten = keys.annotation_path(keys.env_annotation(0, "V"))
    found = Observed(
        now=NOW,
        settings=Settings(),
        namespace="hami-system",
        validating=Seen([configuration("validating.yaml")]),
        trusted=frozenset({BUNDLE}),
        policies=Seen(policies()),
        bindings=Seen(bindings()),
        deployments=Seen([ours]),
        daemons=Seen([]),
        pods=Seen([]),
        placed=Seen([]),
        **mutating(),
        **certificate(),
        **taken("hami-scheduler", rewritten),
        **leases(),
        **scheduler(),
        **nodes(node()),
        **quota(limits_nvidia_com__gpu=8),
        **reviews(),
        **api_servers("10.0.0.1"),
        **version("1", "34"),
        **runtime_classes(("nvidia", "nvidia")),
    )
    return replace(found, **changed)
