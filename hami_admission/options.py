"""The names, units and sizes of the accelerator families: upstream's ``device-config.yaml``.

Each section has upstream's keys (facts/devices.md 17); ``families`` is ours.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,39}[A-Za-z0-9])?$")]
_NAME = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
Name = Annotated[str, msgspec.Meta(pattern=_NAME)]
"""Of a resource or an annotation: a domain and a name, as Kubernetes wants them."""


class CardSize(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Of a family whose nodes say only how many cards they have: what one card has."""

    slots: Count = 1
    """Containers that may share it."""
    memory: int = 0
    """MiB."""
    cores: int = 100


class Family(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A family of cards that differs from others in names and units alone."""

    word: Word
    """What the cards are called in annotations, reasons and metrics."""
    resource_count_name: Name
    """Cards of a container."""
    resource_memory_name: Name = ""
    """Memory of each card, in units of ``memoryFactor`` MiB."""
    resource_memory_percentage_name: Name = ""
    """The same in percent of the card."""
    resource_core_name: Name = ""
    """Cores of each card, of ``wholeCores``."""
    memory_factor: Count = 1
    whole_cores: Count = 100
    default_cores: int = 0
    """Cores of a container that names none."""
    charge: Literal["fluid", "whole", "places"] = "fluid"
    """What a container takes of a card: memory and cores as it asks, the whole card, or one of
    the places into which the card is split."""
    register: Name = ""
    """Annotation of the node in which the family's device plugin lists its cards, as JSON or as
    text; not given: ``hami.io/node-<word>-register``. With ``card`` it is not looked at."""
    handshake: Name = ""
    """Annotation of the node in which that plugin says that it is there."""
    card: CardSize | None = None
    """What a card has, where the node does not list them: they are made up from its capacity."""
    to_allocate: Name = ""
    """Annotation of the pod from which the device plugin takes what it has to give yet; not given:
    ``hami.io/<word>-devices-to-allocate``."""
    allocated: Name = ""
    """Annotation of the pod that records its cards; not given:
    ``hami.io/<word>-devices-allocated``."""
    use_type: Name = ""
    no_use_type: Name = ""
    use_uuid: Name = ""
    no_use_uuid: Name = ""
    """Annotations in which users choose cards; not given: there are none."""
    lock: Literal["node", "none"] = "node"
    """Whether pods are handed to the device plugin one at a time, under the node's lock."""


class KunlunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Kunlunxin: whole cards, and cards in equal slices."""

    resource_count_name: str = msgspec.field(default="kunlunxin.com/xpu", name="resourceCountName")
    """Whole cards."""
    resource_v_count_name: str = msgspec.field(
        default="kunlunxin.com/vxpu", name="resourceVCountName"
    )
    """Slices, each of another card."""
    resource_v_memory_name: str = msgspec.field(
        default="kunlunxin.com/vxpu-memory", name="resourceVMemoryName"
    )
    """MiB of each slice: 24576, 49152 or 98304."""


class EnflameOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Enflame: whole GCUs, and parts of one by profile (DRS)."""

    resource_name_gcu: str = msgspec.field(default="enflame.com/gcu", name="resourceNameGCU")
    """Whole cards."""
    resource_name_drs: str = msgspec.field(default="enflame.com/drs-gcu", name="resourceNameDRSGCU")
    """Slices of one card."""
    resource_name_memory: str = msgspec.field(
        default="enflame.com/gcu-memory", name="resourceNameGCUMemory"
    )
    """MiB of one card, instead of slices."""
    resource_name_core: str = msgspec.field(
        default="enflame.com/gcu-core", name="resourceNameGCUCore"
    )
    """Percent of one card, instead of slices."""


class MetaxOptions(msgspec.Struct, frozen=True, kw_only=True):
    """MetaX: whole cards, and shared ones with service classes."""

    resource_count_name: str = msgspec.field(default="metax-tech.com/gpu", name="resourceCountName")
    """Whole cards."""
    resource_v_count_name: str = msgspec.field(
        default="metax-tech.com/sgpu", name="resourceVCountName"
    )
    """Shared cards."""
    resource_v_memory_name: str = msgspec.field(
        default="metax-tech.com/vmemory", name="resourceVMemoryName"
    )
    """GiB of each shared card; an amount with a suffix (``4096Mi``) is what it says."""
    resource_v_core_name: str = msgspec.field(
        default="metax-tech.com/vcore", name="resourceVCoreName"
    )
    """Percent of each shared card."""
    sgpu_topology_aware: bool = msgspec.field(default=False, name="sgpuTopologyAware")
    """Whether links decide where whole shared cards go, if the pod does not say."""


class HygonOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Hygon DCU."""

    resource_count_name: str = msgspec.field(default="hygon.com/dcunum", name="resourceCountName")
    resource_memory_name: str = msgspec.field(default="hygon.com/dcumem", name="resourceMemoryName")
    resource_core_name: str = msgspec.field(default="hygon.com/dcucores", name="resourceCoreName")
    memory_factor: Count = msgspec.field(default=1, name="memoryFactor")


class CambriconOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Cambricon MLU; memory in units of 256 MiB."""

    resource_count_name: str = msgspec.field(default="cambricon.com/vmlu", name="resourceCountName")
    resource_memory_name: str = msgspec.field(
        default="cambricon.com/mlu.smlu.vmemory", name="resourceMemoryName"
    )
    resource_core_name: str = msgspec.field(
        default="cambricon.com/mlu.smlu.vcore", name="resourceCoreName"
    )


class IluvatarChip(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One chip of Iluvatar; memory in units of 256 MiB."""

    chip_name: str
    common_word: Word
    resource_count_name: str
    resource_memory_name: str
    resource_core_name: str


def _iluvatar(chip: str) -> IluvatarChip:
    return IluvatarChip(
        chip_name=chip,
        common_word=chip,
        resource_count_name=f"iluvatar.ai/{chip}-vgpu",
        resource_memory_name=f"iluvatar.ai/{chip}.vMem",
        resource_core_name=f"iluvatar.ai/{chip}.vCore",
    )


ILUVATAR_CHIPS = tuple(map(_iluvatar, ("MR-V100", "MR-V50", "BI-V150", "BI-V100")))


class MthreadsOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Moore Threads; memory in units of 512 MiB, 16 cores a card."""

    resource_count_name: str = msgspec.field(default="mthreads.com/vgpu", name="resourceCountName")
    resource_memory_name: str = msgspec.field(
        default="mthreads.com/sgpu-memory", name="resourceMemoryName"
    )
    resource_core_name: str = msgspec.field(
        default="mthreads.com/sgpu-core", name="resourceCoreName"
    )


class AmdOptions(msgspec.Struct, frozen=True, kw_only=True):
    """AMD; cores in percent, given out as compute units."""

    resource_count_name: str = msgspec.field(default="amd.com/gpu", name="resourceCountName")
    resource_memory_name: str = msgspec.field(default="amd.com/gpumem", name="resourceMemoryName")
    resource_core_name: str = msgspec.field(default="amd.com/gpucores", name="resourceCoreName")


class VastaiOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Vastai: cards or dies, by places."""

    resource_count_name: str = msgspec.field(default="vastaitech.com/va", name="resourceCountName")


class BirenOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Biren: cards by places."""

    resource_count_name: str = msgspec.field(default="birentech.com/gpu", name="resourceCountName")


class VolcanoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """NVIDIA cards by Volcano's names, on nodes with Volcano's device plugin."""

    resource_count_name: str = msgspec.field(
        default="volcano.sh/vgpu-number", name="resourceCountName"
    )
    resource_memory_name: str = msgspec.field(
        default="volcano.sh/vgpu-memory", name="resourceMemoryName"
    )
    resource_percent_name: str = msgspec.field(
        default="volcano.sh/vgpu-memory-percentage", name="resourceMemoryPercentageName"
    )
    resource_core_name: str = msgspec.field(
        default="volcano.sh/vgpu-cores", name="resourceCoreName"
    )
    memory_factor: Count = msgspec.field(default=1, name="gpuMemoryFactor")


class AscendTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """One size of part that a chip can be cut into; memory in MiB."""

    name: str
    memory: Count
    ai_core: int = msgspec.field(default=0, name="aiCore")
    ai_cpu: int = msgspec.field(default=0, name="aiCPU")


class AscendChip(msgspec.Struct, frozen=True, kw_only=True):
    """One chip of Huawei's: ``memoryAllocatable`` and ``memoryCapacity`` in MiB."""

    chip_name: str = msgspec.field(name="chipName")
    common_word: Word = msgspec.field(name="commonWord")
    resource_name: str = msgspec.field(name="resourceName")
    resource_memory_name: str = msgspec.field(name="resourceMemoryName")
    resource_core_name: str = msgspec.field(default="", name="resourceCoreName")
    memory_allocatable: Count = msgspec.field(name="memoryAllocatable")
    memory_capacity: Count = msgspec.field(name="memoryCapacity")
    memory_factor: Count = msgspec.field(default=1, name="memoryFactor")
    ai_core: int = msgspec.field(default=0, name="aiCore")
    ai_cpu: int = msgspec.field(default=0, name="aiCPU")
    runtime_class_name: str = msgspec.field(default="", name="runtimeClassName")
    overwrite_env: bool = msgspec.field(default=False, name="overwriteEnv")
    super_pod: bool = msgspec.field(default=False, name="superPod")
    """Dies come in pairs, and are given out so."""
    templates: tuple[AscendTemplate, ...] = ()


_Sizes = tuple[tuple[str, int, int, int], ...]


def _ascend(
    word: str, chip: str, memory: tuple[int, int], cores: tuple[int, int], sizes: _Sizes
) -> AscendChip:
    return AscendChip(
        chip_name=chip,
        common_word=word,
        resource_name=f"huawei.com/{word}",
        resource_memory_name=f"huawei.com/{word}-memory",
        resource_core_name=f"huawei.com/{word}-core",
        memory_allocatable=memory[0],
        memory_capacity=memory[1],
        ai_core=cores[0],
        ai_cpu=cores[1],
        super_pod=word == "Ascend910C",
        templates=tuple(
            AscendTemplate(name=name, memory=mib, ai_core=core, ai_cpu=cpu)
            for name, mib, core, cpu in sizes
        ),
    )


_HALVES: _Sizes = (("vir05_1c_16g", 16384, 5, 1), ("vir10_3c_32g", 32768, 10, 3))

ASCEND_CHIPS = (
    _ascend("Ascend910A", "910A", (32768, 32768), (30, 0), (
        ("vir02", 2184, 2, 0), ("vir04", 4369, 4, 0), ("vir08", 8738, 8, 0),
        ("vir16", 17476, 16, 0),
    )),
    _ascend("Ascend910B2", "910B2", (65536, 65536), (24, 6), (
        ("vir03_1c_8g", 8192, 3, 1), ("vir06_1c_16g", 16384, 6, 1),
        ("vir12_3c_32g", 32768, 12, 3),
    )),
    _ascend("Ascend910B3", "910B3", (65536, 65536), (20, 7), _HALVES),
    _ascend("Ascend910B4-1", "910B4-1", (65536, 65536), (20, 7), _HALVES),
    _ascend("Ascend910B4", "910B4", (32768, 32768), (20, 7), (
        ("vir05_1c_8g", 8192, 5, 1), ("vir10_3c_16g", 16384, 10, 3),
    )),
    _ascend("Ascend310P", "310P3", (21527, 24576), (8, 7), (
        ("vir01", 3072, 1, 1), ("vir02", 6144, 2, 2), ("vir04", 12288, 4, 4),
    )),
    _ascend("Ascend910C", "Ascend910", (65536, 65536), (20, 7), _HALVES),
)  # fmt: skip
"""Facts/devices.md 8.2."""


class AscendOptions(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Huawei's chips; ``hamiVnpuCore``: nodes share them softly, unless a node says otherwise."""

    hami_vnpu_core: bool = False
    configs: tuple[AscendChip, ...] = ASCEND_CHIPS
