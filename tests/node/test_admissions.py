"""For whom a question of the kubelet is, by order and by count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hami_admission.node.admissions import Admissions, Asked, Need


def need(container: str, *cards: str) -> Need:
    return Need(container, cards)


def who(found: Asked | None) -> tuple[str, str] | None:
    return None if found is None else (found.uid, found.need.container)


def test_the_first_pod_is_asked_for_first_container_by_container() -> None:
    made = Admissions()
    made.bound("a", [need("init", "1"), need("plain"), need("main", "1", "2")])
    made.bound("b", [need("main", "3")])
    assert who(made.next(1)) == ("a", "init")
    assert who(made.given(["1"])) == ("a", "init")
    assert who(made.next(1)) == ("b", "main")
    assert who(made.next(2)) == ("a", "main")
    assert who(made.given(["1", "2"])) == ("a", "main")
    assert made.next(2) is None


def test_who_has_the_cards_annotated_got_them_though_another_came_first() -> None:
    made = Admissions()
    made.bound("a", [need("main", "1")])
    made.bound("b", [need("main", "2")])
    assert who(made.given(["2"])) == ("b", "main")
    assert who(made.given(["9"])) == ("a", "main")
    assert made.given(["9"]) is None


def test_who_was_taken_in_or_is_gone_is_not_asked_for() -> None:
    made = Admissions()
    made.bound("a", [need("main", "1")])
    made.bound("b", [need("main", "2")])
    made.gone("a")
    made.gone("never seen")
    assert who(made.next(1)) == ("b", "main")
    assert len(made) == 1


def test_told_again_nothing_is_needed_again() -> None:
    made = Admissions()
    made.bound("a", [need("main", "1")])
    made.given(["1"])
    made.bound("a", [need("main", "1")])
    assert made.next(1) is None


def test_the_library_is_left_out_only_where_nobody_whose_turn_it_is_wants_it() -> None:
    made = Admissions()
    assert made.controlled(1)
    made.bound("a", [Need("main", ("1",), controlled=False)])
    assert not made.controlled(1)
    assert made.controlled(2)
    made.bound("b", [Need("main", ("2",))])
    assert made.controlled(1)


counts = st.lists(st.integers(1, 3), min_size=1, max_size=8)


@given(counts)
def test_in_the_order_of_the_watch_each_gets_its_own_cards(needed: list[int]) -> None:
    made = Admissions()
    for n, count in enumerate(needed):
        made.bound(str(n), [need("main", *(f"{n}-{card}" for card in range(count)))])
    for n, count in enumerate(needed):
        asked = made.next(count)
        assert asked is not None
        assert asked.uid == str(n)
        assert made.given(asked.need.cards) == asked
