"""Every annotation, label and environment name that we share with others, once.

Names of upstream are kept where they exist (facts/scheduling.md 11); those under ``hami.io/env-``,
``hami.io/quota-…``, ``hami.io/wake`` and ``hami.io/gpu-topology`` are ours (design.md 13).
"""

from __future__ import annotations

# Of Kubernetes: a pod with this annotation is never started, it shows one that a kubelet runs.
MIRROR = "kubernetes.io/config.mirror"

# Labels and annotations that users write.
OPT_OUT_LABEL = "hami.io/webhook"
OPT_OUT_VALUE = "ignore"
NODE_POLICY = "hami.io/node-scheduler-policy"
CARD_POLICY = "hami.io/gpu-scheduler-policy"
WEIGHTS = "hami.io/device-scoring-weights"
TOPOLOGY = "hami.io/gpu-topology"

# Annotations that the Binding carries.
ASSIGNED_NODE = "hami.io/vgpu-node"
ASSIGNED_TIME = "hami.io/vgpu-time"
BIND_TIME = "hami.io/bind-time"
BIND_PHASE = "hami.io/bind-phase"
BIND_PHASE_SUCCESS = "success"
ENV_PREFIX = "hami.io/env-"

# NVIDIA.
NVIDIA_REGISTER = "hami.io/node-nvidia-register"
NVIDIA_HANDSHAKE = "hami.io/node-handshake"
NVIDIA_SCORES = "hami.io/node-nvidia-score"
NVIDIA_CORDON = "hami.io/device-cordon"
NVIDIA_MIG = "hami.io/vgpu-mig-allocations"
MIG_WANTED = "hami.io/mig-wanted."
MIG_INSTANCES = "hami.io/mig-instances"
NVIDIA_STATIC_MIG = "nvidia.com/mig-"
NVIDIA_MODE = "nvidia.com/vgpu-mode"
NVIDIA_NUMA_BIND = "nvidia.com/numa-bind"
NVIDIA_TO_ALLOCATE = "hami.io/vgpu-devices-to-allocate"
NVIDIA_ALLOCATED = "hami.io/vgpu-devices-allocated"
NVIDIA_USE_TYPE = "nvidia.com/use-gputype"
NVIDIA_NOUSE_TYPE = "nvidia.com/nouse-gputype"
NVIDIA_USE_UUID = "nvidia.com/use-gpuuuid"
NVIDIA_NOUSE_UUID = "nvidia.com/nouse-gpuuuid"
NVIDIA_VISIBLE_DEVICES = "NVIDIA_VISIBLE_DEVICES"
CUDA_MEMORY_LIMIT = "CUDA_DEVICE_MEMORY_LIMIT"
CUDA_CORE_LIMIT = "CUDA_DEVICE_SM_LIMIT"
CUDA_TASK_PRIORITY = "CUDA_TASK_PRIORITY"
CORE_POLICY = "GPU_CORE_UTILIZATION_POLICY"
CUDA_USAGE_FILE = "CUDA_DEVICE_MEMORY_SHARED_CACHE"
CUDA_OVERSUBSCRIBE = "CUDA_OVERSUBSCRIBE"
CUDA_DISABLE_CONTROL = "CUDA_DISABLE_CONTROL"
LIBRARY_LOG_LEVEL = "LIBCUDA_LOG_LEVEL"

# AWS Neuron; those in capitals are read by AWS's own tools.
NEURON_ALLOCATED = "hami.io/aws-neuron-devices-allocated"
NEURON_USE_UUID = "aws.amazon.com/use-neuron-uuid"
NEURON_NOUSE_UUID = "aws.amazon.com/nouse-neuron-uuid"
NEURON_IDS = "AWS_NEURON_IDS"
NEURON_RESOURCE_TYPE = "NEURON_RESOURCE_TYPE"
NEURON_ALLOC_TIME = "NEURON_ALLOC_TIME"
NEURON_DONE = "NEURON_ALLOCATED"
NEURON_NODE = "aws.amazon.com/predicate-node"
INSTANCE_TYPE_LABEL = "node.kubernetes.io/instance-type"

# Nodes.
WAKE = "hami.io/wake"

# ResourceQuota.
QUOTA_HOLDS = "hami.io/quota-holds"
QUOTA_COUNTED = "hami.io/quota-counted"
QUOTA_PREFIX = "limits."

RESERVED_PREFIXES = (
    ENV_PREFIX,
    "hami.io/vgpu-",
    "hami.io/bind-",
    "hami.io/aws-neuron-",
    "AWS_NEURON_",
    "NEURON_",
    NEURON_NODE,
)
"""Annotations of a pod that only the Binding brings; nobody may create a pod with them."""


def reserved(annotation: str) -> bool:
    """Is this an annotation of the decision, which users must not write?"""
    return annotation.startswith(RESERVED_PREFIXES)


def env_annotation(slot: int, name: str) -> str:
    """The pod annotation that carries one environment value of one container to its node."""
    return f"{ENV_PREFIX}{slot}.{name.lower().replace('_', '-')}"


def annotation_path(annotation: str) -> str:
    """The downward API's path of an annotation."""
    return f"metadata.annotations['{annotation}']"
