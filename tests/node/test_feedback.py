"""Who waits, and whose core limits count (facts/node.md 3.2)."""

from __future__ import annotations

import pytest

from hami_admission.node import feedback, region
from hami_admission.node.region import Region
from tests.node import regions
from tests.node.regions import NOW, task, written

BLOCKED, FREE = -1, 0
LIMITED, UNLIMITED = 1, 0

Tasks = dict[str, Region]
Busy = dict[str, frozenset[int]]


def after(tasks: Tasks, busy: Busy | None = None, now: int = NOW) -> dict[str, tuple[int, int]]:
    """The recent kernel and the switch of each task, when what is to be written is written."""
    writes = feedback.decide(tasks, now=now, busy=busy or {})
    found = {key: written(each, writes.get(key, ())) for key, each in tasks.items()}
    return {key: (each.recent_kernel, each.utilization_switch) for key, each in found.items()}


CASES: dict[str, tuple[Tasks, dict[str, tuple[int, int]]]] = {
    "alone": ({"a": task(recent=2, switch=1)}, {"a": (1, UNLIMITED)}),
    "two that launched": (
        {"a": task(recent=2), "b": task(recent=2)},
        {"a": (1, LIMITED), "b": (1, LIMITED)},
    ),
    "two, one of which has not launched since the last time": (
        {"a": task(recent=2, switch=1), "b": task(recent=1, switch=1)},
        {"a": (1, UNLIMITED), "b": (0, UNLIMITED)},
    ),
    "an idle one beside two that launched": (
        {"a": task(recent=2), "b": task(recent=2), "c": task()},
        {"a": (1, LIMITED), "b": (1, LIMITED), "c": (0, LIMITED)},
    ),
    "two on different cards": (
        {"a": task(recent=2), "b": task(recent=2, cards=("GPU-b",))},
        {"a": (1, UNLIMITED), "b": (1, UNLIMITED)},
    ),
    "one with the same card twice is alone": (
        {"a": task(recent=2, cards=("GPU-a", "GPU-a"))},
        {"a": (1, UNLIMITED)},
    ),
    "a higher priority blocks a lower one": (
        {"high": task(0, recent=2), "low": task(1, recent=2)},
        {"high": (1, UNLIMITED), "low": (BLOCKED, LIMITED)},
    ),
    "whatever their names": (
        {"a": task(1, recent=2), "z": task(0, recent=2)},
        {"a": (BLOCKED, LIMITED), "z": (1, UNLIMITED)},
    ),
    "on another card it does not": (
        {"high": task(0, recent=2), "low": task(1, recent=2, cards=("GPU-b",))},
        {"high": (1, UNLIMITED), "low": (1, UNLIMITED)},
    ),
    "on the second card of two it does": (
        {
            "high": task(0, recent=2, cards=("GPU-b",)),
            "low": task(1, recent=2, cards=("GPU-a", "GPU-b")),
            "other": task(1, recent=2, cards=("GPU-a",)),
        },
        {"high": (1, UNLIMITED), "low": (BLOCKED, LIMITED), "other": (1, UNLIMITED)},
    ),
    "an idle higher priority lets go whom it blocked": (
        {"high": task(0, recent=1), "low": task(1, recent=BLOCKED, switch=1)},
        {"high": (0, UNLIMITED), "low": (FREE, UNLIMITED)},
    ),
    "who waits is not active, whatever it did last": (
        {
            "middle": task(1, recent=BLOCKED, ago=1, host_pids=(7,)),
            "low": task(2, recent=BLOCKED),
        },
        {"middle": (FREE, UNLIMITED), "low": (FREE, UNLIMITED)},
    ),
    "who is blocked blocks nobody": (
        {
            "high": task(0, recent=2, cards=("GPU-b",)),
            "middle": task(1, recent=2, cards=("GPU-a", "GPU-b")),
            "low": task(2, recent=2, cards=("GPU-a",)),
        },
        {"high": (1, UNLIMITED), "middle": (BLOCKED, LIMITED), "low": (1, UNLIMITED)},
    ),
    "more priorities than two": (
        {"3": task(3, recent=2), "5": task(5, recent=2), "9": task(9, recent=2)},
        {"3": (1, UNLIMITED), "5": (BLOCKED, LIMITED), "9": (BLOCKED, LIMITED)},
    ),
    "nobody gets ahead of the first priority": (
        {"a": task(0, recent=2), "sly": task(-9, recent=2)},
        {"a": (1, LIMITED), "sly": (1, LIMITED)},
    ),
    "nor stays recent for years": ({"sly": task(recent=2**31 - 1)}, {"sly": (1, UNLIMITED)}),
    "a switch that is neither 0 nor 1": ({"a": task(switch=77)}, {"a": (0, UNLIMITED)}),
    "nothing": ({}, {}),
}


