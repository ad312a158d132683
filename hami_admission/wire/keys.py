"""Every annotation, label and environment name that we share with others, once.

Names of upstream are kept where they exist (facts/scheduling.md 11); those under ``hami.io/env-``,
``hami.io/quota-…``, ``hami.io/wake`` and ``hami.io/gpu-topology`` are ours (design.md 13).
"""

from __future__ import annotations

# Of Kubernetes: a pod with this annotation is never started, it shows one that a kubelet runs.
MIRROR = "kubernetes.io/config.mirror"
"""Pod, by a kubelet: the pod shows one that the kubelet runs from a file; it is left alone."""

# Labels and annotations that users write.
OPT_OUT_LABEL = "hami.io/webhook"
"""Label of a pod or namespace: ``ignore`` keeps our webhooks from it; cards are refused then."""
OPT_OUT_VALUE = "ignore"
"""Value."""
VISIBLE_DEVICES_LABEL = "hami.io/visible-devices"
"""Label of a namespace: ``allow`` lets its pods name cards by hand; read by a policy alone."""
NODE_POLICY = "hami.io/node-scheduler-policy"
"""Pod, by users: ``binpack``, the fullest node first, or ``spread``, the emptiest."""
CARD_POLICY = "hami.io/gpu-scheduler-policy"
"""Pod, by users: which cards of a node; ``binpack``, ``spread``, ``numa``, ``mutex``,
``topology-aware``, or several with commas, the first deciding first."""
WEIGHTS = "hami.io/device-scoring-weights"
"""Pod, by users: ``slot=1,core=1,memory=3``, what counts how much in the score of a card."""
TOPOLOGY = "hami.io/gpu-topology"
"""Pod, by users: ``required`` refuses nodes without a free set of cards that NVLinks connect;
``preferred`` only likes them."""

# Annotations that the Binding carries.
ASSIGNED_NODE = "hami.io/vgpu-node"
"""Pod, by the Binding: the node that the cards are on."""
ASSIGNED_TIME = "hami.io/vgpu-time"
"""Pod, by the Binding: when, as a unix second."""
BIND_TIME = "hami.io/bind-time"
"""Pod, by the Binding: the same, for who reads upstream's name."""
BIND_PHASE = "hami.io/bind-phase"
"""Pod, by the Binding: ``success``."""
BIND_PHASE_SUCCESS = "success"
"""Value."""
ENV_PREFIX = "hami.io/env-"
"""Pod, by the Binding: ``hami.io/env-<container>.<name>``, a variable of a container (counted
from 0, init containers first), whose environment refers to it."""

