"""The settings of a node: what can be said, with which bounds, and under which names.

Files are upstream's: ``device-config.yaml`` with its section ``nvidia`` and ``config.json`` with an
entry for each node (facts/node.md 1.4 to 1.6). ``sources`` reads them.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

MAX_SLOTS = 1000
"""Containers that share one card at most; the kubelet's list has one line for each."""

APPLICATION_XIDS = frozenset({13, 31, 43, 45, 68, 109})
"""Errors of the program that ran, not of the card (facts/node.md 1.13)."""

MAX_FLAPS = 16
"""Times that a card turned sick, of which no more are remembered."""

# Each form says in words what to write; that is the fix in the line of a mistake.
Switch = Annotated[bool, Meta(description="true or false")]
Text = Annotated[str, Meta(min_length=1, description="a text that is not empty")]
MaybeText = Annotated[Text | None, Meta(description="a text that is not empty")]
Texts = Annotated[tuple[Text, ...], Meta(description="a list of texts")]
Indexes = Annotated[
    tuple[Annotated[int, Meta(ge=0)], ...], Meta(description="a list of numbers from 0")
]
Decides = Annotated[Literal["environment", "devices"], Meta(description="environment or devices")]
Isolation = Annotated[Literal["library", "none"], Meta(description="library or none")]
Slots = Annotated[int, Meta(ge=1, le=MAX_SLOTS, description="a whole number from 1 to 1000")]
Factor = Annotated[float, Meta(gt=0, le=100, description="a number above 0, at most 100")]
Mib = Annotated[int, Meta(ge=0, le=2**31 - 1, description="a whole number of MiB from 0")]
Seconds = Annotated[int, Meta(ge=1, le=604_800, description="whole seconds from 1 to 604800")]
Flaps = Annotated[int, Meta(ge=2, le=MAX_FLAPS, description="a whole number from 2 to 16")]
LogLevel = Annotated[int, Meta(ge=0, le=4, description="a whole number from 0 to 4")]
Mode = Annotated[Literal["hami-core", "mig", "mps"], Meta(description="hami-core, mig or mps")]
MigStrategy = Annotated[
    Literal["none", "single", "mixed"], Meta(description="none, single or mixed")
]
IdStrategy = Annotated[Literal["uuid", "index"], Meta(description="uuid or index")]
Discovery = Annotated[Literal["auto", "nvml", "tegra"], Meta(description="auto, nvml or tegra")]
ListStrategies = Annotated[
    tuple[Literal["envvar", "volume-mounts", "cdi-annotations", "cdi-cri"], ...],
    Meta(
        min_length=1, description="one or more of envvar, volume-mounts, cdi-annotations, cdi-cri"
    ),
]


class Allowed(msgspec.Struct, frozen=True):
    """MIG profiles that cards may be cut into whose model contains one of these texts."""

    models: tuple[Text, ...]
    profiles: tuple[Text, ...]


class Xids(msgspec.Struct, frozen=True):
    """A set of Xids: these, or all."""

    codes: frozenset[int] = frozenset()
    everything: bool = False


