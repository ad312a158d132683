"""What makes a card sick, and when it is healthy again."""

from __future__ import annotations

from typing import Any

import pytest

from hami_admission.node import health
from hami_admission.node.facts import DOUBLE_BIT, SINGLE_BIT, CardEvent, EventKind
from hami_admission.node.health import State
from hami_admission.node.options import Options, Xids
from tests.node.cards import card, instance, uuid

A, B = uuid(0), uuid(1)
CARDS = health.watch(State(), (card(0, instances=(instance("MIG-1"),)), card(1)))
OPTIONS = Options(quiet_seconds=100, flap_count=3, flap_seconds=10_000, longest_seconds=1000)


def xid(code: int, at: float = 0, card: str | None = A) -> CardEvent:
    """The driver reports an error."""
    return CardEvent(card, EventKind.XID, code, at)


def ecc(code: int) -> CardEvent:
    """The memory of card A was wrong."""
    return CardEvent(A, EventKind.ECC, code, 0)


def lost(at: float = 0, card: str | None = A) -> CardEvent:
    """The driver cannot reach a card."""
    return CardEvent(card, EventKind.LOST, 0, at)


def recovered(at: float, card: str | None = A) -> CardEvent:
    """A card was reset."""
    return CardEvent(card, EventKind.RECOVERED, 0, at)


def after(*events: CardEvent, state: State = CARDS, options: Options = OPTIONS) -> State:
    """The state after these, one after the other."""
    for event in events:
        state = health.after(state, event, options)
    return state


DISABLED = {"disabled_xids": Xids(everything=True)}
CRITICAL: dict[str, tuple[CardEvent, dict[str, Any], str]] = {
    "an Xid": (xid(79), {}, "Xid 79"),
    "an Xid of a program": (xid(13), {}, ""),
    "another": (xid(109), {}, ""),
    "an Xid that the operator ignores": (xid(79), {"disabled_xids": Xids(frozenset({79}))}, ""),
    "an Xid when others are ignored": (xid(79), {"disabled_xids": Xids(frozenset({48}))}, "Xid 79"),
    "all Xids are ignored": (xid(79), DISABLED, ""),
    "all but this one": (xid(79), {**DISABLED, "enabled_xids": Xids(frozenset({79}))}, "Xid 79"),
    "an Xid of a program that is asked for": (
        xid(13),
        {"enabled_xids": Xids(frozenset({13}))},
        "Xid 13",
    ),
    "all are asked for": (xid(13), {**DISABLED, "enabled_xids": Xids(everything=True)}, "Xid 13"),
    "memory that was corrected": (ecc(SINGLE_BIT), {}, ""),
    "memory that was not": (ecc(DOUBLE_BIT), {}, "ECC: a double-bit error in its memory"),
    "memory, ignored like its Xid": (
        ecc(DOUBLE_BIT),
        {"disabled_xids": Xids(frozenset({48}))},
        "",
    ),
    "memory, when all is ignored": (ecc(DOUBLE_BIT), DISABLED, ""),
    "lost": (lost(), {}, "lost: the driver cannot reach it"),
    "lost, whatever is ignored": (lost(), DISABLED, "lost: the driver cannot reach it"),
    "a reset of a healthy card": (recovered(0), {}, ""),
    "a time that is none": (xid(79, at=float("nan")), {}, ""),
    "a time without end": (xid(79, at=float("inf")), {}, ""),
}


@pytest.mark.parametrize("sentence", CRITICAL)
def test_what_makes_sick(sentence: str) -> None:
    event, fields, reason = CRITICAL[sentence]
    state = after(event, options=Options(**fields))
    assert health.sick(state, 0) == ({A: reason} if reason else {})
    assert (state is CARDS) == (not reason)


def test_a_card_is_out_for_the_quiet_time_and_then_back() -> None:
    state = after(xid(79, at=5))
    assert health.next_change(state, 5) == 105
    assert health.sick(state, 104.9) == {A: "Xid 79"}
    assert health.sick(state, 105) == {}
    assert health.next_change(state, 105) is None


def test_another_error_begins_the_quiet_time_again_and_gives_its_reason() -> None:
    state = after(xid(79), xid(48, at=60))
    assert health.sick(state, 159.9) == {A: "Xid 48"}
    assert health.sick(state, 160) == {}


def test_an_error_told_late_changes_nothing() -> None:
    state = after(xid(79, at=60))
    assert after(xid(48, at=0), state=state) is state
    assert after(xid(79, at=60), state=state) is state


