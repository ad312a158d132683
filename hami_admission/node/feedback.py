"""Priorities: whose launches wait, and whose core limits count (facts/node.md 3.2).

Every PERIOD_SECONDS the regions of a node are looked at together. A task is active on its cards if
it launched a kernel since the last time. Where a task of higher priority (a smaller number) is
active on one of its cards, a task is blocked. Core limits count where the task is not alone: a
higher priority is active there, or more than one of its own. Who is blocked is not active.

Upstream asks ``recent_kernel`` alone, which the library sets only at launches that it limits: who
runs alone, or has no core limit, soon counts as idle, so that equal tasks run without limits and
the first priority blocks nobody. So the time of the last kernel is asked too, and the driver: what
launches whole graphs, or runs one kernel for long, shows only there.

The library holds back only what has a core limit between 1 and 99.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from hami_admission.node import region
from hami_admission.node.region import BLOCKED, LAUNCHED

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from hami_admission.node.region import Region, Write

    Busy = Mapping[str, Set[int]]
    Active = Mapping[str, Counter[int]]
    Writes = dict[str, tuple[Write, ...]]

PERIOD_SECONDS = 5

RECENT_SECONDS = PERIOD_SECONDS + 2
"""A stamp is up to two seconds old when it is fresh: one is written a second, in whole seconds."""


def decide(regions: Mapping[str, Region], *, now: int, busy: Busy) -> Writes:
    """What to write into which region, by its key; what is right already is not written.

    ``regions`` are those of one node; ``now`` is in seconds since 1970; ``busy`` has for each card
    the node's numbers of the processes that the driver saw at work, as ``usage.busy`` gives.
    """
    active: Active = defaultdict(Counter)
    blocked = set()
    for key, each in sorted(regions.items(), key=lambda item: _priority(item[1])):
        if _outranked(each, active):
            blocked.add(key)  # and blocks nobody
            continue
        for uuid in _at_work(each, now, busy):
            active[uuid][_priority(each)] += 1
    return _differing({
        key: (each, BLOCKED, 1)
        if key in blocked
        else (each, _count_down(each), int(_shares(each, active)))
        for key, each in regions.items()
    })


def release(regions: Mapping[str, Region]) -> Writes:
    """What to write when nobody gives feedback any more: nobody waits, all limits count."""
    return _differing({key: (each, max(each.recent_kernel, 0), 1) for key, each in regions.items()})


def _outranked(each: Region, active: Active) -> bool:
    """Is a higher priority active on one of its cards?"""
    priority = _priority(each)
    return any(other < priority for uuid in _uuids(each) for other in active.get(uuid, ()))


def _shares(each: Region, active: Active) -> bool:
    """Is more than one task of its priority active on one of its cards?"""
    priority = _priority(each)
    return any(active[uuid][priority] > 1 for uuid in _uuids(each) if uuid in active)


def _at_work(each: Region, now: int, busy: Busy) -> set[str]:
    """The cards on which the task counts as active."""
    if each.recent_kernel < 0:  # it waits
        return set()
    if _count_down(each) > 0 or _recent(each, now):
        return _uuids(each)
    numbers = {process.host_pid for process in each.processes if process.host_pid > 0}
    return {uuid for uuid in _uuids(each) if not numbers.isdisjoint(busy.get(uuid, ()))}


def _differing(wanted: Mapping[str, tuple[Region, int, int]]) -> Writes:
    found = {}
    for key, (each, recent, switch) in wanted.items():
        writes = []
        if recent != each.recent_kernel:
            writes.append(region.set_recent_kernel(each, recent))
        if switch != each.utilization_switch:
            writes.append(region.set_utilization_switch(each, switch))
        if writes:
            found[key] = tuple(writes)
    return found


def _uuids(each: Region) -> set[str]:
    """Each card once: a task does not count as two."""
    return {card.uuid for card in each.cards}


def _priority(each: Region) -> int:
    """0 is the first; nobody gets ahead of it by a smaller number."""
    return max(each.priority, 0)


def _count_down(each: Region) -> int:
    """One less, and 0 for who was blocked; who writes more than the library does gains nothing."""
    return max(min(each.recent_kernel, LAUNCHED) - 1, 0)


def _recent(each: Region, now: int) -> bool:
    """A stamp ahead of us is of another clock, or made up."""
    return each.last_kernel is not None and 0 <= now - each.last_kernel <= RECENT_SECONDS
