"""Builders that read like manifests; each gives plain JSON-like values or nouns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hami_admission.model.device import Device
from hami_admission.wire import keys, nodes, pods, registers

if TYPE_CHECKING:
    from hami_admission.model.pod import Pod

Json = dict[str, Any]


def gpu(
    count: object = None,
    *,
    memory: object = None,
    percent: object = None,
    cores: object = None,
    priority: object = None,
) -> Json:
    """Resource amounts by NVIDIA's names; what is None is left out."""
    named = {
        "nvidia.com/gpu": count,
        "nvidia.com/gpumem": memory,
        "nvidia.com/gpumem-percentage": percent,
        "nvidia.com/gpucores": cores,
        "nvidia.com/priority": priority,
    }
    return {name: value for name, value in named.items() if value is not None}


def container(
    name: str = "main",
    limits: Json | None = None,
    *,
    requests: Json | None = None,
    env: list[Json] | None = None,
    privileged: bool = False,
    sidecar: bool = False,
) -> Json:
    """A container; without limits and requests it has no resources at all."""
    made: Json = {"name": name, "image": "example.org/image:1"}
    if limits is not None or requests is not None:
        given = {"limits": limits, "requests": requests}
        made["resources"] = {key: value for key, value in given.items() if value is not None}
    if env is not None:
        made["env"] = env
    if privileged:
        made["securityContext"] = {"privileged": True}
    if sidecar:
        made["restartPolicy"] = "Always"
    return made


def pod_json(
    *containers: Json,
    name: str = "p",
    namespace: str = "team",
    uid: str = "",
    init: tuple[Json, ...] = (),
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    phase: str | None = None,
    **spec: object,
) -> Json:
    """A Pod object; further keywords are fields of its spec."""
    metadata: Json = {"name": name, "namespace": namespace}
    if uid:
        metadata["uid"] = uid
    if annotations:
        metadata["annotations"] = annotations
    if labels:
        metadata["labels"] = labels
    made: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": list(containers), **spec},
    }
    if init:
        made["spec"]["initContainers"] = list(init)
    if phase is not None:
        made["status"] = {"phase": phase}
    return made


def noun(document: Json) -> Pod:
    """The model of a pod's JSON."""
    return pods.decode(msgspec.json.encode(document))


def pod(*containers: Json, **fields: Any) -> Pod:
    """The model of a pod with these containers; see pod_json."""
    return noun(pod_json(*containers, **fields))


def device(index: int = 0, *, node: str = "n", **fields: Any) -> Device:
    """An A100-80G, unless the fields say otherwise."""
    values: Json = {
        "uuid": f"GPU-{node}-{index}",
        "index": index,
        "type": "NVIDIA A100-SXM4-80GB",
        "slots": 10,
        "memory_mib": 81920,
        "cores": 100,
    }
    return Device(**{**values, **fields})


def facts(
    name: str = "n", cards: int = 8, *, devices: tuple[Device, ...] | None = None, **fields: Any
) -> nodes.NodeFacts:
    """A node that registered that many cards (or these devices)."""
    given = (
        devices
        if devices is not None
        else tuple(device(index, node=name, **fields) for index in range(cards))
    )
    return nodes.NodeFacts(name, {keys.NVIDIA_REGISTER: registers.encode(given)})


def quota_json(
    name: str = "quota", namespace: str = "team", *, version: str = "1", **hard: object
) -> Json:
    """A ResourceQuota; ``gpu``, ``gpumem`` and ``gpucores`` become ``limits.nvidia.com/…``."""
    limits = {f"limits.nvidia.com/{key}": str(value) for key, value in hard.items()}
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "resourceVersion": version,
        },
        "spec": {"hard": limits},
        "status": {"hard": limits, "used": dict.fromkeys(limits, "0")},
    }
