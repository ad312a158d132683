"""Which cards are sick: from the driver's events, with recovery, and with patience for relapses.

A card that had a fault takes no new pods until it has been quiet for a while; each relapse within
an hour doubles that while. Upstream's cards stay out until their plugin restarts (facts/node.md
1.13); the numbers that it ignores, and its two switches, are the same here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hami_admission.node.facts import CardEvent
    from hami_admission.node.options import Options

IGNORED = frozenset({13, 31, 43, 45, 68, 109})
"""Faults of programs, not of cards."""

QUIET_SECONDS, LONGEST_QUIET_SECONDS = 60.0, 3600.0
"""Without a fault before a card serves again, the first time and at most."""

RELAPSE_SECONDS = 3600.0
"""Within which another fault is a relapse."""


class Rules(msgspec.Struct, frozen=True):
    """``ignored`` numbers do not count; ``off`` leaves nothing that counts but a lost card."""

    ignored: frozenset[int] = IGNORED
    off: bool = False


class Illness(msgspec.Struct, frozen=True):
    """Of one card: what it is, the faults that are remembered (unix seconds), and whether the
    driver has lost the card. Without ``until`` it does not end by itself."""

    reason: str
    faults: tuple[float, ...]
    until: float | None


State = dict[str, Illness]


def rules(options: Options) -> Rules:
    """By ``DP_DISABLE_HEALTHCHECKS`` and ``DP_ENABLE_HEALTHCHECKS``: ``all`` or ``xids`` switches
    all off, a number one; what is enabled goes before."""
    disabled = _words(options.disabled_checks)
    enabled = _words(options.enabled_checks)
    numbers = frozenset(int(word) for word in disabled if word.isdecimal())
    again = frozenset(int(word) for word in enabled if word.isdecimal())
    off = bool({"all", "xids"} & disabled) and not enabled
    return Rules((IGNORED | numbers) - again, off)


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in text.split(",") if word.strip())


def after(state: State, event: CardEvent, cards: Iterable[str], rules: Rules) -> State:
    """The state when this has befallen; ``cards`` are all uuids of the node.

    An event that names no card is for all of them; one of a card that is not there for none.
    """
    known = list(cards)
    struck = [event.uuid] if event.uuid else known
    changes = {
        uuid: _struck(state.get(uuid), event)
        for uuid in struck
        if uuid in known and _counts(event, rules)
    }
    return {uuid: each for uuid, each in {**state, **changes}.items() if each is not None}


def _counts(event: CardEvent, rules: Rules) -> bool:
    if event.kind in {"lost", "found"}:
        return True
    return not rules.off and not (event.kind == "xid" and event.code in rules.ignored)


def _struck(before: Illness | None, event: CardEvent) -> Illness | None:
    faults = () if before is None else before.faults
    if event.kind == "found":
        if before is None:
            return None
        return Illness(before.reason, faults, _end(faults, event.at))
    recent = (*(at for at in faults if at > event.at - RELAPSE_SECONDS), event.at)
    until = None if event.kind == "lost" else _end(recent, event.at)
    if before is not None and before.until is None and event.kind != "lost":
        until = None  # what is lost has to be found first
    return Illness(_reason(event), recent, until)


def _end(faults: tuple[float, ...], now: float) -> float:
    """Quiet from now on, twice as long after each relapse."""
    return now + min(QUIET_SECONDS * 2.0 ** max(len(faults) - 1, 0), LONGEST_QUIET_SECONDS)


def _reason(event: CardEvent) -> str:
    if event.kind == "xid":
        return f"Xid {event.code}"
    return {"ecc": "double-bit ECC error", "lost": "the driver cannot reach it"}.get(
        event.kind, event.kind
    )


def sick(state: Mapping[str, Illness], now: float) -> dict[str, str]:
    """The cards that take no new pods, and why."""
    return {
        uuid: each.reason for uuid, each in state.items() if each.until is None or each.until > now
    }


def next_look(state: Mapping[str, Illness], now: float) -> float | None:
    """When a card gets well next if nothing happens; None where nothing is to come."""
    ends = [each.until for each in state.values() if each.until is not None and each.until > now]
    return min(ends, default=None)
