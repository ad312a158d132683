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
"""Pod, by the Binding: ``success``; or ``allocating``, until a device plugin of others has given
out the cards and says ``success`` or ``failed``."""
BIND_PHASE_SUCCESS = "success"
"""Value."""
BIND_PHASE_ALLOCATING = "allocating"
"""Value."""
BIND_PHASE_FAILED = "failed"
"""Value."""
ENV_PREFIX = "hami.io/env-"
"""Pod, by the Binding: ``hami.io/env-<container>.<name>``, a variable of a container (counted
from 0, init containers first), whose environment refers to it."""

DETAILS_PREFIX = "hami.io/card-details."
"""Pod, by the Binding: followed by the family, what its cards are given out for beside memory and
cores: places, parts, classes."""

# Nodes whose device plugin is of others.
NODE_LOCK = "hami.io/mutex.lock"
"""Node, by us and by HAMi: when it was taken, namespace and name of the pod that its device plugin
has to serve; the plugin takes it away."""

# NVIDIA.
NVIDIA_REGISTER = "hami.io/node-nvidia-register"
"""Node, by its agent: the cards that it offers."""
NVIDIA_HANDSHAKE = "hami.io/node-handshake"
"""Node, by upstream's plugin: when it was there last. Pods are handed to that plugin then, under
the node's lock; our agent takes the annotation away."""
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

# Kunlunxin.
XPU_REGISTER = "hami.io/node-register-xpu"
"""Node, by its device plugin: the Kunlunxin cards that it gives out in slices."""
XPU_HANDSHAKE = "hami.io/node-handshake-xpu"
"""Node, by its device plugin: when it was there last."""
XPU_TO_ALLOCATE = "hami.io/xpu-devices-to-allocate"
"""Pod, by the Binding: Kunlunxin slices that its device plugin has to give yet."""
XPU_ALLOCATED = "hami.io/xpu-devices-allocated"
"""Pod, by the Binding: uuid, family, MiB and cores of each Kunlunxin slice of each container."""
KUNLUN_ALLOCATED = "hami.io/kunlun-allocated"
"""Pod, by the Binding: the whole Kunlunxin cards of each container, in the same form."""
KUNLUN_INDICES = "BAIDU_COM_DEVICE_IDX"
"""Pod, by the Binding: for Kunlunxin's plugin, indices of whole cards."""
XPU_USE_UUID = "hami.io/use-xpu-uuid"
"""Pod, by users: only these Kunlunxin cards, by id."""
XPU_NOUSE_UUID = "hami.io/no-use-xpu-uuid"
"""Pod, by users: none of these Kunlunxin cards."""
BAIDU_USE_UUID = "baidu.com/use-gpuuuid"
"""Pod, by users: an older name of ``hami.io/use-xpu-uuid``; both hold."""
BAIDU_NOUSE_UUID = "baidu.com/nouse-gpuuuid"
"""Pod, by users: an older name of ``hami.io/no-use-xpu-uuid``; both hold."""

# Enflame.
GCU_TO_ALLOCATE = "hami.io/enflame-gcu-devices-to-allocate"
"""Pod, by the Binding: the whole GCUs of each container."""
GCU_ALLOCATED = "hami.io/enflame-gcu-devices-allocated"
"""Pod, by the Binding: the same."""
DRS_CAPACITY = "enflame.com/gcu-drs-capacity"
"""Node, by its device plugin: GCUs that are given out in parts, with their slices, and the
profiles of parts."""
DRS_ALLOCATED = "hami.io/enflame-vgpu-devices-allocated"
"""Pod, by the Binding: uuid, family, MiB and cores of the part of a GCU of each container."""
DRS_ASSIGNED = "enflame.com/gcu-assigned"
"""Pod, by the Binding: for Enflame's plugin, ``false`` until it has made the parts."""
DRS_TIME = "enflame.com/gcu-assigned-time"
"""Pod, by the Binding: for Enflame's plugin, when, in nanoseconds."""
DRS_INDEX = "enflame.com/gcu-assigned-index"
"""Pod, by the Binding: for Enflame's plugin, the index of the GCU."""
DRS_ID = "enflame.com/gcu-assigned-id"
"""Pod, by the Binding: the same, for older ones."""
DRS_MINOR = "enflame.com/gcu-assigned-minor"
"""Pod, by the Binding: for Enflame's plugin, the GCU's number on its node."""
DRS_SIZE = "enflame.com/gcu-request-size"
"""Pod, by the Binding: for Enflame's plugin, slices of the first container that has some."""
DRS_CONTAINERS = "assigned-containers"
"""Pod, by the Binding: for Enflame's plugin, which adds to it: slices and profile of each
container, as JSON."""
DRS_USE_UUID = "enflame.com/use-gpuuuid"
"""Pod, by users: only parts of these GCUs, by id."""
DRS_NOUSE_UUID = "enflame.com/nouse-gpuuuid"
"""Pod, by users: no parts of these GCUs."""

