"""What pods hold by annotations that others wrote: HAMi, and we before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.cluster import events, records
from hami_admission.cluster.state import Cluster
from hami_admission.model.amounts import Amounts
from hami_admission.placement import usage
from hami_admission.settings import Settings
from hami_admission.vendors import table
from hami_admission.wire import keys
from tests import build
from tests.vendors import samples

if TYPE_CHECKING:
    from hami_admission.model.pod import Pod

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


def bound(text: str, *containers: build.Json, name: str = "p") -> Pod:
    made = (build.container(f"c{n}", each) for n, each in enumerate(containers or (SHARE,)))
    notes = {keys.NVIDIA_ALLOCATED: text}
    return build.pod(*made, name=name, uid=name, nodeName="n", annotations=notes)


def seen(*pods: Pod) -> Cluster:
    """One node ``n`` of three cards, and these pods."""
    made = Cluster(Settings())
    made.apply(events.NodeSeen(build.facts("n", 3)), 0)
    for pod in pods:
        made.apply(events.PodSeen(pod), 0)
    return made


def shut(made: Cluster) -> list[int]:
    """The cards of which nobody knows how much is taken, by index."""
    return [card.device.index for card in made.usage()["n"].cards["NVIDIA"] if card.unread]


DAMAGED: dict[str, tuple[str, list[int], str]] = {
    "sizes": ("GPU-n-1,NVIDIA,x,0:;", [1], "nobody else is given GPU-n-1;"),
    "one of two": ("GPU-n-0,NVIDIA,1,0:GPU-n-2,NVIDIA:;", [2], "nobody else is given GPU-n-2;"),
    "the card": ("GPU-n", [0, 1, 2], "no such card of node n is given to new pods;"),
    "a card of no node": ("GPU-x,NVIDIA:;", [0, 1, 2], "no such card of node n is given"),
    "one and the other": ("GPU-n-1,x:;,:;", [0, 1, 2], "no such card of node n is given"),
    "all": ("", [0, 1, 2], "no such card of node n is given to new pods;"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_what_is_damaged_is_held_until_it_is_put_right(what: str) -> None:
    text, indices, told = DAMAGED[what]
    pod = bound(text)
    made = seen(pod)
    assert shut(made) == indices
    (record,) = made.pods.damaged()
    assert record.damaged == ("NVIDIA",)
    assert told in records.unreadable(record, made.usage()["n"])
    made.apply(events.PodSeen(pod), 0)
    assert made.pods.damaged() == [record]
    right = bound("GPU-n-1,NVIDIA,30000,30:;")
    made.apply(events.PodSeen(right), 0)
    assert (shut(made), made.pods.damaged()) == ([], [])
    assert made.usage() == seen(right).usage()


def test_who_was_seen_to_hold_cards_keeps_them_and_is_told_of() -> None:
    right = bound("GPU-n-1,NVIDIA,30000,30:;")
    made = seen(right, bound("GPU-n-1,NVIDIA,x,30:;"))
    assert (shut(made), made.usage()) == ([], seen(right).usage())
    (record,) = made.pods.damaged()
    assert "it keeps what it was seen to hold before" in records.unreadable(record, None)
    made.apply(events.PodSeen(bound("GPU-n-1,NVIDIA,1,0:;")), 0)
    assert (made.pods.damaged(), made.usage()) == ([], seen(right).usage())


def test_annotations_that_are_what_they_were_are_not_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pod that runs is told of again and again, and its cards are read once."""
    pod = bound("GPU-n-0,NVIDIA,1000,0:;")
    made = seen(pod)
    reads = 0
    granted = records.granted

    def counted(*given: Any) -> Any:
        nonlocal reads
        reads += 1
        return granted(*given)

    monkeypatch.setattr(records, "granted", counted)
    made.apply(events.PodSeen(pod), 0)
    made.apply(events.PodSeen(msgspec.structs.replace(pod, leaving=True)), 0)
    assert reads == 0
    made.apply(events.PodSeen(msgspec.structs.replace(pod, annotations={"a": "b"})), 0)
    assert reads == 1


def test_what_is_damaged_costs_what_was_asked_or_what_can_be_read() -> None:
    for text, mib in (
        ("GPU-n-1,NVIDIA,x,30:;", 30000),
        ("GPU-n-1,NVIDIA,40000,0:GPU-n-2,x:", 40000),
    ):
        (record,) = seen(bound(text)).records()
        assert record.amounts["nvidia.com/gpumem"] == mib
    (named,) = seen(bound("GPU-n-1,x,30000,30:;")).records()
    assert (named.amounts["nvidia.com/gpumem"], named.damaged) == (30000, ())


def test_cards_that_nobody_asks_for_are_not_held_though_they_are_damaged() -> None:
    made = seen(bound("GPU-n-1,NVIDIA,x,0:;", NONE))
    (record,) = made.records()
    assert (shut(made), record.unasked, record.damaged) == ([], ("GPU-n-1",), ())
    assert list(seen(bound("GPU-n", NONE)).records()) == []


def test_other_families_of_the_node_are_given_as_before() -> None:
    made = seen(bound("GPU-n"))
    (record,) = made.records()
    given = seen().usage()["n"].cards["NVIDIA"]
    found = usage.changed({"NVIDIA": given, "AMD": given}, record.held)
    assert [[card.unread for card in cards] for cards in found.values()] == [[1, 1, 1], [0, 0, 0]]


MOVED = (
    ";A,NVIDIA,30000,30:;",
    ";;A,NVIDIA,30000,30:;",
    "A,NVIDIA,x:;;",
    "GPU-n-1,NVIDIA,1,0:;A,NVIDIA,x:;",
)


@pytest.mark.parametrize("text", MOVED)
def test_entries_that_moved_belong_to_who_asks(text: str) -> None:
    """An entry was lost or doubled, so that cards stand with a container that asks for none."""
    pod = bound(text.replace("A", "GPU-n-0"), SHARE, NONE)
    (record,) = seen(pod).records()
    assert record.unasked == ()
    assert ("GPU-n-0", "slots") in set(record.held)


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
