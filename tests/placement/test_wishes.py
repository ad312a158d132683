"""A pod's annotations as wishes (facts/scheduling.md 6.3 and 7)."""

from __future__ import annotations

from typing import Any

import pytest

from hami_admission.model.wishes import ANY, EVEN, Selection, Topology, Weights, Wishes
from hami_admission.placement import wishes
from hami_admission.settings import Settings
from hami_admission.vendors import table

VENDORS = table.build(Settings())


def of(annotations: dict[str, str], **settings: Any) -> Wishes:
    """The wishes of a pod that asks for NVIDIA cards."""
    return wishes.of(annotations, ("NVIDIA",), VENDORS, Settings(**settings))


SELECTIONS: dict[str, tuple[dict[str, str], Selection]] = {
    "nothing": ({}, Selection()),
    "types, in any case": (
        {"nvidia.com/use-gputype": "a100,T4", "nvidia.com/nouse-gputype": "A100"},
        Selection(types=("a100", "t4"), not_types=("a100",)),
    ),
    "cards, with blanks": (
        {"nvidia.com/use-gpuuuid": "GPU-a, GPU-b", "nvidia.com/nouse-gpuuuid": " GPU-b "},
        Selection(uuids=frozenset({"GPU-a", "GPU-b"}), not_uuids=frozenset({"GPU-b"})),
    ),
    "empty lists are no constraint": (
        dict.fromkeys(
            (
                "nvidia.com/use-gputype",
                "nvidia.com/nouse-gputype",
                "nvidia.com/use-gpuuuid",
                "nvidia.com/nouse-gpuuuid",
            ),
            " ",
        ),
        Selection(),
    ),
    "ways of sharing": (
        {"nvidia.com/vgpu-mode": "mig, mps"},
        Selection(modes=frozenset({"mig", "mps"})),
    ),
    "a way that cannot be read is none": ({"nvidia.com/vgpu-mode": "best"}, Selection()),
    "a list of commas wants what there is not": (
        {"nvidia.com/use-gputype": ","},
        Selection(types=()),
    ),
    "only cards that nobody uses": (
        {"hami.io/gpu-scheduler-policy": "mutex"},
        Selection(idle=True),
    ),
    "empty members are none": (
        {"nvidia.com/use-gputype": "A100,,", "nvidia.com/nouse-gputype": ",,"},
        Selection(types=("a100",)),
    ),
}


@pytest.mark.parametrize("sentence", SELECTIONS)
def test_selection(sentence: str) -> None:
    annotations, expected = SELECTIONS[sentence]
    assert of(annotations).selection("NVIDIA") == expected


def test_a_pod_without_lists_has_the_one_value_of_no_constraint() -> None:
    assert of({"nvidia.com/other": "x"}).selection("NVIDIA") is ANY
    assert of({"nvidia.com/nouse-gputype": "x"}).selection("NVIDIA") is not ANY


CARD_POLICY = "hami.io/gpu-scheduler-policy"
POLICIES: dict[str, tuple[dict[str, str], Wishes]] = {
    "the cluster's": ({}, Wishes("binpack", ("spread",))),
    "of the pod": (
        {"hami.io/node-scheduler-policy": "spread", CARD_POLICY: "binpack"},
        Wishes("spread", ("binpack",)),
    ),
    "that cannot be read": (
        {"hami.io/node-scheduler-policy": "best", CARD_POLICY: "best,spread"},
        Wishes("binpack", ("spread",)),
    ),
    "a chain": ({CARD_POLICY: "numa, binpack"}, Wishes("binpack", ("numa", "binpack"))),
    "alone": ({CARD_POLICY: "mutex"}, Wishes("binpack", ("spread",))),
    "by links": (
        {CARD_POLICY: "topology-aware,binpack"},
        Wishes("binpack", ("binpack",), topology=Topology.PREFERRED),
    ),
    "by links or not at all": (
        {"hami.io/gpu-topology": "required"},
        Wishes("binpack", ("spread",), topology=Topology.REQUIRED),
    ),
    "the annotation decides over the policy": (
        {CARD_POLICY: "topology-aware", "hami.io/gpu-topology": "required"},
        Wishes("binpack", ("spread",), topology=Topology.REQUIRED),
    ),
    "bound to a NUMA node": (
        {"nvidia.com/numa-bind": "True"}, Wishes("binpack", ("spread",), numa_bind=True),
    ),
    "weighed": (
        {"hami.io/device-scoring-weights": "slot=0,memory=3, core=1"},
        Wishes("binpack", ("spread",), weights=Weights(slot=0, core=1, memory=3)),
    ),
    "weighed as nobody can read": (
        {"hami.io/device-scoring-weights": "memory=3"},
        Wishes("binpack", ("spread",), weights=EVEN),
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", POLICIES)
def test_policies(sentence: str) -> None:
    annotations, expected = POLICIES[sentence]
    found = of(annotations)
    assert (found.node_policy, found.card_order, found.weights) == (
        expected.node_policy,
        expected.card_order,
        expected.weights,
    )
    assert (found.numa_bind, found.topology) == (expected.numa_bind, expected.topology)


def test_the_clusters_policy_may_be_a_chain() -> None:
    found = of({}, gpu_scheduler_policy="numa,topology-aware")
    assert (found.card_order, found.topology) == (("numa",), Topology.PREFERRED)