# MetaX.
METAX_LOSSES = "metax-tech.com/gpu.topology.losses"
"""Node, by its device plugin: MetaX, how many links so many whole cards would tear, at the best, by
number: ``{"1":0,"2":110}``."""
METAX_SCORES = "metax-tech.com/gpu.topology.scores"
"""Node, by its device plugin: MetaX, how well so many whole cards are linked, at the best."""
METAX_REGISTER = "metax-tech.com/node-gpu-devices"
"""Node, by its device plugin: the shared MetaX cards that it offers."""
METAX_QOS = "metax-tech.com/sgpu-qos-policy"
"""Pod, by users: how a shared MetaX card divides its time, one way for all of the card;
``best-effort`` (set by us where it is not given), ``fixed-share``, ``burst-share``."""
METAX_APP_CLASS = "metax-tech.com/sgpu-app-class"
"""Pod, by users: ``online``, before all others on shared MetaX cards, whatever they are; or
``offline``, which waits while an ``online`` one is there. Not given, beside neither."""
METAX_LINKED = "metax-tech.com/sgpu-topology-aware"
"""Pod, by users: ``true``, nodes whose links go best with the shared MetaX cards that it takes
whole; not given, as the setting ``metax.sgpuTopologyAware`` says."""
METAX_ALLOCATED = "metax-tech.com/gpu-devices-allocated"
"""Pod, by the Binding: for MetaX's plugin, the shared cards of each container, as JSON."""
METAX_TIME = "metax-tech.com/predicate-time"
"""Pod, by the Binding: for MetaX's plugin, when, in nanoseconds."""
METAX_USE_UUID = "metax-tech.com/use-gpuuuid"
"""Pod, by users: only these shared MetaX cards, by uuid."""
METAX_NOUSE_UUID = "metax-tech.com/nouse-gpuuuid"
"""Pod, by users: none of these shared MetaX cards."""

# Huawei Ascend; names with the chip in them are derived from its word.
ASCEND_MODE = "huawei.com/vnpu-mode"
"""Pod, by users: ``hami-core``, parts of NPUs exact to the MiB, which a library keeps apart;
``template``, parts in the sizes that the chip can be cut into. Not given, either."""
ASCEND_SOFT = "hami-vnpu-core"
"""Node, by its device plugin: ``true``, NPUs are shared as ``hami-core`` says; ``false``, they are
cut. It decides before the setting ``vnpus.hamiVnpuCore``."""
ASCEND_GIVEN = "huawei.com/"
"""Pod, by the Binding: followed by the chip (``huawei.com/Ascend910B3``), for Huawei's runtime:
uuid, size, MiB and cores of each NPU, as JSON."""
ASCEND_TIME = "predicate-time"
"""Pod, by the Binding: for plugins of Ascend, when, as a unix second."""
ASCEND_VISIBLE_DEVICES = "ASCEND_VISIBLE_DEVICES"
"""Variable, by its device plugin: the NPUs of the container; empty, set by us, where it has none
and the chip's setting ``overwriteEnv`` says so."""
ASCEND_VNPU_SPECS = "ASCEND_VNPU_SPECS"
"""Variable, by its device plugin: the size of the part that Huawei's runtime cuts."""
NPU_MEM_QUOTA = "NPU_MEM_QUOTA"
"""Variable, by its device plugin: MiB of a part that is shared softly."""
NPU_PRIORITY = "NPU_PRIORITY"
"""Variable, by its device plugin: percent of the cores of a part that is shared softly."""

# Hygon.
HYGON_REGISTER = "hami.io/node-dcu-register"
"""Node, by its device plugin: the DCUs that it offers."""
HYGON_HANDSHAKE = "hami.io/node-handshake-dcu"
"""Node, by its device plugin: when it was there last."""
HYGON_TO_ALLOCATE = "hami.io/dcu-devices-to-allocate"
"""Pod, by the Binding: what the DCU plugin has to give yet."""
HYGON_ALLOCATED = "hami.io/dcu-devices-allocated"
"""Pod, by the Binding: uuid, family, MiB and cores of each DCU of each container."""
HYGON_USE_TYPE = "hygon.com/use-dcutype"
"""Pod, by users: only DCUs whose type has one of these parts of names."""
HYGON_NOUSE_TYPE = "hygon.com/nouse-dcutype"
"""Pod, by users: no DCUs whose type has one of these parts of names."""
HYGON_USE_UUID = "hygon.com/use-gpuuuid"
"""Pod, by users: only these DCUs, by id."""
HYGON_NOUSE_UUID = "hygon.com/nouse-gpuuuid"
"""Pod, by users: none of these DCUs."""

