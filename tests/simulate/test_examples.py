"""Upstream's own examples, file by file: what becomes of them on a cluster that has their cards.

What each asks, and what it gets for that, is in facts/charts.md (its table of examples) and
facts/devices.md. The files are read where they lie and are not part of this repository.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hami_admission.model.device import Device, Profile
from hami_admission.settings import Settings
from hami_admission.simulate import run, scenario
from hami_admission.wire import registers
from hami_admission.wire.nodes import NodeFacts
from tests import yamls
from tests.vendors.samples import SAMPLES, both, document

if TYPE_CHECKING:
    from hami_admission.simulate.outcome import Outcome

Json = dict[str, Any]
EXAMPLES = Path(__file__).parents[3] / "shared" / "manifests" / "examples"
FILES = [str(path.relative_to(EXAMPLES)) for path in sorted(EXAMPLES.rglob("*.yaml"))]

pytestmark = pytest.mark.skipif(not FILES, reason="upstream's examples are not beside this tree")


@dataclass(frozen=True)
class Gets:
    """One pod: on which cards it gets (MiB, cores), and what is written for that.

    ``limits`` are those that admission writes, ``notes`` are annotations of the Binding, of which
    there may be more, ``env`` is what its container is given.
    """

    word: str
    cards: tuple[tuple[str, int, int], ...]
    notes: dict[str, str]
    limits: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    warning: str = ""


def nvidia(*cards: tuple[str, int, int], cores: int, **more: Any) -> Gets:
    """With upstream's annotation of the cards, and our environment."""
    text = "".join(f"{uuid},NVIDIA,{mib},{percent}:" for uuid, mib, percent in cards) + ";"
    env = {
        "NVIDIA_VISIBLE_DEVICES": ",".join(uuid for uuid, _, _ in cards),
        "CUDA_DEVICE_SM_LIMIT": str(cores),
        **{f"CUDA_DEVICE_MEMORY_LIMIT_{n}": f"{mib}m" for n, (_, mib, _) in enumerate(cards)},
    }
    notes = {"hami.io/vgpu-devices-allocated": text, "hami.io/bind-phase": "success"}
    return Gets("NVIDIA", cards, notes, env=env, **more)


ZERO, ONE = "GPU-n-0", "GPU-n-1"

