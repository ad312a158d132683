"""Faults, recovery, relapses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.node import health
from hami_admission.node.facts import CardEvent
from hami_admission.node.health import IGNORED, QUIET_SECONDS, Rules, State
from hami_admission.node.options import Options

CARDS = ("a", "b")


def told(*events: CardEvent, rules: Rules | None = None) -> State:
    state: State = {}
    for event in events:
        state = health.after(state, event, CARDS, rules or Rules())
    return state


def xid(code: int = 79, uuid: str = "a", at: float = 0) -> CardEvent:
    return CardEvent(uuid, "xid", code, at)


def test_a_fault_makes_a_card_sick_until_it_was_quiet_for_a_minute() -> None:
    state = told(xid(79, at=100))
    assert health.sick(state, 100) == {"a": "Xid 79"}
    assert health.sick(state, 159) == {"a": "Xid 79"}
    assert health.sick(state, 160) == {}
    assert health.next_look(state, 100) == 160
    assert health.next_look(state, 160) is None


def test_a_relapse_doubles_the_time_up_to_an_hour() -> None:
    state = told(xid(at=0), xid(at=100))
    assert health.sick(state, 219) == {"a": "Xid 79"}
    assert health.sick(state, 220) == {}
    often = told(*(xid(at=n) for n in range(20)))
    assert health.sick(often, 19 + 3599) != {}
    assert health.sick(often, 19 + 3600) == {}
    assert health.sick(told(xid(at=0), xid(at=4000)), 4061) == {}


def test_an_event_without_a_card_is_for_all_and_one_of_a_stranger_for_none() -> None:
    assert health.sick(told(CardEvent("", "ecc")), 0) == dict.fromkeys(
        CARDS, "double-bit ECC error"
    )
    assert told(xid(uuid="stranger")) == {}


def test_a_lost_card_stays_out_until_it_is_found_and_was_quiet() -> None:
    lost = CardEvent("a", "lost", at=0)
    assert health.sick(told(lost), 10**9) == {"a": "the driver cannot reach it"}
    assert health.sick(told(lost, xid(at=5)), 10**9) == {"a": "Xid 79"}
    found = told(lost, CardEvent("a", "found", at=1000))
    assert health.sick(found, 1059) != {}
    assert health.sick(found, 1060) == {}
    assert told(CardEvent("a", "found")) == {}


SWITCHES: dict[str, tuple[str, str, int, bool]] = {
    "a fault of the card": ("", "", 79, True),
    "a fault of a program": ("", "", 31, False),
    "a number that is switched off": ("79, 48", "", 48, False),
    "all are switched off": ("all", "", 79, False),
    "those of this kind are": ("XIDS", "", 79, False),
    "one is switched on again": ("", "31", 31, True),
    "on goes before off": ("79", "79", 79, True),
    "what is no number says nothing": ("often", "", 79, True),
}


@pytest.mark.parametrize("case", SWITCHES.values(), ids=SWITCHES)
def test_the_switches_of_upstream(case: tuple[str, str, int, bool]) -> None:
    disabled, enabled, code, counts = case
    rules = health.rules(Options(disabled_checks=disabled, enabled_checks=enabled))
    assert bool(health.sick(told(xid(code), rules=rules), 0)) is counts


def test_a_lost_card_counts_though_all_checks_are_off() -> None:
    rules = health.rules(Options(disabled_checks="all"))
    assert health.sick(told(CardEvent("a", "lost"), rules=rules), 0)


events = st.lists(
    st.builds(
        CardEvent,
        st.sampled_from(["a", "b", "stranger", ""]),
        st.sampled_from(["xid", "ecc", "lost", "found"]),
        st.sampled_from([31, 48, 79]),
    ),
    max_size=8,
)


def at_times(found: list[CardEvent]) -> list[CardEvent]:
    return [CardEvent(each.uuid, each.kind, each.code, 10.0 * n) for n, each in enumerate(found)]


@given(events)
def test_after_a_fault_no_card_serves_within_the_quiet_time(found: list[CardEvent]) -> None:
    timed = at_times(found)
    state = told(*timed)
    for each in timed:
        if each.kind in {"ecc", "lost"} and each.uuid in CARDS:
            end = timed[-1].at
            if end < each.at + QUIET_SECONDS:
                assert each.uuid in health.sick(state, end)


@given(events)
def test_without_events_every_card_that_is_not_lost_recovers(found: list[CardEvent]) -> None:
    state = told(*at_times(found), *(CardEvent(uuid, "found", at=1000) for uuid in CARDS))
    assert health.sick(state, 1000 + health.LONGEST_QUIET_SECONDS) == {}


@given(events, events)
def test_the_events_of_one_card_are_nothing_to_another(
    of_one: list[CardEvent], of_other: list[CardEvent]
) -> None:
    one = [CardEvent("a", each.kind, each.code, each.at) for each in at_times(of_one)]
    other = [CardEvent("b", each.kind, each.code, each.at) for each in at_times(of_other)]
    assert told(*one, *other) == told(*other, *one)


@given(st.sampled_from(sorted(IGNORED)))
def test_ignored_numbers_change_nothing(code: int) -> None:
    state = told(xid(79))
    assert health.after(state, xid(code, at=5), CARDS, Rules()) == state
