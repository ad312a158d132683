"""Which cards are healthy now? What happened to them decides, and how long ago that was.

Upstream marks a card unhealthy until its plugin starts again. Here a card comes back when it was
quiet for a while, and a card that keeps turning sick stays out longer (``Options``). The state is a
value: an event or the passing of time makes a new one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from hami_admission.node import facts
from hami_admission.node.facts import DOUBLE_BIT, EventKind
from hami_admission.node.options import APPLICATION_XIDS, MAX_FLAPS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hami_admission.node.facts import CardEvent, CardFacts
    from hami_admission.node.options import Options

XID_OF_ECC = 48
"""The Xid by which the driver reports a double-bit error; what is said of it holds for both."""


class Record(msgspec.Struct, frozen=True):
    """What is remembered of a card to which something happened. Times are unix seconds."""

    reason: str
    last: float
    """When the last error was."""
    until: float
    """From then on it is healthy."""
    turns: tuple[float, ...]
    """When it turned sick, ascending; the last ``MAX_FLAPS`` times."""


class State(msgspec.Struct, frozen=True):
    """The cards of a node, and what happened to some of them."""

    names: dict[str, str] = {}
    """The uuid of the card by each name that events may call it by (``facts.names``)."""
    records: dict[str, Record] = {}


def watch(state: State, cards: Iterable[CardFacts]) -> State:
    """The state with these as the cards of the node; what is known of a card is kept.

    So is what is known of a card that is gone: it may come back, and is no healthier then.
    """
    return msgspec.structs.replace(state, names=facts.names(cards))


def concerned(state: State, event: CardEvent) -> frozenset[str]:
    """The uuids of the cards that an event is about: all if it names none, none if it names a
    card that is not here."""
    if event.card is None:
        return frozenset(state.names.values())
    named = state.names.get(facts.key(event.card))
    return frozenset() if named is None else frozenset({named})


def acts_on(xid: int, options: Options) -> bool:
    """Does this Xid make a card sick? What is enabled by its number or with all others does."""
    enabled, disabled = options.enabled_xids, options.disabled_xids
    if enabled.everything or xid in enabled.codes:
        return True
    return not (disabled.everything or xid in disabled.codes or xid in APPLICATION_XIDS)


def after(state: State, event: CardEvent, options: Options) -> State:
    """The state after an event; the same state if that changes nothing.

    Events of one card may come late or twice: the latest error counts, whenever it is told.
    """
    if not math.isfinite(event.at):
        return state
    if event.kind is EventKind.RECOVERED:
        return _changed(
            state,
            {
                uuid: _forgiven(state.records[uuid], event, options)
                for uuid in concerned(state, event) & state.records.keys()
            },
        )
    reason = _reason(event, options)
    if not reason:
        return state
    return _changed(
        state,
        {
            uuid: _struck(state.records.get(uuid), event.at, reason, options)
            for uuid in concerned(state, event)
        },
    )


def tick(state: State, now: float, options: Options) -> State:
    """The state at this time, without what has no consequence any more.

    What lies ahead of ``now`` was written before the clock was set back; it counts as happening
    now, so that no card stays out for years.
    """
    kept = {
        uuid: _not_ahead(record, now, options)
        for uuid, record in state.records.items()
        if now < max(record.until, record.turns[-1] + options.flap_seconds)
    }
    if kept == state.records:
        return state
    return msgspec.structs.replace(state, records=kept)


def sick(state: State, now: float) -> dict[str, str]:
    """Why cards are not healthy at this time, by uuid; all others are healthy."""
    return {
        uuid: _told(record) for uuid, record in sorted(state.records.items()) if now < record.until
    }


def next_change(state: State, now: float) -> float | None:
    """When a card will be healthy again if nothing happens; None if no card waits for that."""
    return min(
        (record.until for record in state.records.values() if now < record.until), default=None
    )


def _changed(state: State, records: dict[str, Record]) -> State:
    if records.items() <= state.records.items():
        return state
    return msgspec.structs.replace(state, records={**state.records, **records})


def _reason(event: CardEvent, options: Options) -> str:
    """What the event says against a card; empty if nothing.

    A card that is lost is not healthy whatever is ignored: nothing could run on it.
    """
    if event.kind is EventKind.LOST:
        return "lost: the driver cannot reach it"
    if event.kind is EventKind.ECC:
        counts = event.code == DOUBLE_BIT and acts_on(XID_OF_ECC, options)
        return "ECC: a double-bit error in its memory" if counts else ""
    return f"Xid {event.code}" if acts_on(event.code, options) else ""


def _told(record: Record) -> str:
    times = len(record.turns)
    return record.reason if times == 1 else f"{record.reason}; it turned sick {times} times of late"


def _struck(record: Record | None, at: float, reason: str, options: Options) -> Record:
    if record is None:
        return _lasting(Record(reason, at, at, (at,)), options)
    if at < record.last:
        return record
    turns = record.turns
    if at >= record.until:
        recent = (each for each in turns if at - each < options.flap_seconds)
        turns = (*recent, at)[-MAX_FLAPS:]
    return _lasting(Record(reason, at, record.until, turns), options)


def _forgiven(record: Record, event: CardEvent, options: Options) -> Record:
    """It is out for the quiet time yet, and has turned sick once."""
    if event.at < record.last:
        return record
    return _lasting(msgspec.structs.replace(record, turns=record.turns[-1:]), options)


def _lasting(record: Record, options: Options) -> Record:
    """The record with the time until which its last error keeps the card out."""
    beyond = len(record.turns) - options.flap_count + 1
    seconds = options.quiet_seconds << max(beyond, 0)
    longest = max(options.longest_seconds, options.quiet_seconds)
    return msgspec.structs.replace(record, until=record.last + min(seconds, longest))


def _not_ahead(record: Record, now: float, options: Options) -> Record:
    if record.last <= now:
        return record
    turns = tuple(min(each, now) for each in record.turns)
    return _lasting(msgspec.structs.replace(record, last=now, turns=turns), options)
