"""What binder and agent write to each other on a Node; what strangers write there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.model.instance import Instance, Place
from hami_admission.wire import instances, keys
from hami_admission.wire.errors import Malformed
from hami_admission.wire.instances import Answer, Failure, Wanted

places = st.builds(
    Place, st.text(max_size=5), st.text(min_size=1, max_size=5), st.integers(0, 60),
    st.integers(1, 4),
)  # fmt: skip
made = st.builds(Instance, places, st.text(max_size=5), st.integers(0, 9), st.integers(0, 9))
failures = st.builds(Failure, st.integers(0, 2**60), st.text(max_size=9))


@given(st.integers(0, 2**62), st.lists(places, max_size=4).map(tuple))
def test_what_is_wanted_round_trips(at: int, found: tuple[Place, ...]) -> None:
    wanted = Wanted(at, found)
    notes = {instances.wanted_key("u"): instances.encode_wanted(wanted), "other": "x"}
    assert instances.all_wanted(notes) == {"u": wanted}


@given(
    st.lists(made, max_size=4, unique_by=lambda each: each.place),
    st.dictionaries(st.text(max_size=4), st.integers(0, 2**60), max_size=3),
    st.dictionaries(st.text(max_size=4), failures, max_size=3),
)
def test_answers_round_trip_and_have_one_text(
    found: list[Instance], ready: dict[str, int], failed: dict[str, Failure]
) -> None:
    text = instances.encode_answer(Answer(tuple(found), ready, failed))
    again = instances.decode_answer(text)
    assert again == Answer(tuple(sorted(found, key=lambda each: each.place)), ready, failed)
    turned = Answer(tuple(found[::-1]), dict(reversed(ready.items())), failed)
    assert instances.encode_answer(turned) == text


@given(st.text(max_size=40))
def test_what_cannot_be_read_is_said(text: str) -> None:
    found = instances.all_wanted({f"{keys.MIG_WANTED}u": text})
    assert list(found) == ["u"]
    try:
        instances.decode_answer(text)
    except Malformed as error:
        assert str(error).startswith("MIG instances: ")


BEYOND = (
    '{"at":1,"places":[{"gpuUUID":"A","profile":"1g","placement":{"start":64,"size":1}}]}',
    '{"at":1,"places":[{"gpuUUID":"A","profile":"1g","placement":{"start":-1,"size":1}}]}',
    '{"at":1,"places":[{"gpuUUID":"A","profile":"","placement":{"start":0,"size":1}}]}',
    '{"at":1,"places":[{"gpuUUID":"A","profile":"1g","placement":{"start":0,"size":0}}]}',
)


@pytest.mark.parametrize("text", BEYOND)
def test_no_such_place(text: str) -> None:
    assert instances.all_wanted({f"{keys.MIG_WANTED}u": text}) == {"u": None}


def test_only_what_a_container_can_use_is_found_by_its_place() -> None:
    place, other = Place("A", "1g", 0, 1), Place("A", "1g", 1, 1)
    usable = Instance(place, "MIG-1", 1, 0)
    assert instances.by_place([usable, Instance(other, "", 2, 0)]) == {place: usable}
