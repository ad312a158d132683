"""Rules of health that hold for any events in any order."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.node import health
from hami_admission.node.facts import DOUBLE_BIT, SINGLE_BIT, CardEvent, EventKind
from hami_admission.node.health import State
from hami_admission.node.options import APPLICATION_XIDS, Options, Xids
from tests.node.cards import card, uuid

CARDS = tuple(card(n) for n in range(3))
UUIDS = tuple(each.uuid for each in CARDS)
START = health.watch(State(), CARDS)

every_options = st.builds(
    Options,
    quiet_seconds=st.integers(1, 50),
    flap_count=st.integers(2, 4),
    flap_seconds=st.integers(1, 500),
    longest_seconds=st.integers(1, 300),
    disabled_xids=st.sampled_from((Xids(), Xids(frozenset({48})), Xids(everything=True))),
)
times = st.integers(0, 400).map(float)


def events(*uuids: str | None) -> st.SearchStrategy[CardEvent]:
    """Events of these cards."""
    return st.builds(
        CardEvent,
        st.sampled_from(uuids),
        st.sampled_from(tuple(EventKind)),
        st.sampled_from((SINGLE_BIT, DOUBLE_BIT, 13, 48, 79)),
        times,
    )


@dataclass(frozen=True)
class Look:
    """Somebody looks at the time, and at nothing else."""

    at: float


steps = st.lists(events(*UUIDS, None, "GPU-other") | st.builds(Look, times), max_size=25)


def step(state: State, each: CardEvent | Look, options: Options) -> State:
    """The state after an event or a look."""
    if isinstance(each, Look):
        return health.tick(state, each.at, options)
    return health.after(state, each, options)


def critical(event: CardEvent, options: Options) -> bool:
    """By the words of the settings, said once more in another way."""
    match event.kind:
        case EventKind.LOST:
            return True
        case EventKind.RECOVERED:
            return False
        case EventKind.ECC:
            xid = 48 if event.code == DOUBLE_BIT else None
        case EventKind.XID:
            xid = event.code
    disabled = options.disabled_xids
    ignored = disabled.everything or xid in disabled.codes or xid in APPLICATION_XIDS
    return xid is not None and not ignored


@given(steps, every_options)
def test_never_healthy_within_the_quiet_time_after_a_critical_event(
    given_: list[CardEvent | Look], options: Options
) -> None:
    """Time runs forward; how long a card is out is bounded as well."""
    state = START
    last: dict[str, float] = {}
    for each in sorted(given_, key=lambda each: each.at):
        state = step(state, each, options)
        if isinstance(each, CardEvent) and critical(each, options):
            named = UUIDS if each.card is None else (each.card,)
            last.update((name, each.at) for name in named if name in UUIDS)
        now = each.at
        sick = health.sick(state, now)
        longest = max(options.quiet_seconds, options.longest_seconds)
        assert {name for name, at in last.items() if now < at + options.quiet_seconds} <= set(sick)
        assert set(sick) <= {name for name, at in last.items() if now < at + longest}


@given(steps, every_options, st.booleans())
def test_without_events_everything_recovers(
    given_: list[CardEvent | Look], options: Options, looking: bool
) -> None:
    state = START
    for each in given_:
        state = step(state, each, options)
    end = 401.0 + max(options.quiet_seconds, options.longest_seconds)
    if looking:
        state = health.tick(state, 401.0, options)
    assert health.sick(state, end) == {}
    assert health.next_change(state, end) is None
    assert health.tick(state, end + options.flap_seconds, options) == START


@given(
    st.tuples(*(st.lists(events(each), max_size=6) for each in UUIDS)),
    every_options,
    st.randoms(use_true_random=False),
)
def test_events_of_different_cards_do_not_meet(
    lists: tuple[list[CardEvent], ...], options: Options, chance: object
) -> None:
    """Each card's own events stay in order; how those of the cards mix does not matter."""
    one_by_one = START
    for each in lists:
        for event in each:
            one_by_one = health.after(one_by_one, event, options)
    waiting = [list(each) for each in lists if each]
    mixed = START
    while waiting:
        some = chance.choice(waiting)  # type: ignore[attr-defined]
        mixed = health.after(mixed, some.pop(0), options)
        waiting = [each for each in waiting if each]
    assert mixed == one_by_one


@given(steps, every_options, events(*UUIDS, None))
def test_what_is_ignored_changes_nothing(
    given_: list[CardEvent | Look], options: Options, event: CardEvent
) -> None:
    state = START
    for each in given_:
        state = step(state, each, options)
    harmless = event.kind is not EventKind.RECOVERED and not critical(event, options)
    if harmless:
        assert health.after(state, event, options) is state
    stranger = msgspec.structs.replace(event, card=uuid(9))
    assert health.after(state, stranger, options) is state


@given(steps, every_options, times)
def test_the_next_change_is_a_change_and_the_first(
    given_: list[CardEvent | Look], options: Options, now: float
) -> None:
    state = START
    for each in given_:
        state = step(state, each, options)
    until = health.next_change(state, now)
    if until is None:
        assert health.sick(state, now) == {}
    else:
        before = (now + until) / 2
        assert health.sick(state, now) == health.sick(state, before)
        assert len(health.sick(state, until)) < len(health.sick(state, before))


@given(steps, every_options)
def test_little_is_remembered(given_: list[CardEvent | Look], options: Options) -> None:
    state = START
    for each in given_ * 4:
        state = step(state, each, options)
    assert state.records.keys() <= set(UUIDS)
    assert all(1 <= len(each.turns) <= 16 for each in state.records.values())
    assert all(list(each.turns) == sorted(each.turns) for each in state.records.values())