Allowlist = Annotated[
    tuple[Allowed, ...] | None, Meta(description="a list of {models: [...], profiles: [...]}")
]
XidSet = Annotated[Xids, Meta(description="Xids with commas between them, or all")]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the node does with its cards."""

    node: Text = "unknown"
    resource_name: Text = "nvidia.com/gpu"
    """What the kubelet counts."""

    # What is offered.
    mode: Mode = "hami-core"
    split_count: Slots = 10
    """Containers that may share a card which is not in MIG mode."""
    memory_scaling: Factor = 1.0
    """Offered memory of such a card by its real memory; above 1 it is promised more than once."""
    core_scaling: Factor = 1.0
    preconfigured_memory_mib: Mib = 0
    """Memory of cards whose driver cannot tell it; 0: such cards are not offered."""
    mig_profiles: Allowlist = None
    """Not given, all profiles that the driver knows, but for the variants with a ``+``."""
    hidden_uuids: Texts = ()
    hidden_indexes: Indexes = ()
    """Cards that are not offered, as if they were not there."""
    numa_topology: Switch = False
    """Tell the kubelet the NUMA node of each card."""
    topology_scores: Switch = True
    """Publish how well the cards are linked with each other; upstream asks for it to be told so."""
    preferred_allocation: Switch = True
    """Steer the kubelet to the ids of the cards that the pod has annotated; upstream does so only
    when it is told to."""

    # Which cards are sick, and for how long.
    disabled_xids: XidSet = Xids()
    """Ignored besides those of ``APPLICATION_XIDS``; all of them: ECC errors too."""
    enabled_xids: XidSet = Xids()
    """Acted upon, whatever else says to ignore them."""
    quiet_seconds: Seconds = 300
    """A card is healthy again when so long nothing happened to it. Not too short: the next
    container may be the one that finds out that it is not."""
    flap_count: Flaps = 3
    flap_seconds: Seconds = 86_400
    """A card that turned sick ``flap_count`` times within ``flap_seconds`` stays out twice as long,
    and twice as long again each further time."""
    longest_seconds: Seconds = 3600
    """How long a card stays out at most after its last error."""

    # What a container is given.
    decides: Decides = "environment"
    """What the runtime goes by: the variables of a container, or its devices."""
    isolation: Isolation = "library"
    """What keeps a container within its share; without it cards are shared on trust."""
    hook_path: Text = "/usr/local"
    """Folder on the node with ``vgpu/``, where the library lies."""
    log_level: LogLevel = 1
    disable_core_limit: Switch = False
    list_strategies: ListStrategies = ("envvar",)
    id_strategy: IdStrategy = "uuid"
    pass_device_specs: Switch = False
    gdrcopy: Switch = False
    gds: Switch = False
    mofed: Switch = False
    imex_channels: Indexes = ()
    imex_required: Switch = False
    cdi_annotation_prefix: Text = "cdi.k8s.io/"
    cdi_hook_path: Text = "/usr/bin/nvidia-ctk"

    # Where the agent finds things.
    kubelet_socket: Text = "/var/lib/kubelet/device-plugins/kubelet.sock"
    driver_root: Text = "/"
    dev_root: MaybeText = None
    """Not given, that of the driver."""
    container_driver_root: Text = "/driver-root"
    discovery: Discovery = "auto"
    fail_on_init_error: Switch = True
    mig_strategy: MigStrategy = "none"


Names = dict[str, "str | Names"]
"""Names in a source, with the field of ``Options`` that each means; a mapping is a section."""

_HEALTH: Names = {
    "healthQuietSeconds": "quiet_seconds",
    "healthFlapCount": "flap_count",
    "healthFlapSeconds": "flap_seconds",
    "healthLongestSeconds": "longest_seconds",
}
"""Ours; upstream has nothing like it."""

DEVICE_CONFIG: Names = {
    "resourceCountName": "resource_name",
    "deviceSplitCount": "split_count",
    "deviceMemoryScaling": "memory_scaling",
    "deviceCoreScaling": "core_scaling",
    "preConfiguredDeviceMemory": "preconfigured_memory_mib",
    "libCudaLogLevel": "log_level",
    "enableNumaTopology": "numa_topology",
    "disableCoreLimit": "disable_core_limit",
    "migProfileAllowlist": "mig_profiles",
    **_HEALTH,
}
"""Section ``nvidia`` of device-config.yaml."""

OF_CONTROL = frozenset({
    "resourceMemoryName",
    "resourceMemoryPercentageName",
    "resourceCoreName",
    "resourcePriorityName",
    "overwriteEnv",
    "defaultMemory",
    "defaultCores",
    "defaultGPUNum",
    "memoryFactor",
    "gpuCorePolicy",
    "runtimeClassName",
})
"""Names of that section which the control process reads, and the node does not."""

NODE_CONFIG: Names = {
    "name": "node",
    "operatingmode": "mode",
    "devicesplitcount": "split_count",
    "devicememoryscaling": "memory_scaling",
    "devicecorescaling": "core_scaling",
    "preconfigureddevicememory": "preconfigured_memory_mib",
    "libcudaloglevel": "log_level",
    "enablenumatopology": "numa_topology",
    "migstrategy": "mig_strategy",
    "filterdevices": {"uuid": "hidden_uuids", "index": "hidden_indexes"},
    "enablegetpreferredallocation": "preferred_allocation",
    **{name.lower(): field for name, field in _HEALTH.items()},
}
"""An entry of config.json; names count in any case, as upstream's decoder takes them."""

ENVIRONMENT: dict[str, str] = {
    "NODE_NAME": "node",
    "HOOK_PATH": "hook_path",
    "ENABLE_TOPOLOGY_SCORE": "topology_scores",
    "DP_DISABLE_HEALTHCHECKS": "disabled_xids",
    "DP_ENABLE_HEALTHCHECKS": "enabled_xids",
    "MIG_STRATEGY": "mig_strategy",
    "FAIL_ON_INIT_ERROR": "fail_on_init_error",
    "NVIDIA_DRIVER_ROOT": "driver_root",
    "NVIDIA_DEV_ROOT": "dev_root",
    "PASS_DEVICE_SPECS": "pass_device_specs",
    "DEVICE_LIST_STRATEGY": "list_strategies",
    "DEVICE_ID_STRATEGY": "id_strategy",
    "GDRCOPY_ENABLED": "gdrcopy",
    "GDS_ENABLED": "gds",
    "MOFED_ENABLED": "mofed",
    "KUBELET_SOCKET": "kubelet_socket",
    "CDI_ANNOTATION_PREFIX": "cdi_annotation_prefix",
    "NVIDIA_CDI_HOOK_PATH": "cdi_hook_path",
    "DRIVER_ROOT_CTR_PATH": "container_driver_root",
    "DEVICE_DISCOVERY_STRATEGY": "discovery",
    "IMEX_CHANNEL_IDS": "imex_channels",
    "IMEX_REQUIRED": "imex_required",
}

FLAGS: dict[str, str] = {
    **{name.lower().replace("_", "-"): field for name, field in ENVIRONMENT.items()},
    "mode": "decides",
    "isolation": "isolation",
    "disable-health-checks": "disabled_xids",
    "enable-health-checks": "enabled_xids",
}
"""Upstream's flags have the names of the environment with dashes; the last four are ours."""

WITHOUT_EFFECT: dict[str, str] = {
    "device-split-count": "deviceSplitCount",
    "device-memory-scaling": "deviceMemoryScaling",
    "device-cores-scaling": "deviceCoreScaling",
    "disable-core-limit": "disableCoreLimit",
    "resource-name": "resourceCountName",
}
"""Flags that upstream takes and never reads, and where the same is said with effect."""
