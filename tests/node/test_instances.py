"""Which MIG instances are made, and which make room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.model.instance import Instance, Place
from hami_admission.node import instances
from hami_admission.node.instances import FORGOTTEN_SECONDS, Plan
from hami_admission.wire.instances import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable

LOW, HIGH = Place("A", "3g.20gb", 0, 4), Place("A", "3g.20gb", 4, 4)
WHOLE = Place("A", "7g.40gb", 0, 8)
MEDIA = Place("A", "3g.20gb+me", 0, 4)
ELSEWHERE = Place("B", "7g.40gb", 0, 8)


def made(*places: Place, uuid: str = "MIG-1") -> tuple[Instance, ...]:
    return tuple(Instance(place, uuid, 1, 0) for place in places)


def asked(*places: Place, at: int = 1) -> Wanted:
    return Wanted(at, places)


PLANS: dict[str, tuple[Plan, Plan]] = {
    "nobody wants anything": (instances.plan(made(LOW), (), {}), Plan((), (), False)),
    "what is there is used": (
        instances.plan(made(LOW), (), {"a": asked(LOW)}), Plan((), (), False),
    ),
    "what is missing is made": (
        instances.plan((), (), {"a": asked(LOW, HIGH)}), Plan((), (LOW, HIGH), False),
    ),
    "what is idle makes room": (
        instances.plan(made(LOW, HIGH, ELSEWHERE), (), {"a": asked(WHOLE)}),
        Plan(made(LOW, HIGH), (WHOLE,), False),
    ),
    "another size at the same place makes room": (
        instances.plan(made(LOW), (), {"a": asked(MEDIA)}), Plan(made(LOW), (MEDIA,), False),
    ),
    "what a pod has stays, and who is in its way waits": (
        instances.plan(made(LOW), [LOW], {"a": asked(WHOLE)}), Plan((), (), True),
    ),
    "a pod's instance that is gone, as after a restart of the node, is made again": (
        instances.plan((), [LOW], {}), Plan((), (LOW,), False),
    ),
    "the place of a pod that ends goes to the next without waiting": (
        instances.plan(made(LOW), [LOW], {"a": asked(LOW)}), Plan((), (), False),
    ),
    "who was asked for last has the place": (
        instances.plan((), (), {"a": asked(WHOLE, at=1), "b": asked(LOW, at=2)}),
        Plan((), (LOW,), False),
    ),
    "half an instance is made anew": (
        instances.plan(made(LOW, uuid=""), (), {"a": asked(LOW)}),
        Plan(made(LOW, uuid=""), (LOW,), False),
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", PLANS)
def test_plans(sentence: str) -> None:
    found, expected = PLANS[sentence]
    assert found == expected


places = st.builds(
    Place, st.sampled_from("AB"), st.sampled_from(("1g", "2g")), st.integers(0, 6),
    st.integers(1, 2),
)  # fmt: skip


def apart(given: Iterable[Place]) -> list[Place]:
    found: list[Place] = []
    for place in given:
        if not any(place.overlaps(other) for other in found):
            found.append(place)
    return found


@given(
    st.lists(places).map(apart),
    st.lists(places).map(apart),
    st.dictionaries(st.sampled_from("abc"), st.lists(places, max_size=3).map(apart)),
)
def test_a_plan_can_be_carried_out_and_then_nothing_is_left_to_do(
    present: list[Place], held: list[Place], wanted: dict[str, list[Place]]
) -> None:
    asks = {uid: Wanted(at, tuple(each)) for at, (uid, each) in enumerate(wanted.items())}
    there = set(made(*present))
    found = instances.plan(there, held, asks)
    assert not {each.place for each in found.destroy} & set(held)
    there -= set(found.destroy)
    for place in found.make:
        assert not any(place.overlaps(each.place) for each in there)
        there |= set(made(place))
    assert set(held) <= {each.place for each in there}
    again = instances.plan(there, held, asks)
    assert (again.destroy, again.make) == ((), ())
    if asks and not found.waits:
        newest = max(asks, key=lambda uid: asks[uid].at)
        assert newest in instances.ready(there, asks)


def test_ready_is_who_has_all_that_was_asked_for() -> None:
    wanted = {"a": asked(LOW, at=5), "b": asked(LOW, HIGH, at=6)}
    assert instances.ready(made(LOW), wanted) == {"a": 5}
    assert instances.ready(made(LOW, uuid=""), wanted) == {}


def test_who_arrived_or_does_not_come_is_not_asked_for_any_more() -> None:
    wanted = {"arrived": asked(LOW), "comes": asked(HIGH), "damaged": None}
    seen = instances.seen({}, wanted, 100.0)
    assert instances.done(seen, wanted, ["arrived"], 101.0) == ["arrived", "damaged"]
    later = instances.seen(seen, wanted, 120.0)
    assert instances.done(later, wanted, (), 100.0 + FORGOTTEN_SECONDS) == ["damaged"]
    end = 100.1 + FORGOTTEN_SECONDS
    assert instances.done(later, wanted, (), end) == ["arrived", "comes", "damaged"]
    anew = instances.seen(later, {"comes": asked(HIGH, at=2)}, end)
    assert instances.done(anew, {"comes": asked(HIGH, at=2)}, (), end) == []
