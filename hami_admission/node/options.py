"""How a node offers its cards: upstream's two files and flags of our own, merged, in one value.

``device-config.yaml`` (section ``nvidia``) is for all nodes, ``config.json`` has entries by node
name; what an entry says goes before it (facts/node.md 1.5 and 1.6).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

Mode = Literal["environment", "devices"]
Operating = Literal["hami-core", "mig"]
Isolation = Literal["library", "none"]
ListStrategy = Literal["envvar", "volume-mounts", "cdi-annotations", "cdi-cri"]


class Mistakes(ValueError):
    """What is wrong with the files: one line per mistake, each with its path."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """``split`` is how many containers may share a card, the scalings what it offers over what it
    has. Cards whose uuid or index is hidden are not offered. Memory is MiB."""

    resource: str = "nvidia.com/gpu"
    mode: Mode = "environment"
    operating: Operating = "hami-core"
    split: int = 10
    memory_scaling: float = 1.0
    core_scaling: float = 1.0
    preconfigured_memory: int = 0
    hidden_uuids: frozenset[str] = frozenset()
    hidden_indexes: frozenset[int] = frozenset()
    numa_topology: bool = False
    preferred_allocation: bool = True
    log_level: int = 1
    disable_core_limit: bool = False
    hook: str = "/usr/local"
    """The folder of the host in which the isolation library has its own, ``vgpu``."""
    isolation: Isolation = "library"
    strategy: ListStrategy = "envvar"
    pass_devices: bool = False
    topology_scores: bool = True
    disabled_checks: str = ""
    enabled_checks: str = ""


class _Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    uuid: tuple[str, ...] = ()
    index: tuple[int, ...] = ()


class _General(msgspec.Struct, frozen=True, rename="camel"):
    """What section ``nvidia`` says to the node; None where it says nothing."""

    resource_count_name: str | None = msgspec.field(default=None, name="resourceCountName")
    device_split_count: int | None = None
    device_memory_scaling: float | None = None
    device_core_scaling: float | None = None
    pre_configured_device_memory: int | None = None
    lib_cuda_log_level: int | None = None
    enable_numa_topology: bool | None = None
    disable_core_limit: bool | None = None


class _Own(msgspec.Struct, frozen=True):
    """An entry of ``nodeconfig``."""

    name: str = ""
    operatingmode: Operating | None = None
    devicememoryscaling: float | None = None
    devicecorescaling: float | None = None
    devicesplitcount: int | None = None
    preconfigureddevicememory: int | None = None
    libcudaloglevel: int | None = None
    enablenumatopology: bool | None = None
    migstrategy: str | None = None
    filterdevices: _Filter | None = None
    enablegetpreferredallocation: bool | None = None


_OF_OTHERS = frozenset({
    "resourceMemoryName", "resourceMemoryPercentageName", "resourceCoreName",
    "resourcePriorityName", "overwriteEnv", "defaultMemory", "defaultCores", "defaultGPUNum",
    "memoryFactor", "gpuCorePolicy", "runtimeClassName", "migProfileAllowlist",
    "knownMigGeometries",
})  # fmt: skip
"""Keys of section ``nvidia`` that speak to the webhook and the scheduler."""


class Read(msgspec.Struct, frozen=True):
    """The options, and the keys of the files that nobody knows."""

    options: Options
    unknown: tuple[str, ...] = ()


def read(base: Options, general: object, own: object, node: str) -> Read:
    """``base`` with what the decoded files say; None for a file that is not there.

    Raises Mistakes with all that is wrong.
    """
    mistakes: list[str] = []
    unknown: list[str] = []
    values: dict[str, Any] = {}
    section = _mapping(general, "device-config.yaml", mistakes).get("nvidia")
    if section is not None:
        path = "device-config.yaml: nvidia"
        said = _mapping(section, path, mistakes)
        fields = _fields(said, _General, path, mistakes, unknown)
        values |= {_GENERAL[name]: value for name, value in fields.items()}
    for path, entry in _entries(own, mistakes):
        if entry.get("name") == node:
            fields = _fields(entry, _Own, path, mistakes, unknown)
            values |= _of_entry(fields)
    if mistakes:
        raise Mistakes(mistakes)
    return Read(msgspec.structs.replace(base, **values), tuple(unknown))


_GENERAL = {
    "resourceCountName": "resource",
    "deviceSplitCount": "split",
    "deviceMemoryScaling": "memory_scaling",
    "deviceCoreScaling": "core_scaling",
    "preConfiguredDeviceMemory": "preconfigured_memory",
    "libCudaLogLevel": "log_level",
    "enableNumaTopology": "numa_topology",
    "disableCoreLimit": "disable_core_limit",
}
_OWN = {
    "operatingmode": "operating",
    "devicememoryscaling": "memory_scaling",
    "devicecorescaling": "core_scaling",
    "devicesplitcount": "split",
    "preconfigureddevicememory": "preconfigured_memory",
    "libcudaloglevel": "log_level",
    "enablenumatopology": "numa_topology",
    "enablegetpreferredallocation": "preferred_allocation",
}
_NAMES = {**_GENERAL, **_OWN}
_BOUNDS: dict[str, tuple[float, float]] = {
    "split": (1, 1000),
    "memory_scaling": (0.01, 100),
    "core_scaling": (0.01, 100),
    "preconfigured_memory": (0, 2**31),
    "log_level": (0, 4),
}


def _of_entry(fields: Mapping[str, Any]) -> dict[str, Any]:
    values = {_OWN[name]: value for name, value in fields.items() if name in _OWN}
    hidden = fields.get("filterdevices")
    if hidden is not None:
        values["hidden_uuids"] = frozenset(hidden.uuid)
        values["hidden_indexes"] = frozenset(hidden.index)
    return values


def _mapping(value: object, path: str, mistakes: list[str]) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        mistakes.append(f"{path}: must be a mapping, got {_short(value)}")
        return {}
    return {str(key): each for key, each in value.items()}


def _entries(own: object, mistakes: list[str]) -> list[tuple[str, dict[str, Any]]]:
    listed = _mapping(own, "config.json", mistakes).get("nodeconfig")
    if listed is None:
        return []
    if not isinstance(listed, list):
        mistakes.append(f"config.json: nodeconfig: must be a list, got {_short(listed)}")
        return []
    paths = [f"config.json: nodeconfig[{n}]" for n in range(len(listed))]
    return [
        (path, _mapping(each, path, mistakes)) for path, each in zip(paths, listed, strict=True)
    ]


def _fields(
    said: Mapping[str, Any],
    form: type[msgspec.Struct],
    path: str,
    mistakes: list[str],
    unknown: list[str],
) -> dict[str, Any]:
    """The values that are said, each of its type; a null says nothing."""
    fields = {each.encode_name: each for each in msgspec.structs.fields(form)}
    found: dict[str, Any] = {}
    for key, value in said.items():
        if value is None or (form is _General and key in _OF_OTHERS):
            continue
        if key not in fields:
            unknown.append(f"{path}.{key}")
            continue
        try:
            found[key] = msgspec.convert(value, fields[key].type)
        except msgspec.ValidationError as error:
            mistakes.append(f"{path}.{key}: {_short(value)}: {error}")
            continue
        low, high = _BOUNDS.get(_NAMES.get(key, ""), (-math.inf, math.inf))
        if isinstance(value, int | float) and not low <= value <= high:
            mistakes.append(f"{path}.{key}: {value}: must be between {low:g} and {high:g}")
    return found


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