@pytest.mark.parametrize("name", ["MIG-1", "00000000:1A:00.0", "0000:1a:00.0", A])
def test_events_name_cards_in_many_ways(name: str) -> None:
    event = xid(79, card=name)
    assert health.concerned(CARDS, event) == {A}
    assert health.sick(after(event), 0) == {A: "Xid 79"}


def test_an_event_without_a_card_is_about_all() -> None:
    state = after(lost(card=None))
    assert health.concerned(CARDS, lost(card=None)) == {A, B}
    assert health.sick(state, 0).keys() == {A, B}


def test_a_card_that_is_not_here_is_nobodys() -> None:
    event = lost(card=uuid(9))
    assert health.concerned(CARDS, event) == frozenset()
    assert after(event) is CARDS


def outages(times: int, options: Options = OPTIONS) -> list[float]:
    """How long card A is out each time, if it turns sick the moment it is back."""
    state, now, found = CARDS, 0.0, []
    for _ in range(times):
        state = after(xid(79, at=now), state=state, options=options)
        until = health.next_change(state, now)
        assert until is not None
        found.append(until - now)
        now = until
    return found


def test_a_card_that_keeps_turning_sick_stays_out_longer_up_to_a_bound() -> None:
    assert outages(7) == [100, 100, 200, 400, 800, 1000, 1000]
    assert outages(40)[-20:] == [1000] * 20


def test_the_bound_is_never_below_the_quiet_time() -> None:
    options = Options(quiet_seconds=100, flap_count=2, longest_seconds=50)
    assert outages(3, options) == [100, 100, 100]


def test_the_reason_tells_of_flapping() -> None:
    state = after(xid(79), xid(79, at=100), xid(48, at=200))
    assert health.sick(state, 300) == {A: "Xid 48; it turned sick 3 times of late"}


def test_errors_while_it_is_out_are_no_further_turns() -> None:
    state = after(*(xid(79, at=10 * n) for n in range(20)))
    assert health.next_change(state, 190) == 190 + 100


def test_no_more_than_sixteen_turns_are_remembered() -> None:
    options = Options(quiet_seconds=1, flap_count=16, flap_seconds=10_000, longest_seconds=1000)
    assert outages(20, options) == [1] * 15 + [2] * 5
    state = after(*(xid(79, at=2 * n) for n in range(20)), options=options)
    assert len(state.records[A].turns) == 16


def test_turns_of_long_ago_do_not_count() -> None:
    state = after(xid(79), xid(79, at=100), xid(79, at=10_099.5))
    assert health.next_change(state, 10_099.5) == 10_099.5 + 100
    state = after(xid(79), xid(79, at=100), xid(79, at=9_999))
    assert health.next_change(state, 9_999) == 9_999 + 200


def test_a_reset_ends_the_longer_time_but_not_the_quiet_one() -> None:
    flapping = after(xid(79), xid(79, at=100), xid(79, at=200))
    assert health.next_change(flapping, 200) == 400
    state = after(recovered(at=210), state=flapping)
    assert health.sick(state, 299) == {A: "Xid 79"}
    assert health.sick(state, 300) == {}
    assert health.next_change(after(xid(79, at=301), state=state), 301) == 401


def test_a_reset_from_before_the_error_ends_nothing() -> None:
    flapping = after(xid(79), xid(79, at=100), xid(79, at=200))
    assert after(recovered(at=199), state=flapping) is flapping


def test_time_takes_away_what_has_no_consequence() -> None:
    state = after(xid(79), xid(79, at=5000, card=B))
    assert health.tick(state, 9_999, OPTIONS) is state
    assert health.tick(state, 10_000, OPTIONS).records.keys() == {B}
    assert health.tick(state, 15_000, OPTIONS) == CARDS


def test_a_clock_that_was_set_back_keeps_no_card_out_for_years() -> None:
    state = after(xid(79, at=1e9), xid(79, at=1e9 + 100), xid(79, at=1e9 + 200))
    state = health.tick(state, 50, OPTIONS)
    assert health.sick(state, 249) == {A: "Xid 79; it turned sick 3 times of late"}
    assert health.sick(state, 250) == {}
    assert health.tick(state, 50, OPTIONS) is state


def test_a_card_that_comes_back_is_no_healthier() -> None:
    gone = health.watch(after(lost()), (card(1),))
    assert health.concerned(gone, lost(card=None)) == {B}
    back = health.watch(gone, (card(0), card(1)))
    assert health.sick(back, 99).keys() == {A}
