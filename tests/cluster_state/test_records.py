"""What pods hold by annotations that others wrote: HAMi, and we before."""

from __future__ import annotations

import pytest

from hami_admission.cluster import records
from hami_admission.cluster.state import Cluster
from hami_admission.model.amounts import Amounts
from hami_admission.settings import Settings
from hami_admission.vendors import table
from hami_admission.wire import keys
from tests import build
from tests.vendors import samples

VENDORS = table.build(Settings())
SHARE = build.gpu(1, memory=30000, cores=30)
NONE: build.Json = {}
HALF = "GPU-a,NVIDIA,30000,30:"
MIB, CORES = ("GPU-a", "memory"), ("GPU-a", "cores")

HELD: dict[str, tuple[tuple[build.Json, ...], tuple[build.Json, ...], str, tuple[int, int]]] = {
    "one entry for each container": ((SHARE,), (SHARE, NONE), f"{HALF};{HALF};;", (30000, 30)),
    "apps only, as before 2.9": ((NONE,), (SHARE, SHARE), f"{HALF};{HALF};", (60000, 60)),
    "apps only, after two init containers": ((NONE, NONE), (SHARE,), f"{HALF};", (30000, 30)),
    "an empty entry lost before a card, as 2.10": ((), (NONE, SHARE), f"{HALF};", (30000, 30)),
    "an empty entry lost between cards": (
        (SHARE,),
        (NONE, SHARE, SHARE),
        f"{HALF};{HALF};{HALF};",
        (60000, 60),
    ),
    "an instance, as before 2.10": ((), (SHARE,), "GPU-a[0-1],NVIDIA,10000,0:;", (10000, 0)),
    "an empty entry lost between an init container's card and an app's": (
        (SHARE,),
        (NONE, SHARE),
        f"{HALF};{HALF};",
        (30000, 30),
    ),
    "more entries than containers": ((), (SHARE,), f"{HALF};{HALF};", (60000, 60)),
    "damaged": ((), (SHARE,), "GPU-a,NVIDIA;", (0, 0)),
}


@pytest.mark.parametrize("name", HELD)
def test_what_is_taken_of_the_card(name: str) -> None:
    """Never less than what the pod takes once its apps run; where it cannot be told, more."""
    init, apps, text, held = HELD[name]
    pod = build.pod(
        *(build.container(f"c{n}", each) for n, each in enumerate(apps)),
        init=tuple(build.container(f"i{n}", each) for n, each in enumerate(init)),
        nodeName="n",
        annotations={keys.NVIDIA_ALLOCATED: text},
    )
    record = records.of(pod, VENDORS, None, lambda *_: Amounts())
    assert record is not None
    assert (record.held[MIB], record.held[CORES]) == held


FORGED = "GPU-a,NVIDIA,81920,100:;"


@pytest.mark.parametrize(
    ("containers", "text", "held", "unasked"),
    [
        ((NONE,), FORGED, 0, ("GPU-a",)),
        (({"cpu": "1"},), FORGED, 0, ("GPU-a",)),
        (({"nvidia.com/gpu": 0},), FORGED, 0, ("GPU-a",)),
        ((NONE, SHARE), f"GPU-b,NVIDIA,81920,100:;{HALF};", 30000, ("GPU-b",)),
        (({"amd.com/gpu": 1},), FORGED, 0, ("GPU-a",)),
        # HAMi let in what we would refuse: it asks, and holds what it was given.
        (({"nvidia.com/gpu": "1", "nvidia.com/gpumem": "30Gi"},), f"{HALF};", 30000, ()),
    ],
)
def test_cards_are_held_by_containers_that_ask_for_such(
    containers: tuple[build.Json, ...], text: str, held: int, unasked: tuple[str, ...]
) -> None:
    pod = build.pod(
        *(build.container(f"c{n}", each) for n, each in enumerate(containers)),
        nodeName="n",
        annotations={keys.NVIDIA_ALLOCATED: text},
    )
    record = records.of(pod, VENDORS, None, lambda *_: Amounts())
    assert record is not None
    assert (record.held[MIB], record.unasked) == (held, unasked)


LARGE = "x" * 100_000
WISH = {"nvidia.com/use-gputype": "A100", "hami.io/gpu-scheduler-policy": "binpack"}


def test_a_pod_that_waits_is_kept_without_what_its_user_can_make_large() -> None:
    asks = build.container(
        "main",
        {**SHARE, "cpu": "1", **{f"example.com/{n}": 1 for n in range(1000)}},
        env=[{"name": f"V{n}", "value": LARGE} for n in range(10)],
    )
    pod = build.pod(
        asks,
        annotations={**WISH, "of": LARGE, "amd.com/use-gpu-uuid": LARGE, keys.ASSIGNED_TIME: LARGE},
        labels={"of": LARGE},
    )
    record = records.of(pod, VENDORS, None, lambda *_: Amounts())
    assert record is not None
    assert record.pod.annotations == WISH
    assert len(str(record)) < 3000


CLUSTER = Cluster(Settings())
ASKED = [
    (word, limits, notes)
    for word, sample in samples.SAMPLES.items()
    for limits in sample.limits
    for notes in (*sample.notes, WISH)
]


@pytest.mark.parametrize(("word", "limits", "notes"), ASKED)
def test_what_is_kept_asks_and_wishes_the_same(
    word: str, limits: build.Json, notes: dict[str, str]
) -> None:
    pod = build.pod(
        build.container(limits={**limits, "cpu": "1"}), annotations={**notes, "of": "x"}
    )
    demand = CLUSTER.demand(pod)
    assert demand is not None
    assert word in demand.words
    assert CLUSTER.demand(records.bare(pod, VENDORS)) == demand