# Cambricon.
CAMBRICON_TO_ALLOCATE = "hami.io/cambricon-mlu-devices-to-allocate"
"""Pod, by the Binding: the MLU that is to be given."""
CAMBRICON_ALLOCATED = "hami.io/cambricon-mlu-devices-allocated"
"""Pod, by the Binding: id, family, MiB and cores of its MLU."""
CAMBRICON_PROFILE = "CAMBRICON_DSMLU_PROFILE"
"""Pod, by the Binding: for Cambricon's plugin, index of the MLU, percent, and 256 MiB each."""
CAMBRICON_ASSIGNED = "CAMBRICON_DSMLU_ASSIGNED"
"""Pod, by the Binding: for Cambricon's plugin, ``false`` until it has given the MLU."""
CAMBRICON_ASSIGHED = "CAMBRICON_DSMLU_ASSIGHED"
"""Pod, by the Binding: the same by the name that Cambricon's published plugin has for it."""
CAMBRICON_LOCK = "cambricon.com/dsmlu.lock"
"""Node, by us: when a pod with an MLU was bound there; Cambricon's plugin takes it away."""
CAMBRICON_USE_UUID = "cambricon.com/use-gpuuuid"
"""Pod, by users: only these MLUs, by id."""
CAMBRICON_NOUSE_UUID = "cambricon.com/nouse-gpuuuid"
"""Pod, by users: none of these MLUs."""

# Iluvatar.
ILUVATAR_CONTAINER = "SOL_CONTINER_NAME"
"""Variable, set by us: the container's name, for Iluvatar's tools, which spell it so."""

# Moore Threads.
MTHREADS_ALLOCATED = "hami.io/mthreads-vgpu-devices-allocated"
"""Pod, by the Binding: id, family, MiB and cores of each Moore Threads card of each container."""
MTHREADS_INDEX = "mthreads.com/gpu-index"
"""Pod, by the Binding: for Moore Threads' plugin, indices of the cards."""
MTHREADS_TIME = "mthreads.com/predicate-time"
"""Pod, by the Binding: for Moore Threads' plugin, when, in nanoseconds."""
MTHREADS_NODE = "mthreads.com/predicate-node"
"""Pod, by the Binding: for Moore Threads' plugin, the node."""
MTHREADS_COUNT = "mthreads.com/request-gpu-num"
"""Pod, by us: for Moore Threads' plugin, how many cards a container takes, where it is several."""
MTHREADS_USE_UUID = "mthreads.ai/use-gpuuuid"
"""Pod, by users: only these Moore Threads cards, by id."""
MTHREADS_NOUSE_UUID = "mthreads.ai/nouse-gpuuuid"
"""Pod, by users: none of these Moore Threads cards."""

# AMD.
AMD_REGISTER = "hami.io/node-amd-register"
"""Node, by its device plugin: the AMD cards that it offers."""
AMD_TO_ALLOCATE = "hami.io/amd-devices-to-allocate"
"""Pod, by the Binding: what the AMD plugin has to give yet."""
AMD_ALLOCATED = "hami.io/amd-devices-allocated"
"""Pod, by the Binding: uuid, product, MiB and compute units of each AMD card of each container."""
AMD_USE_TYPE = "amd.com/use-gputype"
"""Pod, by users: only AMD cards whose product has one of these parts of names."""
AMD_NOUSE_TYPE = "amd.com/nouse-gputype"
"""Pod, by users: no AMD cards whose product has one of these parts of names."""
AMD_USE_UUID = "amd.com/use-gpu-uuid"
"""Pod, by users: only these AMD cards, by uuid."""
AMD_NOUSE_UUID = "amd.com/nouse-gpu-uuid"
"""Pod, by users: none of these AMD cards."""

# Vastai.
VASTAI_REGISTER = "hami.io/node-va-register"
"""Node, by its device plugin: the Vastai cards, or dies, that it offers."""
VASTAI_HANDSHAKE = "hami.io/node-handshake-va"
"""Node, by its device plugin: when it was there last."""
VASTAI_USE_UUID = "vastaitech.com/use-gpuuuid"
"""Pod, by users: only these Vastai cards, by id."""
VASTAI_NOUSE_UUID = "vastaitech.com/nouse-gpuuuid"
"""Pod, by users: none of these Vastai cards."""

# Biren.
BIREN_REGISTER = "hami.io/node-biren-register"
"""Node, by its device plugin: the Biren cards that it offers."""
BIREN_HANDSHAKE = "hami.io/node-handshake-biren"
"""Node, by its device plugin: when it was there last."""
BIREN_TO_ALLOCATE = "hami.io/Biren-devices-to-allocate"
"""Pod, by the Binding: uuid and family of each Biren card of each container."""
BIREN_ALLOCATED = "hami.io/Biren-devices-allocated"
"""Pod, by the Binding: the same; its device plugin takes away from one of the two what it has
given."""
BIREN_USE_UUID = "birentech.com/use-gpuuuid"
"""Pod, by users: only these Biren cards, by id."""
BIREN_NOUSE_UUID = "birentech.com/nouse-gpuuuid"
"""Pod, by users: none of these Biren cards."""

