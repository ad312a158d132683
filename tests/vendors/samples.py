"""Of each family: a node with so many of its cards, and limits that its containers may have.

Nodes are as the vendors' device plugins leave them (facts/devices.md 1.3 and the sections of the
families). No pytest here: other tests, and those against a real control plane, use them too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from hami_admission.model.device import Device
from hami_admission.options import ASCEND_CHIPS, ILUVATAR_CHIPS
from hami_admission.wire import registers
from hami_admission.wire.nodes import NodeFacts

if TYPE_CHECKING:
    from hami_admission.model.pod import Quantity
    from hami_admission.options import AscendChip

Json = dict[str, Any]

Facts = Callable[[str, int], NodeFacts]
"""The node of that name with so many cards."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a node looks like, and limits of containers, each of which is legal.

    ``notes`` are annotations that a pod may have beside any of them. ``init``: may an init
    container have them, too? ``several``: more than one container of a pod?
    """

    facts: Facts
    limits: tuple[Json, ...]
    notes: tuple[Mapping[str, str], ...] = ({},)
    init: bool = True
    several: bool = True


def both(*facts: NodeFacts) -> NodeFacts:
    """The node, by the name of the first, that has the cards of all of them."""
    annotations: dict[str, str] = {}
    labels: dict[str, str] = {}
    offered: dict[str, Quantity] = {}
    for each in facts:
        annotations |= each.annotations
        labels |= each.labels
        offered |= each.capacity or {}
    return NodeFacts(facts[0].name, annotations, offered, offered, labels)


def document(facts: NodeFacts) -> Json:
    """The Node object."""
    metadata = {"name": facts.name, "annotations": facts.annotations, "labels": facts.labels}
    status = {"allocatable": facts.allocatable or {}, "capacity": facts.capacity or {}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": status}


def _node(
    name: str, cards: int, each: Mapping[str, int], annotations: Mapping[str, str], kind: str = ""
) -> NodeFacts:
    """Whose kubelet offers so much of each resource by card, all that it has."""
    capacity: dict[str, Quantity] = {key: str(cards * amount) for key, amount in each.items()}
    labels = {"node.kubernetes.io/instance-type": kind} if kind else {}
    return NodeFacts(name, dict(annotations), capacity, capacity, labels)


def _counted(each: Mapping[str, int], kind: str = "") -> Facts:
    """Cards of which the kubelet alone tells."""
    return lambda name, cards: _node(name, cards, each, {}, kind)


def _listed(
    register: str, count: str, card: Device, said: Callable[[int], Mapping[str, str]] | None = None
) -> Facts:
    """Cards that are listed as JSON, all like this one; ``said`` is what is told of each beside."""

    def facts(name: str, cards: int) -> NodeFacts:
        devices = tuple(
            msgspec.structs.replace(
                card,
                uuid=f"{card.uuid}-{name}-{index}",
                index=index,
                numa=index // 4,
                facts=tuple((said(index) if said else {}).items()),
            )
            for index in range(cards)
        )
        return _node(name, cards, {count: card.slots}, {register: registers.encode(devices)})

    return facts


def _in_text(register: str, count: str, kind: str, slots: int, memory: int) -> Facts:
    """Cards that are listed as ``id,count,devmem,devcore,type,numa,health,index,mode:``."""

    def facts(name: str, cards: int) -> NodeFacts:
        text = "".join(
            f"{kind}-{name}-{index},{slots},{memory},100,{kind},0,true,{index},hami:"
            for index in range(cards)
        )
        return _node(name, cards, {count: slots}, {register: text})

    return facts


def _volcano(name: str, cards: int) -> NodeFacts:
    """``UUID,count,memory,type,health,mode:`` for each card (facts/devices.md 16.2)."""
    text = "".join(
        f"GPU-{name}-V{index},10,81920,NVIDIA-A100-SXM4-80GB,true,hami-core:"
        for index in range(cards)
    )
    amounts = {"number": 10, "memory": 81920, "cores": 100}
    each = {f"volcano.sh/vgpu-{name}": amount for name, amount in amounts.items()}
    return _node(name, cards, each, {"volcano.sh/node-vgpu-register": text})


def _metax(name: str, cards: int) -> NodeFacts:
    """MetaX's own list; two cards of each four are in one link zone (7.2)."""
    found = [
        {
            "uuid": f"GPU-metax-{name}-{index}",
            "model": "MXC500",
            "totalDevCount": 16,
            "totalCompute": 100,
            "totalVRam": 65536,
            "numa": index // 4,
            "healthy": True,
            "qosPolicy": "best-effort",
            "linkZone": index // 2 % 2 * (index // 2 + 1),
        }
        for index in range(cards)
    ]
    text = msgspec.json.encode(found).decode()
    key = "metax-tech.com/node-gpu-devices"
    return _node(name, cards, {"metax-tech.com/sgpu": 16}, {key: text})


