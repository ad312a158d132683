"""Other ways in which families are used: nodes whose cards differ, pods that wish something.

Each stands beside the family's sample, under the family's word and, after a comma, the way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.device import Device, Profile
from hami_admission.options import ASCEND_CHIPS
from hami_admission.wire import registers
from hami_admission.wire.nodes import NodeFacts
from tests.vendors.samples import SAMPLES, Facts, Json, Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from hami_admission.model.pod import Quantity

_A100 = tuple(
    Profile(name, memory, cores, slices, tuple((start, size) for start in starts))
    for name, memory, cores, slices, size, starts in (
        ("1g.5gb", 4864, 15, 1, 1, range(7)),
        ("2g.10gb", 9856, 29, 2, 2, (0, 2, 4)),
        ("3g.20gb", 19968, 43, 3, 4, (0, 4)),
        ("7g.40gb", 40192, 100, 7, 8, (0,)),
    )
)


def family(way: str) -> str:
    """The word of the family that this is a way of."""
    return way.partition(",")[0]


def _changed(word: str, register: str, change: Callable[[Device], Device]) -> Facts:
    """The nodes of the family's sample, with each card changed."""

    def facts(name: str, cards: int) -> NodeFacts:
        found = SAMPLES[word].facts(name, cards)
        devices = tuple(map(change, registers.decode(found.annotations[register])))
        return _with(found, {register: registers.encode(devices)})

    return facts


def _said(word: str, notes: dict[str, str]) -> Facts:
    """The nodes of the family's sample, with these annotations."""
    return lambda name, cards: _with(SAMPLES[word].facts(name, cards), notes)


def _with(facts: NodeFacts, notes: dict[str, str]) -> NodeFacts:
    return msgspec.structs.replace(facts, annotations={**facts.annotations, **notes})


def _one_of_two(field: str, odd: int) -> Callable[[Device], Device]:
    """Every second card has another amount."""
    return lambda card: msgspec.structs.replace(card, **{field: odd}) if card.index % 2 else card


def _linked(name: str, cards: int) -> NodeFacts:
    """Four cards each are linked by NVLink, but for the last of them."""
    found = SAMPLES["NVIDIA"].facts(name, cards)
    uuids = tuple(
        card.uuid for card in registers.decode(found.annotations["hami.io/node-nvidia-register"])
    )
    rows = tuple(
        tuple(200 if a // 4 == b // 4 and 3 not in (a % 4, b % 4) else 10 for b in range(cards))
        for a in range(cards)
    )
    return _with(found, {"hami.io/node-nvidia-score": registers.encode_scores(uuids, rows)})


def _instances(card: Device) -> Device:
    return msgspec.structs.replace(
        card, mode="mig", slots=7, memory_mib=_A100[-1].memory_mib, profiles=_A100
    )


def _neuron(kind: str, cores: int, *limits: Json) -> Sample:
    """Instances of that type, with so many cores on each device."""

    def facts(name: str, cards: int) -> NodeFacts:
        capacity: dict[str, Quantity] = {
            "aws.amazon.com/neuron": str(cards),
            "aws.amazon.com/neuroncore": str(cards * cores),
        }
        labels = {"node.kubernetes.io/instance-type": kind}
        return NodeFacts(name, {}, capacity, capacity, labels)

    return Sample(
        facts=facts,
        limits=(
            *({"aws.amazon.com/neuroncore": count} for count in (1, 2, cores)),
            {"aws.amazon.com/neuron": 1},
            *limits,
        ),
    )


def _by_library(word: str) -> Sample:
    """Chips that are shared softly: any memory, and cores by percent."""
    chip = next(each for each in ASCEND_CHIPS if each.common_word == word)
    count, memory, cores = chip.resource_name, chip.resource_memory_name, chip.resource_core_name
    return Sample(
        facts=_said(word, {"hami-vnpu-core": "true"}),
        limits=(
            {count: 1, memory: 5000, cores: 30},
            {count: 1, memory: 20000},
            {count: 1},
            {count: 2, memory: 7000, cores: 45},
            {count: 4},
        ),
        notes=({"huawei.com/vnpu-mode": "hami-core"},),
    )


def _metax(*notes: dict[str, str], most: int) -> Sample:
    """Shared cards, of containers with so many cards at most."""
    sample = SAMPLES["Metax-SGPU"]
    limits = tuple(each for each in sample.limits if each["metax-tech.com/sgpu"] <= most)
    return replace(sample, limits=limits, notes=notes)


_NVIDIA, _AMD = "hami.io/node-nvidia-register", "hami.io/node-amd-register"
_APP, _QOS = "metax-tech.com/sgpu-app-class", "metax-tech.com/sgpu-qos-policy"

WAYS: dict[str, Sample] = {
    "NVIDIA, two sizes": replace(
        SAMPLES["NVIDIA"], facts=_changed("NVIDIA", _NVIDIA, _one_of_two("memory_mib", 40960))
    ),
    "NVIDIA, instances": Sample(
        facts=_changed("NVIDIA", _NVIDIA, _instances),
        limits=(
            *(
                {"nvidia.com/gpu": count, "nvidia.com/gpumem": memory}
                for count, memory in ((1, 4000), (2, 4000), (1, 9000), (3, 9000), (2, 15000))
            ),
            {"nvidia.com/gpu": 1, "nvidia.com/gpumem-percentage": 30},
            {"nvidia.com/gpu": 1},
        ),
    ),
    "NVIDIA, linked": replace(
        SAMPLES["NVIDIA"],
        facts=_linked,
        notes=(
            {"hami.io/gpu-topology": "required"},
            {"hami.io/gpu-topology": "preferred"},
            {"nvidia.com/numa-bind": "true"},
            {},
        ),
    ),
    "AMD, two sizes": replace(
        SAMPLES["AMD"], facts=_changed("AMD", _AMD, _one_of_two("memory_mib", 65536))
    ),
    "AMD, two models": replace(
        SAMPLES["AMD"], facts=_changed("AMD", _AMD, _one_of_two("cores", 228))
    ),
    "AMD, in groups": replace(
        SAMPLES["AMD"],
        facts=_changed(
            "AMD", _AMD, lambda card: msgspec.structs.replace(card, facts=(("cuPerWGP", "2"),))
        ),
    ),
    "Ascend910B2, by a library": _by_library("Ascend910B2"),
    "Ascend910C, by a library": _by_library("Ascend910C"),
    "Metax-SGPU, classes": _metax(
        {_APP: "online"},
        {_APP: "offline"},
        {_QOS: "fixed-share"},
        {_QOS: "burst-share"},
        {},
        most=1,
    ),
    "Metax-SGPU, by links": _metax({"metax-tech.com/sgpu-topology-aware": "true"}, {}, most=3),
    "AWSNeuron, four cores": _neuron("inf1.24xlarge", 4, {"aws.amazon.com/neuron": 3}),
    "AWSNeuron, eight cores": _neuron("trn2.48xlarge", 8, {"aws.amazon.com/neuron": 4}),
    "Vastai, whole cards": replace(
        SAMPLES["Vastai"],
        facts=_changed(
            "Vastai",
            "hami.io/node-va-register",
            lambda card: msgspec.structs.replace(card, facts=()),
        ),
    ),
}