@pytest.mark.parametrize("sentence", CASES)
def test_decisions(sentence: str) -> None:
    tasks, expected = CASES[sentence]
    assert after(tasks, {"GPU-a": frozenset({7})}) == expected


def test_equal_tasks_whose_launches_are_not_limited() -> None:
    """The library leaves ``recent_kernel`` alone at such launches; the stamp tells."""
    tasks = {"a": task(ago=1), "b": task(ago=2)}
    assert after(tasks) == {"a": (0, LIMITED), "b": (0, LIMITED)}


def test_a_higher_priority_without_a_core_limit() -> None:
    tasks = {"high": task(0, ago=0), "low": task(1, recent=2)}
    assert after(tasks)["low"] == (BLOCKED, LIMITED)


STAMPS = {
    "now": (0, True),
    "in the round before": (feedback.RECENT_SECONDS, True),
    "long ago": (feedback.RECENT_SECONDS + 1, False),
    "never": (None, False),
    "ahead of us": (-1, False),
}


@pytest.mark.parametrize("sentence", STAMPS)
def test_stamps(sentence: str) -> None:
    ago, active = STAMPS[sentence]
    tasks = {"high": task(0, ago=ago), "low": task(1, recent=2)}
    assert after(tasks)["low"] == ((BLOCKED, LIMITED) if active else (1, UNLIMITED))


SEEN: dict[str, tuple[Busy, bool]] = {
    "at work on the card": ({"GPU-a": frozenset({7, 8})}, True),
    "at work on another card": ({"GPU-b": frozenset({7})}, False),
    "others at work on the card": ({"GPU-a": frozenset({8, 0})}, False),
    "nobody at work": ({"GPU-a": frozenset()}, False),
}


@pytest.mark.parametrize("sentence", SEEN)
def test_processes_that_the_driver_sees_at_work(sentence: str) -> None:
    """Graphs and long kernels leave no trace in the region; a process without a number has 0."""
    busy, active = SEEN[sentence]
    tasks = {"high": task(0, ago=900, host_pids=(0, 7)), "low": task(1, recent=2)}
    assert after(tasks, busy)["low"] == ((BLOCKED, LIMITED) if active else (1, UNLIMITED))


def test_what_is_right_is_not_written() -> None:
    tasks = {
        "high": task(0, ago=0),
        "waits": task(1, recent=BLOCKED, switch=1),
        "limits": task(1, recent=BLOCKED),
    }
    writes = feedback.decide(tasks, now=NOW, busy={})
    assert writes == {"limits": (region.set_utilization_switch(tasks["limits"], 1),)}


def test_nobody_waits_when_nobody_gives_feedback_any_more() -> None:
    """A limit that does not count would not count again either."""
    tasks = {
        "waits": task(recent=BLOCKED, switch=1),
        "alone": task(recent=1, switch=0),
        "right": task(recent=2, switch=1),
    }
    writes = feedback.release(tasks)
    assert writes == {
        "waits": (region.set_recent_kernel(tasks["waits"], 0),),
        "alone": (region.set_utilization_switch(tasks["alone"], 1),),
    }


@pytest.mark.parametrize("version", regions.VERSIONS)
def test_once_through_in_bytes(version: tuple[int, int]) -> None:
    """Two files as the library makes them; version 0 has no stamps, and launches show anyway."""
    files = {
        "high": regions.file(regions.new(version, priority=0)),
        "low": regions.file(regions.new(version)),
    }
    found = {key: region.read(data) for key, data in files.items()}
    tasks = {key: each for key, each in found.items() if each}
    for key, writes in feedback.decide(tasks, now=NOW, busy={}).items():
        for write in writes:
            head, tail = files[key][: write.offset], files[key][write.offset + 4 :]
            files[key] = head + write.data + tail
    high, low = (region.read(data) for data in files.values())
    assert high is not None
    assert low is not None
    assert (high.recent_kernel, high.utilization_switch) == (1, UNLIMITED)
    assert (low.recent_kernel, low.utilization_switch) == (BLOCKED, LIMITED)