def _metax_whole(name: str, cards: int) -> NodeFacts:
    table = '{"1":0,"2":110,"3":270,"4":540,"5":580,"6":730,"7":930,"8":1240}'
    keys = (f"metax-tech.com/gpu.topology.{each}" for each in ("losses", "scores"))
    return _node(name, cards, {"metax-tech.com/gpu": 1}, dict.fromkeys(keys, table))


def _enflame(name: str, cards: int) -> NodeFacts:
    """Cards of six slices (6.2)."""
    found = {
        "devices": [{"index": str(n), "minor": str(n), "capacity": 6} for n in range(cards)],
        "profiles": {"1g.6gb": "0", "3g.20gb": "1", "6g.40gb": "2"},
    }
    text = msgspec.json.encode(found).decode()
    return _node(name, cards, {"enflame.com/drs-gcu": 6}, {"enflame.com/gcu-drs-capacity": text})


def _card(name: str, kind: str, slots: int, memory: int, cores: int = 100) -> Device:
    """What ``_listed`` repeats."""
    return Device(
        uuid=name, index=0, type=kind, slots=slots, memory_mib=memory, cores=cores, mode=""
    )


def _shares(
    count: str, memory: tuple[str, int], cores: tuple[str, int], percent: str = ""
) -> tuple[Json, ...]:
    """Limits of a family that gives any part: a part, a whole card, several of both."""
    size, part = {memory[0]: memory[1]}, {cores[0]: cores[1]}
    found: tuple[Json, ...] = (
        {count: 1, **size, **part},
        {count: 1, **size},
        {count: 1},
        {count: 2, **size, **part},
        {count: 3},
    )
    return (*found, {count: 2, percent: 30, **part}) if percent else found


def _ascend(chip: AscendChip) -> Sample:
    """Cards in parts by template; the dies of 910C two by two (8)."""
    smallest, *_, largest = sorted(chip.templates, key=lambda each: each.memory)
    count, memory = chip.resource_name, chip.resource_memory_name
    whole = chip.memory_allocatable
    slots = whole // smallest.memory
    networked = chip.common_word.startswith("Ascend910")

    def said(index: int) -> dict[str, str]:
        network = "0" if chip.super_pod or index < 4 else "1"
        return {"NetworkID": network} if networked else {}

    parts: tuple[Json, ...] = (
        {count: 1, memory: smallest.memory},
        {count: 1, memory: largest.memory - 1},
        {count: 1},
        {count: 2},
        {count: 4, memory: whole},
    )
    return Sample(
        facts=_listed(
            f"hami.io/node-register-{chip.common_word}",
            count,
            _card(chip.common_word, chip.common_word, slots, whole, chip.ai_core),
            said,
        ),
        limits=parts,
    )


def _iluvatar(chip: str) -> Sample:
    count, memory, cores = (f"iluvatar.ai/{chip}{end}" for end in ("-vgpu", ".vMem", ".vCore"))
    return Sample(
        facts=_in_text(f"hami.io/node-{chip}-register", count, chip, 10, 32768),
        limits=_shares(count, (memory, 20), (cores, 30)),
    )


_NVIDIA = _card("GPU", "NVIDIA A100-SXM4-80GB", 10, 81920)

