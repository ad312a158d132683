"""Device ids and which of them are preferred."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hami_admission.node import ids

UUID = "GPU-8a2c5f0e-3f0a-4a5e-9d55-0123456789ab"


def test_an_id_names_its_card() -> None:
    devices = ids.of_card(UUID, 10)
    assert len(set(devices)) == 10
    assert {ids.card(each) for each in devices} == {UUID}
    assert max(map(len, ids.of_card(UUID, 10_000))) <= 63
    assert ids.card("of somebody else") == "of somebody else"
    assert ids.cards(["a::0", "b::3", "a::1"]) == ["a", "b"]


def test_the_wanted_cards_come_first_then_others_and_no_card_twice_without_need() -> None:
    available = [*ids.of_card("a", 2), *ids.of_card("b", 2), *ids.of_card("c", 2)]
    assert ids.preferred(available, [], 1, {"c"}) == ["c::0"]
    assert ids.preferred(available, [], 2, {"c"}) == ["c::0", "a::0"]
    assert ids.preferred(available, ["a::1"], 2, {"a", "b"}) == ["a::1", "b::0"]
    assert ids.preferred(available, ["a::1"], 2, {"a"}) == ["a::1", "b::0"]
    assert ids.preferred(available, [], 4, set()) == ["a::0", "b::0", "c::0", "a::1"]


def test_shares_are_in_the_order_of_their_numbers() -> None:
    available = [f"a::{n}" for n in (10, 9, 2)]
    assert ids.preferred(available, [], 3, set()) == ["a::2", "a::9", "a::10"]


devices = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 5)).map(lambda x: f"{x[0]}::{x[1]}"),
    unique=True,
)


@given(devices, st.sets(st.sampled_from("abcd")), st.data())
def test_as_many_as_asked_for_with_those_that_must_be_on_as_many_cards_as_there_are(
    available: list[str], wanted: set[str], data: st.DataObject
) -> None:
    size = data.draw(st.integers(0, len(available)))
    must = data.draw(st.permutations(available))[: data.draw(st.integers(0, size))]
    found = ids.preferred(available, must, size, wanted)
    assert len(found) == len(set(found)) == size
    assert set(must) <= set(found) <= set(available)
    assert found == ids.preferred(available[::-1], must, size, wanted)
    cards = len({ids.card(each) for each in available})
    if not must:
        assert len({ids.card(each) for each in found}) == min(size, cards)
        reachable = wanted & {ids.card(each) for each in available}
        assert len(reachable & {ids.card(each) for each in found}) == min(size, len(reachable))
