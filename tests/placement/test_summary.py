"""The texts of events, and what makes two refusals one event."""

from __future__ import annotations

import pytest

from hami_admission.placement import summary
from hami_admission.placement.place import Placement, Plan


@pytest.mark.parametrize(
    ("unfit", "text", "cause"),
    [
        pytest.param({}, "no available node, 0 nodes do not meet", "", id="nobody was asked"),
        pytest.param(
            {"a": "1/8 CardNotHealth"},
            "no available node, 1 node does not meet: 1 node CardNotHealth(a)",
            "CardNotHealth",
            id="one",
        ),
        pytest.param(
            {"a": "2/8 CardInsufficientCore, 3/8 CardNotHealth", "b": "1/8 CardNotHealth"},
            "no available node, 2 nodes do not meet: "
            "2 nodes CardNotHealth(a,b), 1 node CardInsufficientCore(a)",
            "CardInsufficientCore,CardNotHealth",
            id="a node counts under each of its tags",
        ),
        pytest.param(
            dict.fromkeys("dcba", "node unregistered"),
            "no available node, 4 nodes do not meet: 4 nodes node unregistered(a,b,c,…)",
            "node unregistered",
            id="some names only",
        ),
        pytest.param(
            {"a": "node unregistered: the annotation of its cards is damaged"},
            "no available node, 1 node does not meet: 1 node node unregistered(a)",
            "node unregistered",
            id="what follows a colon is not the cause",
        ),
    ],
)
def test_refused(unfit: dict[str, str], text: str, cause: str) -> None:
    assert summary.refused(unfit) == text
    assert summary.cause(unfit) == cause


def test_numbers_and_nodes_do_not_change_the_cause() -> None:
    before = {"a": "1/8 CardNotHealth, 7/8 CardInsufficientMemory", "b": "node unregistered"}
    after = {"c": "2/8 CardInsufficientMemory", "d": "8/8 CardNotHealth", "b": "node unregistered"}
    assert summary.cause(before) == summary.cause(after)


def test_a_refusal_by_many_nodes_stays_short() -> None:
    unfit = {f"node-{n}": f"8/8 Tag{n % 40}" for n in range(5000)}
    assert len(summary.refused(unfit)) < 1024


def test_placed_and_bound() -> None:
    plan = Plan(["a", "b"], {"c": "node unregistered"}, "a")
    told = summary.placed(plan, Placement((), 12.5))
    assert told == "find fit node(a), 1 node not fit, 2 nodes fit(a:12.50)"
    assert summary.bound("t/p", "a", 12.5) == "Successfully binding node [a] to t/p, score 12.50"
    assert summary.bound("t/p", "a", None) == "Successfully binding node [a] to t/p"
