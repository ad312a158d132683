from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hami_admission.model.grant import Grant
from hami_admission.quota import charge, limits
from hami_admission.settings import Settings
from hami_admission.vendors import table
from tests import build

if TYPE_CHECKING:
    from hami_admission.model.amounts import Amounts

VENDORS = table.build(Settings())
NAMES = {vendor.word: vendor.names for vendor in VENDORS}


def cost(document: dict[str, Any], smallest: int = 0) -> dict[str, int]:
    """The charge of a pod's JSON, by the last part of the resource name."""
    pod = build.noun(document)
    requests = table.requests(table.read(VENDORS, pod))
    found = charge.of_requests(
        pod.kinds, requests, NAMES, lambda request: request.memory_on(smallest)
    )
    return short(found)


def short(amounts: Amounts[str]) -> dict[str, int]:
    return {name.rpartition("/")[2]: value for name, value in amounts.items()}


def on(*sizes: int, name: str = "c", sidecar: bool = False) -> dict[str, Any]:
    """A container with one card per size (all the same size)."""
    return build.container(name, build.gpu(len(sizes), memory=sizes[0]), sidecar=sidecar)


# Vectors of facts/scheduling.md 23, and Kubernetes' rule for sidecars.
COSTS: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "linked": (
        build.pod_json(build.container(limits=build.gpu(2, memory=2000, cores=30))),
        {"gpu": 2, "gpumem": 4000, "gpucores": 60},
    ),
    "init larger than app": (
        build.pod_json(on(4000), init=(on(30000),)),
        {"gpu": 1, "gpumem": 30000},
    ),
    "apps together": (
        build.pod_json(on(5000), on(5000), init=(on(8000),)),
        {"gpu": 2, "gpumem": 10000},
    ),
    "sidecar beside init": (
        build.pod_json(on(10000), init=(on(2000, sidecar=True), on(20000))),
        {"gpu": 2, "gpumem": 22000},
    ),
    "sidecar after init": (
        build.pod_json(on(10000), init=(on(20000), on(2000, sidecar=True))),
        {"gpu": 2, "gpumem": 20000},
    ),
}


@pytest.mark.parametrize("name", COSTS)
def test_costs(name: str) -> None:
    document, expected = COSTS[name]
    assert cost(document) == expected


def test_a_percentage_and_a_whole_card_are_reserved_at_the_smallest() -> None:
    half = build.pod_json(build.container(limits=build.gpu(2, percent=50, cores=10)))
    assert cost(half, smallest=16384) == {"gpu": 2, "gpumem": 16384, "gpucores": 20}
    whole = build.pod_json(build.container(limits=build.gpu(1)))
    assert cost(whole, smallest=16384) == {"gpu": 1, "gpumem": 16384, "gpucores": 100}


def test_grants_cost_what_they_are() -> None:
    pod = build.noun(build.pod_json(on(1), init=(on(1),)))
    grants = ((Grant("a", "NVIDIA", 9000, 5),), (Grant("a", "NVIDIA", 100, 7),))
    assert short(charge.of_grants(pod.kinds, grants, NAMES)) == {
        "gpu": 1,
        "gpumem": 9000,
        "gpucores": 7,
    }
    foreign = ((Grant("a", "Other", 1, 1),), ())
    assert short(charge.of_grants(pod.kinds, foreign, NAMES)) == {}


def test_managed_are_count_memory_and_cores() -> None:
    assert limits.managed(NAMES.values()) >= {
        "nvidia.com/gpu",
        "nvidia.com/gpumem",
        "nvidia.com/gpucores",
        "aws.amazon.com/neuron",
        "aws.amazon.com/neuroncore",
    }
    assert "nvidia.com/gpumem-percentage" not in limits.managed(NAMES.values())
    assert "nvidia.com/priority" not in limits.managed(NAMES.values())
