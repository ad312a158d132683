"""Which of the candidates go together: one NUMA node, linked by NVLink, or simply the first."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from hami_admission.model.verdict import Reason
from hami_admission.model.wishes import Topology
from hami_admission.topology import pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hami_admission.model.device import Rows
    from hami_admission.model.wishes import Wishes
    from hami_admission.vendors.vendor import Able


def choose(able: Sequence[Able], count: int, wishes: Wishes) -> Sequence[Able] | Reason:
    """``count`` of the candidates, which come best first.

    Bound to a NUMA node: of one of those that have enough, the one that the order names first.
    By topology: the best linked set of those, or, where linked cards are required, none but one
    that is linked.
    """
    groups = [able]
    if wishes.numa_bind:
        groups = [group for group in _by_numa(able) if len(group) >= count]
        if not groups:
            return Reason.NUMA_NOT_FIT
    if wishes.topology is Topology.IGNORED:
        return groups[0][:count]
    for group in groups:
        linked = _by_links(group, count, wishes.topology)
        if linked is not None:
            return linked
    return Reason.TOPOLOGY_NOT_FIT


def choosy(count: int, wishes: Wishes) -> bool:
    """Preferences refuse nothing, and one card is always together."""
    return count > 1 and (wishes.numa_bind or wishes.topology is Topology.REQUIRED)


def _by_numa(able: Sequence[Able]) -> list[list[Able]]:
    groups: dict[int, list[Able]] = {}
    for each in able:
        groups.setdefault(each[0].device.numa, []).append(each)
    return list(groups.values())


def _by_links(able: Sequence[Able], count: int, topology: Topology) -> Sequence[Able] | None:
    """The best set by the links between its cards; by order alone where no links are known."""
    by_place: dict[int, Able] = {}
    rows: Rows = able[0][0].device.links
    for each in able:
        by_place.setdefault(each[0].device.position, each)
    if not rows or len(by_place) < count or max(by_place) >= len(rows):
        required = topology is Topology.REQUIRED and count > 1
        return None if required else able[:count]
    free = tuple(sorted(by_place))
    if topology is Topology.REQUIRED and _island(rows, free) < count:
        return None
    return [by_place[place] for place in _best(rows, free, count)]


@lru_cache(maxsize=4096)
def _best(rows: Rows, free: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Most nodes of a cluster are wired alike and free alike."""
    return pairs.best(rows, free, count)


@lru_cache(maxsize=4096)
def _island(rows: Rows, free: tuple[int, ...]) -> int:
    return pairs.largest_island(rows, free)
