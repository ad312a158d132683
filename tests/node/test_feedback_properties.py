"""Feedback in any situation: nobody waits for nothing, and nobody waits for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hami_admission.node import feedback
from hami_admission.node.region import V1, Region
from tests.node.regions import NOW, task, written

UUIDS = ("GPU-a", "GPU-b", "GPU-c")

tasks = st.builds(
    task,
    st.integers(-1, 3),
    recent=st.integers(-1, 3),
    switch=st.integers(0, 1),
    ago=st.none() | st.integers(-3, 12),
    cards=st.lists(st.sampled_from(UUIDS), max_size=3).map(tuple),
    host_pids=st.lists(st.integers(0, 5), max_size=2).map(tuple),
)
nodes = st.dictionaries(st.sampled_from("abcdefgh"), tasks, max_size=6)
busies = st.dictionaries(
    st.sampled_from(UUIDS), st.frozensets(st.integers(0, 5), max_size=3), max_size=3
)

Node = dict[str, Region]
Busy = dict[str, frozenset[int]]


def round_of(node: Node, busy: Busy, now: int = NOW) -> Node:
    writes = feedback.decide(node, now=now, busy=busy)
    return {key: written(each, writes.get(key, ())) for key, each in node.items()}


def uuids(each: Region) -> set[str]:
    return {card.uuid for card in each.cards}


@given(nodes, busies)
def test_who_waits_has_a_neighbour_that_goes_first_and_does_not_wait(
    node: Node, busy: Busy
) -> None:
    found = round_of(node, busy)
    for each in found.values():
        if each.recent_kernel < 0:
            assert each.utilization_switch == 1
            assert any(
                max(other.priority, 0) < max(each.priority, 0)
                and other.recent_kernel >= 0
                and uuids(other) & uuids(each)
                for other in found.values()
            )


@given(nodes, busies)
def test_only_the_two_numbers_are_written_and_only_when_they_differ(node: Node, busy: Busy) -> None:
    for key, writes in feedback.decide(node, now=NOW, busy=busy).items():
        now = {
            V1.recent_kernel: node[key].recent_kernel,
            V1.utilization_switch: node[key].utilization_switch,
        }
        assert writes
        assert all(now[write.offset] != write.value for write in writes)
        assert len({write.offset for write in writes}) == len(writes)


@given(nodes, busies)
def test_the_order_of_the_regions_says_nothing(node: Node, busy: Busy) -> None:
    turned = dict(reversed(node.items()))
    assert feedback.decide(turned, now=NOW, busy=busy) == feedback.decide(node, now=NOW, busy=busy)


@given(nodes, busies)
def test_when_all_are_idle_nobody_waits_or_is_limited(node: Node, busy: Busy) -> None:
    later = NOW + 100
    found = round_of(round_of(round_of(node, busy), {}, later), {}, later)
    assert all((each.recent_kernel, each.utilization_switch) == (0, 0) for each in found.values())


@given(nodes, busies)
def test_after_release_nobody_waits_and_all_are_limited(node: Node, busy: Busy) -> None:
    node = round_of(node, busy)
    writes = feedback.release(node)
    for key, each in node.items():
        found = written(each, writes.get(key, ()))
        assert (found.recent_kernel, found.utilization_switch) == (max(each.recent_kernel, 0), 1)