# NVIDIA.
NVIDIA_REGISTER = "hami.io/node-nvidia-register"
"""Node, by its agent: the cards that it offers."""
NVIDIA_HANDSHAKE = "hami.io/node-handshake"
"""Node, by upstream's plugin: when it was there last; read, never written."""
NVIDIA_SCORES = "hami.io/node-nvidia-score"
"""Node, by its agent: how well each pair of cards is linked."""
NVIDIA_CORDON = "hami.io/device-cordon"
"""Node, by operators: uuids with commas, of cards that take no new pods."""
NVIDIA_MIG = "hami.io/vgpu-mig-allocations"
"""Pod, by the Binding: the MIG instances that it holds."""
MIG_WANTED = "hami.io/mig-wanted."
"""Node, by us: followed by a pod's uid, the MIG instances that it is to have."""
MIG_INSTANCES = "hami.io/mig-instances"
"""Node, by its agent: the MIG instances that exist, and what became of those that are wanted."""
NVIDIA_STATIC_MIG = "nvidia.com/mig-"
"""Resource of others: how NVIDIA's own plugin names its MIG instances; not beside a share in one
container."""
NVIDIA_MODE = "nvidia.com/vgpu-mode"
"""Pod, by users: only cards that are shared in this way; ``hami-core``, ``mig``, ``mps``."""
NVIDIA_NUMA_BIND = "nvidia.com/numa-bind"
"""Pod, by users: ``true``, all cards of a container on one NUMA node."""
NVIDIA_TO_ALLOCATE = "hami.io/vgpu-devices-to-allocate"
"""Pod, by the Binding: what a device plugin of upstream has to give yet."""
NVIDIA_ALLOCATED = "hami.io/vgpu-devices-allocated"
"""Pod, by the Binding: uuid, family, MiB and cores of each card of each container."""
NVIDIA_USE_TYPE = "nvidia.com/use-gputype"
"""Pod, by users: only cards whose type has one of these parts of names."""
NVIDIA_NOUSE_TYPE = "nvidia.com/nouse-gputype"
"""Pod, by users: no cards whose type has one of these parts of names."""
NVIDIA_USE_UUID = "nvidia.com/use-gpuuuid"
"""Pod, by users: only these cards, by uuid."""
NVIDIA_NOUSE_UUID = "nvidia.com/nouse-gpuuuid"
"""Pod, by users: none of these cards."""
NVIDIA_VISIBLE_DEVICES = "NVIDIA_VISIBLE_DEVICES"
"""Variable, set by us: the uuids of the container's cards; ``none`` where it has none."""
CUDA_MEMORY_LIMIT = "CUDA_DEVICE_MEMORY_LIMIT"
"""Variable, set by us: with ``_0``, ``_1`` … for each card, its share of memory: ``8000m``."""
CUDA_CORE_LIMIT = "CUDA_DEVICE_SM_LIMIT"
"""Variable, set by us: percent of cores, 0 for no limit; with ``_0`` … for several cards."""
CUDA_TASK_PRIORITY = "CUDA_TASK_PRIORITY"
"""Variable, set by us: 0 (high) or 1 (low), as ``nvidia.com/priority`` says."""
CORE_POLICY = "GPU_CORE_UTILIZATION_POLICY"
"""Variable, set by us: the setting ``nvidia.gpuCorePolicy``, unless it is ``default``."""
CUDA_USAGE_FILE = "CUDA_DEVICE_MEMORY_SHARED_CACHE"
"""Variable, set by the agent: where the isolation library counts what is used."""
CUDA_OVERSUBSCRIBE = "CUDA_OVERSUBSCRIBE"
"""Variable, set by the agent: ``true`` where the node gives out more memory than it has."""
CUDA_DISABLE_CONTROL = "CUDA_DISABLE_CONTROL"
"""Variable, by users: ``true`` keeps the isolation library out of the container."""
LIBRARY_LOG_LEVEL = "LIBCUDA_LOG_LEVEL"
"""Variable, set by the agent: what the isolation library logs."""

# AWS Neuron; those in capitals are read by AWS's own tools.
NEURON_ALLOCATED = "hami.io/aws-neuron-devices-allocated"
"""Pod, by the Binding: AWS Neuron, devices and cores of each container."""
NEURON_USE_UUID = "aws.amazon.com/use-neuron-uuid"
"""Pod, by users: only these AWS Neuron devices, by id."""
NEURON_NOUSE_UUID = "aws.amazon.com/nouse-neuron-uuid"
"""Pod, by users: none of these AWS Neuron devices."""
NEURON_IDS = "AWS_NEURON_IDS"
"""Pod, by the Binding: for AWS's plugin, indices of devices or cores."""
NEURON_RESOURCE_TYPE = "NEURON_RESOURCE_TYPE"
"""Pod, by the Binding: for AWS's plugin, which resource was asked, where it was cores."""
NEURON_ALLOC_TIME = "NEURON_ALLOC_TIME"
"""Pod, by the Binding: for AWS's plugin, when, in nanoseconds."""
NEURON_DONE = "NEURON_ALLOCATED"
"""Pod, by the Binding: for AWS's plugin, ``false`` until it has given them."""
NEURON_NODE = "aws.amazon.com/predicate-node"
"""Pod, by the Binding: for AWS's plugin, the node."""
INSTANCE_TYPE_LABEL = "node.kubernetes.io/instance-type"
"""Label of a node: the type of the machine, which says what Neuron devices it has."""

# Nodes.
WAKE = "hami.io/wake"
"""Node, by us: changed to make kube-scheduler look at waiting pods again."""

# ResourceQuota.
QUOTA_HOLDS = "hami.io/quota-holds"
"""ResourceQuota, by us: charges of pods that were admitted and not seen yet, with their ends."""
QUOTA_COUNTED = "hami.io/quota-counted"
"""ResourceQuota, by us: up to where its pods were counted."""
QUOTA_PREFIX = "limits."
"""Value."""

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
