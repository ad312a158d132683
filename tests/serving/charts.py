"""What the keys of the serving charts become in a Deployment: the part that decides about cards.

Written from the charts' documents, not from their templates; ``test_examples`` compares it with
what the charts really render, where that is at hand.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

Json = dict[str, Any]

ROLLING = {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}
"""The vLLM chart's own strategy."""

SIZES = {
    "GPUMem": "nvidia.com/gpumem",
    "GPUMemPercentage": "nvidia.com/gpumem-percentage",
    "GPUCores": "nvidia.com/gpucores",
}


def vllm(values: Json, release: str = "vllm") -> list[Json]:
    """The engine Deployments of the vLLM production stack, one per model."""
    engine = values["servingEngineSpec"]
    return [_model(engine, each, release) for each in engine.get("modelSpec", [])]


def _model(engine: Json, model: Json, release: str) -> Json:
    spec: Json = {
        "containers": [
            {
                "name": "vllm",
                "image": f"{model['repository']}:{model['tag']}",
                "command": _command(model),
                "resources": _resources(model),
            }
        ]
    }
    if model.get("enableLoRA") and "pvcStorage" in model:
        spec["containers"].append({"name": "sidecar"})
    if "initContainer" in model:
        kept = ("name", "image", "command", "args", "resources")
        spec["initContainers"] = [{key: model["initContainer"][key] for key in kept}]
    if name := engine.get("runtimeClassName", "nvidia"):
        spec["runtimeClassName"] = name
    if "nodeName" in model:
        spec["nodeName"] = model["nodeName"]
    notes = {"annotations": model["podAnnotations"]} if "podAnnotations" in model else {}
    return _deployment(
        f"{release}-{model['name']}-deployment-vllm",
        model["replicaCount"],
        engine.get("strategy", ROLLING),
        {"metadata": notes, "spec": spec},
    )


def _command(model: Json) -> list[str]:
    config = model.get("vllmConfig", {})
    found = ["vllm", "serve", model["modelURL"]]
    for key, flag in (
        ("maxModelLen", "--max-model-len"),
        ("tensorParallelSize", "--tensor-parallel-size"),
        ("gpuMemoryUtilization", "--gpu_memory_utilization"),
    ):
        if key in config:
            found += [flag, str(config[key])]
    return [*found, *config.get("extraArgs", [])]


def _resources(model: Json) -> Json:
    """Texts all of them; the count goes to both, each other key to its own half."""
    requests = {"cpu": str(model["requestCPU"]), "memory": model["requestMemory"]}
    limits = {
        name: str(model[key])
        for key, name in (("limitCPU", "cpu"), ("limitMemory", "memory"))
        if key in model
    }
    for half, prefix in ((requests, "request"), (limits, "limit")):
        if model.get("requestGPU"):
            half[model.get("requestGPUType", "nvidia.com/gpu")] = str(model["requestGPU"])
        for key, name in SIZES.items():
            if prefix + key in model:
                half[name] = str(model[prefix + key])
    return {"requests": requests, "limits": limits}


WHOLE = {"nvidia.com/gpu": "1"}
SHARED = {**WHOLE, "nvidia.com/gpumem-percentage": 100, "nvidia.com/gpucores": 100}


def _defaults(cpu: str, memory: str) -> Json:
    native = {"cpu": cpu, "memory": memory}
    both = {"requests": {**native, **WHOLE}, "limits": {**native, **WHOLE}}
    vgpu = {"requests": native, "limits": {**native, **SHARED}}
    return {"resources": both, "vgpu": {"enabled": False, "resources": vgpu}}


XINFERENCE: Json = {
    "config": {"worker_num": 1},
    "xinferenceSupervisor": {"supervisor": _defaults("1", "4Gi")},
    "xinferenceWorker": {"worker": _defaults("2", "8Gi")},
}
"""The chart's defaults, as far as they decide about cards."""


def xinference(values: Json) -> list[Json]:
    """Supervisor and workers of the Xinference chart with vGPU flags."""
    merged = _merged(XINFERENCE, values)
    supervisor = merged["xinferenceSupervisor"]["supervisor"]
    worker = merged["xinferenceWorker"]["worker"]
    count = merged["config"]["worker_num"]
    return [
        _deployment("xinference-supervisor", 1, {}, _program("supervisor", supervisor)),
        _deployment("xinference-worker", count, {"type": "Recreate"}, _program("worker", worker)),
    ]


def _program(name: str, values: Json) -> Json:
    vgpu = values["vgpu"]
    resources = vgpu["resources"] if vgpu["enabled"] else values["resources"]
    container = {"name": name, "command": [f"xinference-{name}"], "resources": resources}
    return {"metadata": {}, "spec": {"containers": [container]}}


def _merged(base: Json, over: Json) -> Json:
    """As Helm does it: maps are merged, null takes a key out, all else replaces."""
    found = deepcopy(base)
    for key, value in over.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict) and isinstance(found.get(key), dict):
            found[key] = _merged(found[key], value)
        else:
            found[key] = value
    return found


def _deployment(name: str, replicas: int, strategy: Json, template: Json) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "serving"},
        "spec": {
            "replicas": replicas,
            "strategy": strategy,
            "selector": {"matchLabels": {"app": name}},
            "template": {**template, "metadata": {**template["metadata"], "labels": {"app": name}}},
        },
    }