GETS: dict[str, Gets | tuple[Gets, ...]] = {
    "ascend/job-910B3.yaml": Gets(
        "Ascend910B3",
        (("Ascend910B3-n-0", 16384, 0),),
        {
            "hami.io/Ascend910B3-devices-to-allocate": "Ascend910B3-n-0,Ascend910B3,16384,0:;",
            "huawei.com/Ascend910B3": '[{"UUID":"Ascend910B3-n-0","temp":"vir05_1c_16g",'
            '"memory":16384,"core":5}]',
            "predicate-time": "1700000001",
        },
        limits={"huawei.com/Ascend910B3-memory": "16384"},
    ),
    "ascend/job-910C.yaml": Gets(  # parts of two dies no container can have (hazard A2)
        "Ascend910C",
        (("Ascend910C-n-0", 65536, 0), ("Ascend910C-n-1", 65536, 0)),
        {
            "huawei.com/Ascend910C": '[{"UUID":"Ascend910C-n-0","memory":65536,"core":20},'
            '{"UUID":"Ascend910C-n-1","memory":65536,"core":20}]'
        },
        limits={"huawei.com/Ascend910C": "2", "huawei.com/Ascend910C-memory": "65536"},
        warning="1 means 2, the two dies of a module",
    ),
    "awsneuron/allocate_core.yaml": Gets(
        "AWSNeuron",
        (("n-AWSNeuron-0", 0, 1),),
        {
            "hami.io/aws-neuron-devices-allocated": "n-AWSNeuron-0,AWSNeuron,0,1:;",
            "AWS_NEURON_IDS": "0",
            "NEURON_RESOURCE_TYPE": "aws.amazon.com/neuroncore",
            "NEURON_ALLOCATED": "false",
        },
    ),
    "biren/default_use.yaml": Gets(
        "Biren",
        (("Biren-n-0", 0, 0),),
        {"hami.io/Biren-devices-to-allocate": "Biren-n-0,Biren,0,0:;"},
    ),
    "hygon/default_use.yaml": Gets(
        "DCU",
        (("DCU-K100_AI-n-0", 2000, 60),),
        {"hami.io/dcu-devices-to-allocate": "DCU-K100_AI-n-0,DCU,2000,60:;"},
    ),
    "iluvatar/default_use_BI-V150.yaml": Gets(
        "BI-V150",
        (("BI-V150-n-0", 16384, 50),),  # 64 × 256
        {"hami.io/BI-V150-devices-to-allocate": "BI-V150-n-0,BI-V150,16384,50:;"},
        env={"SOL_CONTINER_NAME": "BI-V150-poddemo"},
    ),
    "kunlun/default_use.yaml": Gets(
        "XPU",
        (("XPU-n-0", 24576, 25),),
        {"hami.io/xpu-devices-to-allocate": "XPU-n-0,XPU,24576,25:;"},
    ),
    "metax/gpu_default.yaml": Gets(
        "Metax-GPU",
        (("n-metax-0", 65536, 100),),
        {"hami.io/metax-gpu-devices-allocated": "n-metax-0,Metax-GPU,65536,100:;"},
    ),
    "metax/sgpu_default.yaml": Gets(
        "Metax-SGPU",
        (("GPU-metax-n-0", 4096, 60),),
        {
            "hami.io/metax-sgpu-devices-to-allocate": "GPU-metax-n-0,Metax-SGPU,4096,60:;",
            "metax-tech.com/gpu-devices-allocated": '[[{"uuid":"GPU-metax-n-0","compute":60,'
            '"vRam":4096}]]',
        },
    ),
    "mlu/default_use.yaml": Gets(  # its names of memory and cores are no names of ours
        "MLU",
        (("n-cambricon-mlu-0", 24576, 100),),
        {"CAMBRICON_DSMLU_PROFILE": "0_100_96", "CAMBRICON_DSMLU_ASSIGNED": "false"},
    ),
    "mthreads/default_use.yaml": Gets(
        "Mthreads",
        (("n-mthreads-0", 16384, 8),),  # 32 × 512
        {
            "hami.io/mthreads-vgpu-devices-allocated": "n-mthreads-0,Mthreads,16384,8:;",
            "mthreads.com/gpu-index": "0",
            "mthreads.com/predicate-node": "n",
        },
    ),
    "nvidia/default_use.yaml": nvidia((ZERO, 3000, 30), cores=30),
    "nvidia/example.yaml": nvidia((ZERO, 3000, 0), cores=0),
    "nvidia/specify_card_type_to_use.yaml": nvidia(
        (ZERO, 81920, 100), (ONE, 81920, 100), cores=100, limits={"nvidia.com/gpucores": "100"}
    ),
    "nvidia/use_exclusive_card.yaml": nvidia((ZERO, 81920, 100), (ONE, 81920, 100), cores=100),
    "nvidia/use_memory_fraction.yaml": nvidia((ZERO, 40960, 30), (ONE, 40960, 30), cores=30),
    "nvidia/use_sharing_card.yaml": (
        nvidia((ZERO, 32768, 60), cores=60),
        nvidia((ONE, 49152, 40), cores=40),
    ),
    "nvidia/vllm_cross_vgpu.yaml": nvidia((ZERO, 24576, 30), (ONE, 24576, 30), cores=30),
    "vastai/default_use.yaml": Gets(
        "Vastai", (("VA-n-0", 0, 0),), {"hami.io/Vastai-devices-to-allocate": "VA-n-0,Vastai,0,0:;"}
    ),
    "volcano/design__dynamic-mig-1.yaml": Gets(
        "Volcano",
        (("GPU-n-V0", 8000, 0), ("GPU-n-V1", 8000, 0)),
        {
            "volcano.sh/vgpu-ids-new": "GPU-n-V0,NVIDIA,8000,0:GPU-n-V1,NVIDIA,8000,0:",
            "volcano.sh/bind-phase": "allocating",
        },
    ),
}

UNTOUCHED = {
    "enflame/vgcu_use.yaml": "namespace kube-system is exempt",
    "volcano/vgpu-case01.yaml": "spec.schedulerName is volcano",
}
NO_PODS = (
    "volcano/configmap-volcano-vgpu-device-config.yaml",
    "volcano/configmap-volcano-vgpu-node-config.yaml",
)
CUT = "nvidia/dynamic_mig_example.yaml"


def read(name: str) -> list[Json]:
    """The documents of a file."""
    return [each for each in yamls.load_all((EXAMPLES / name).read_text()) if each]


def ran(documents: list[Json], *nodes: NodeFacts) -> list[Outcome]:
    """What becomes of the pods of these documents on these nodes."""
    given = [*map(document, nodes), *documents]
    placed = [(f"document {n}", each) for n, each in enumerate(given, 1)]
    return run.simulate(scenario.build(placed), Settings()).outcomes


def cluster(*, without: str = "", cards: int = 8) -> NodeFacts:
    """One node with cards of all families but one."""
    return both(*(
        sample.facts("n", cards) for word, sample in SAMPLES.items() if word != without
    ))  # fmt: skip


def expected(name: str) -> tuple[Gets, ...]:
    found = GETS[name]
    return found if isinstance(found, tuple) else (found,)


def test_every_example_is_expected() -> None:
    assert sorted((*GETS, *UNTOUCHED, *NO_PODS, CUT)) == FILES