SAMPLES: dict[str, Sample] = {
    "NVIDIA": Sample(
        facts=_listed(
            "hami.io/node-nvidia-register",
            "nvidia.com/gpu",
            msgspec.structs.replace(_NVIDIA, mode="hami-core"),
        ),
        limits=_shares(
            "nvidia.com/gpu",
            ("nvidia.com/gpumem", 20000),
            ("nvidia.com/gpucores", 30),
            "nvidia.com/gpumem-percentage",
        ),
    ),
    "Volcano": Sample(
        facts=_volcano,
        limits=_shares(
            "volcano.sh/vgpu-number",
            ("volcano.sh/vgpu-memory", 20000),
            ("volcano.sh/vgpu-cores", 30),
            "volcano.sh/vgpu-memory-percentage",
        ),
        init=False,
    ),
    "AMD": Sample(
        facts=_listed(
            "hami.io/node-amd-register",
            "amd.com/gpu",
            _card("AMD", "AMD_Instinct_MI300X", 10, 196592, 304),
            lambda index: {"pciBDF": f"0000:{index:02x}:00.0"},
        ),
        limits=_shares("amd.com/gpu", ("amd.com/gpumem", 50000), ("amd.com/gpucores", 33)),
    ),
    **{chip.common_word: _ascend(chip) for chip in ASCEND_CHIPS},
    "Biren": Sample(
        facts=_listed(
            "hami.io/node-biren-register",
            "birentech.com/gpu",
            _card("Biren", "Biren166M", 1, 65024),
        ),
        limits=({"birentech.com/gpu": 1}, {"birentech.com/gpu": 3}),
    ),
    "MLU": Sample(
        facts=_counted({
            "cambricon.com/vmlu": 100,
            "cambricon.com/mlu.smlu.vcore": 100,
            "cambricon.com/mlu.smlu.vmemory": 96,
        }),
        limits=tuple(
            {"cambricon.com/vmlu": 1, **{f"cambricon.com/mlu.smlu.{k}": v for k, v in more.items()}}
            for more in ({"vmemory": 20, "vcore": 10}, {"vmemory": 50}, {"vcore": 60}, {})
        ),
        several=False,
    ),
    "DCU": Sample(
        facts=_in_text("hami.io/node-dcu-register", "hygon.com/dcunum", "DCU-K100_AI", 4, 65520),
        limits=_shares("hygon.com/dcunum", ("hygon.com/dcumem", 15000), ("hygon.com/dcucores", 30)),
    ),
    "GCU": Sample(
        facts=_counted({"enflame.com/gcu": 1}),
        limits=({"enflame.com/gcu": 1}, {"enflame.com/gcu": 3}),
    ),
    "Enflame": Sample(
        facts=_enflame,
        limits=(
            {"enflame.com/drs-gcu": 1},
            {"enflame.com/drs-gcu": 3},
            {"enflame.com/drs-gcu": 6},
            {"enflame.com/gcu-memory": 20480, "enflame.com/gcu-core": 40},
            {"enflame.com/gcu-memory": 5},
        ),
    ),
    **{chip.common_word: _iluvatar(chip.common_word) for chip in ILUVATAR_CHIPS},
    "kunlun": Sample(
        facts=_counted({"kunlunxin.com/xpu": 1}),
        limits=tuple({"kunlunxin.com/xpu": count} for count in (1, 2, 4, 8)),
    ),
    "XPU": Sample(
        facts=_listed(
            "hami.io/node-register-xpu",
            "kunlunxin.com/vxpu",
            _card("XPU", "KUNLUN-P800", 4, 98304),
        ),
        limits=(
            {"kunlunxin.com/vxpu": 1, "kunlunxin.com/vxpu-memory": 24576},
            {"kunlunxin.com/vxpu": 1, "kunlunxin.com/vxpu-memory": 30000},
            {"kunlunxin.com/vxpu": 1},
            {"kunlunxin.com/vxpu": 2, "kunlunxin.com/vxpu-memory": 24576},
            {"kunlunxin.com/vxpu": 4},
        ),
    ),
    "Metax-GPU": Sample(
        facts=_metax_whole,
        limits=({"metax-tech.com/gpu": 1}, {"metax-tech.com/gpu": 3}),
    ),
    "Metax-SGPU": Sample(
        facts=_metax,
        limits=(
            *_shares("metax-tech.com/sgpu", ("metax-tech.com/vmemory", 4), (
                "metax-tech.com/vcore", 40,
            )),
            {"metax-tech.com/sgpu": 1, "metax-tech.com/vmemory": "500Mi"},
        ),
    ),
    "Mthreads": Sample(
        facts=_counted({
            "mthreads.com/vgpu": 100,
            "mthreads.com/sgpu-core": 16,
            "mthreads.com/sgpu-memory": 96,
        }),
        limits=(
            {"mthreads.com/vgpu": 1, "mthreads.com/sgpu-memory": 32, "mthreads.com/sgpu-core": 8},
            {"mthreads.com/vgpu": 1, "mthreads.com/sgpu-memory": 8, "mthreads.com/sgpu-core": 2},
            {"mthreads.com/vgpu": 1},
            {"mthreads.com/vgpu": 2},
            {"mthreads.com/vgpu": 3},
        ),
    ),
    "AWSNeuron": Sample(
        facts=_counted(
            {"aws.amazon.com/neuron": 1, "aws.amazon.com/neuroncore": 2}, "inf2.48xlarge"
        ),
        limits=(
            {"aws.amazon.com/neuroncore": 1},
            {"aws.amazon.com/neuroncore": 2},
            {"aws.amazon.com/neuroncore": 4},
            {"aws.amazon.com/neuron": 1},
            {"aws.amazon.com/neuron": 3},
        ),
    ),
    "Vastai": Sample(
        facts=_listed(
            "hami.io/node-va-register",
            "vastaitech.com/va",
            _card("VA", "Vastai-VA16", 2, 32768),
            lambda index: {"DeviceStrategy": "die", "AIC": str(index // 2)},
        ),
        limits=({"vastaitech.com/va": 1}, {"vastaitech.com/va": 3}),
    ),
}  # fmt: skip
"""By the family's word."""