# Volcano; in its text a card is of family ``NVIDIA``, and only containers with cards stand there.
VOLCANO_REGISTER = "volcano.sh/node-vgpu-register"
"""Node, by its device plugin: the cards that Volcano's plugin offers."""
VOLCANO_LOCK = "hamivgpu"
"""Node, by us: when it was taken and the pod that Volcano's device plugin has to serve; the plugin
takes it away."""
VOLCANO_MODE = "volcano.sh/vgpu-mode"
"""Pod, by users: only nodes of Volcano whose cards are shared in this way; ``hami-core``."""
VOLCANO_APART = "volcano.sh/vgpu-podgroup-policy"
"""Pod, by users: ``spread``, no card that a pod of the same PodGroup uses."""
VOLCANO_USE_UUID = "volcano.sh/vgpu-use-gpuuuid"
"""Pod, by users: only these cards of Volcano's, by uuid."""
VOLCANO_NOUSE_UUID = "volcano.sh/vgpu-nouse-gpuuuid"
"""Pod, by users: none of these cards of Volcano's."""
POD_GROUP = "scheduling.k8s.io/group-name"
"""Pod, by users: the PodGroup that it belongs to."""
VOLCANO_GROUP = "scheduling.volcano.sh/group-name"
"""Pod, by users: the same, where the other is not there."""
VOLCANO_ALLOCATED = "volcano.sh/vgpu-ids-new"
"""Pod, by the Binding: Volcano, uuid, ``NVIDIA``, memory and cores of each card of each container
that has some."""
VOLCANO_TO_ALLOCATE = "volcano.sh/devices-to-allocate"
"""Pod, by the Binding: what Volcano's device plugin has to give yet."""
VOLCANO_NODE = "volcano.sh/vgpu-node"
"""Pod, by the Binding: for Volcano's device plugin, the node."""
VOLCANO_TIME = "volcano.sh/vgpu-time"
"""Pod, by the Binding: for Volcano's device plugin, which serves the oldest first, when."""
VOLCANO_BIND_TIME = "volcano.sh/bind-time"
"""Pod, by the Binding: the same."""
VOLCANO_BIND_PHASE = "volcano.sh/bind-phase"
"""Pod, by the Binding: ``allocating``, until Volcano's device plugin says ``success`` or
``failed``."""

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

ADMITTED_PREFIX = "hami.io/admitted-"
"""Pod, by us: how names begin of what it was admitted with. Nobody changes these afterwards."""
ADMITTED_AMOUNTS = "hami.io/admitted-amounts"
"""Pod, by us: what its quotas were charged, where that depends on its card."""
ADMITTED_DEFAULTS = "hami.io/admitted-defaults."
"""Pod, by us: followed by the family, default memory (MiB) and cores with which it was admitted
where it left one out; for it they stay what they were when the settings change."""

RESERVED_PREFIXES = (
    ENV_PREFIX,
    DETAILS_PREFIX,
    "hami.io/vgpu-",
    "hami.io/bind-",
    "hami.io/amd-",
    "hami.io/kunlun-allocated",
    "AWS_NEURON_",
    "NEURON_",
    NEURON_NODE,
    "BAIDU_COM_DEVICE_IDX",
    "CAMBRICON_DSMLU_",
    "assigned-containers",
    "enflame.com/gcu-",
    "huawei.com/Ascend",
    "metax-tech.com/gpu-devices-allocated",
    "metax-tech.com/predicate-",
    "mthreads.com/gpu-index",
    "mthreads.com/predicate-",
    "predicate-time",
    "volcano.sh/bind-",
    "volcano.sh/devices-to-allocate",
    "volcano.sh/vgpu-ids-new",
    "volcano.sh/vgpu-node",
    "volcano.sh/vgpu-time",
)
RESERVED_SUFFIXES = ("-devices-allocated", "-devices-to-allocate")
"""Annotations of a pod that only the Binding brings; nobody may create a pod with them."""


def reserved(annotation: str) -> bool:
    """Is this an annotation of the decision, which users must not write?"""
    return annotation.startswith(RESERVED_PREFIXES) or annotation.endswith(RESERVED_SUFFIXES)


def env_annotation(slot: int, name: str) -> str:
    """The pod annotation that carries one environment value of one container to its node."""
    return f"{ENV_PREFIX}{slot}.{name.lower().replace('_', '-')}"


def annotation_path(annotation: str) -> str:
    """The downward API's path of an annotation."""
    return f"metadata.annotations['{annotation}']"