def holds(outcome: Outcome, wanted: Gets) -> None:
    """It was admitted and placed as it should be."""
    assert (outcome.verdict, outcome.scheduler) == ("admitted", "hami-scheduler"), outcome.message
    assert outcome.placed is not None, outcome.summary
    (slot,) = outcome.placed.grants
    assert tuple((each.uuid, each.memory_mib, each.cores) for each in slot) == wanted.cards
    assert {each.vendor for each in slot} == {wanted.word}
    assert wanted.notes.items() <= outcome.placed.annotations.items()
    assert outcome.placed.annotations["hami.io/vgpu-node"] == "n"
    written = {
        str(each["path"]).rpartition("/")[2].replace("~1", "/"): each["value"]
        for each in outcome.patch
        if "/limits/" in str(each["path"])
    }
    assert written == wanted.limits
    (environment,) = outcome.environment.values()
    assert wanted.env.items() <= environment.items()
    assert wanted.warning in " ".join(outcome.warnings)


@pytest.mark.parametrize("name", GETS)
def test_on_a_cluster_with_its_cards(name: str) -> None:
    found = ran(read(name), cluster())
    for outcome, wanted in zip(found, expected(name), strict=True):
        holds(outcome, wanted)


@pytest.mark.parametrize("name", GETS)
def test_on_a_cluster_without_its_cards(name: str) -> None:
    word = expected(name)[0].word
    for outcome in ran(read(name), cluster(without=word)):
        assert outcome.verdict == "admitted"
        assert outcome.placed is None
        assert outcome.reasons == {"n": "0/0 NodeInsufficientDevice"}
        assert outcome.summary == "no node fits (0/1): 1 × 0/0 NodeInsufficientDevice"


@pytest.mark.parametrize("name", UNTOUCHED)
def test_what_is_not_ours_is_left_alone(name: str) -> None:
    for outcome in ran(read(name), cluster()):
        assert outcome.verdict == "untouched"
        assert outcome.message.startswith(UNTOUCHED[name])
        assert (outcome.patch, outcome.placed) == ([], None)


@pytest.mark.parametrize("name", NO_PODS)
def test_what_is_no_pod_is_passed_over(name: str) -> None:
    assert ran(read(name), cluster()) == []


def test_two_that_share_fill_one_card_where_there_is_one() -> None:
    found = ran(read("nvidia/use_sharing_card.yaml"), cluster(cards=1))
    given = [each.placed.grants[0][0] for each in found if each.placed is not None]
    assert {each.uuid for each in given} == {ZERO}
    assert sum(each.memory_mib for each in given) == 81920
    assert sum(each.cores for each in given) == 100


def test_parts_of_enflame_in_a_namespace_that_is_not_exempt() -> None:
    """Slices of one card; memory and cores become the smallest profile that has both."""
    pods = read("enflame/vgcu_use.yaml")
    for pod in pods:
        pod["metadata"]["namespace"] = "team"
    found = ran(pods, cluster())
    given = [each.placed.grants[0][0] for each in found if each.placed is not None]
    assert [(each.slots, each.memory_mib, each.cores) for each in given] == [
        (1, 6144, 16), (3, 20480, 50), (3, 20480, 50),
    ]  # fmt: skip
    notes = [each.placed.annotations for each in found if each.placed is not None]
    assert [each["enflame.com/gcu-request-size"] for each in notes] == ["1", "3", "3"]
    assert notes[1]["assigned-containers"] == (
        '{"pod-gcu-example1":{"allocated":false,"request":3,"profileID":"1",'
        '"profileName":"3g.20gb"}}'
    )
    assert [each["hami.io/bind-phase"] for each in notes] == ["allocating"] * 3
    for outcome in ran(pods, cluster(without="Enflame")):
        assert outcome.reasons == {"n": "0/0 NodeInsufficientDevice"}


def cut(name: str) -> NodeFacts:
    """A node of two A100-40G in mode ``mig`` (facts/devices.md 3.4)."""
    profiles = (
        Profile("1g.5gb", 4864, 15, 1, tuple((start, 1) for start in range(7))),
        Profile("2g.10gb", 9856, 29, 2, ((0, 2), (2, 2), (4, 2))),
        Profile("3g.20gb", 19968, 43, 3, ((0, 4), (4, 4))),
        Profile("7g.40gb", 40192, 100, 7, ((0, 8),)),
    )
    kind = "NVIDIA A100-SXM4-40GB"
    cards = tuple(
        Device(f"MIG-{n}", n, kind, 7, 40960, 100, mode="mig", profiles=profiles) for n in range(2)
    )
    return NodeFacts(name, {"hami.io/node-nvidia-register": registers.encode(cards)})


def test_parts_of_cards_that_can_be_cut() -> None:
    """2 × 2g.10gb, on one card by policy binpack; shared cards do not do."""
    (found,) = ran(read(CUT), cluster(), cut("m"))
    assert found.placed is not None
    assert found.placed.node == "m"
    (slot,) = found.placed.grants
    assert [(each.uuid, each.profile, each.memory_mib) for each in slot] == [
        ("MIG-0", "2g.10gb", 9856), ("MIG-0", "2g.10gb", 9856),
    ]  # fmt: skip
    assert found.reasons == {"n": "8/8 CardTypeMismatch"}
    (alone,) = ran(read(CUT), cluster())
    assert (alone.placed, alone.reasons) == (None, {"n": "8/8 CardTypeMismatch"})
