"""What containers use of the cards of a node: regions, their owners and the driver together."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hami_admission.node.region import Card, Region

SHOWN = "shown"
OWNERLESS = "ownerless"
REPLACED = "replaced"
UNREADABLE = "unreadable"


class Owner(msgspec.Struct, frozen=True, gc=False):
    """The container that a region belongs to, as the kubelet says."""

    namespace: str
    pod: str
    uid: str
    container: str


class Share(msgspec.Struct, frozen=True, gc=False):
    """What the driver says of one process on one card: bytes, and percent of time at work.

    None is what it does not say.
    """

    memory: int | None = None
    sm: int | None = None


class CardUse(msgspec.Struct, frozen=True, kw_only=True):
    """What the driver says of one card now; None is what it does not say.

    ``type`` is as the card is registered. ``memory_used`` and ``memory_size`` are in bytes;
    ``utilization`` and ``memory_utilization`` are the percent of time in which kernels ran, and in
    which memory was read or written. ``processes`` are by the node's numbers.
    """

    uuid: str
    index: int
    type: str
    memory_used: int | None = None
    memory_size: int | None = None
    utilization: int | None = None
    memory_utilization: int | None = None
    processes: dict[int, Share] = {}


class Instance(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A MIG instance of card ``uuid`` that a container has as its card number ``position``."""

    owner: Owner
    position: int
    uuid: str
    mig_uuid: str
    profile: str
    gpu_instance: int
    compute_instance: int


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One container on one card; bytes, percent and seconds.

    ``memory_used`` is what the library counts against ``memory_limit`` (0: none), ``sm`` what it
    last saw; ``driver_memory`` and ``driver_sm`` are the driver's own sums over its processes, None
    where the driver knows none of them. ``core_limit``: 100 is no limit. ``limited``: core limits
    count now; ``blocked``: launches wait for higher priorities. ``idle``: since its last kernel on
    any card, None where none was launched.
    """

    owner: Owner
    position: int
    uuid: str
    memory_used: int
    memory_limit: int
    context: int
    module: int
    data: int
    driver_memory: int | None
    sm: int
    driver_sm: int | None
    core_limit: int
    processes: int
    limited: bool
    blocked: bool
    idle: int | None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A node at one moment.

    ``rows`` are by owner and position; ``regions`` counts them by what became of them;
    ``strange_cards`` are named in regions and not known to the driver.
    """

    cards: tuple[CardUse, ...]
    rows: tuple[Row, ...]
    instances: tuple[Instance, ...]
    regions: dict[str, int]
    strange_cards: int

    def sharing(self) -> Counter[str]:
        """How many containers are on each card."""
        return Counter(uuid for _, uuid in {(row.owner, row.uuid) for row in self.rows})


def busy(cards: Iterable[CardUse]) -> dict[str, frozenset[int]]:
    """By card, the node's numbers of the processes that the driver saw at work."""
    return {
        card.uuid: frozenset(pid for pid, share in card.processes.items() if share.sm)
        for card in cards
    }


def rows(
    regions: Mapping[str, Region],
    owners: Mapping[str, Owner],
    cards: Sequence[CardUse],
    *,
    now: int,
    instances: Iterable[Instance] = (),
    unreadable: int = 0,
) -> Table:
    """The table; ``regions`` and ``owners`` are by the name of the folder.

    ``cards`` must have every card of the node, those too of which nothing can be said now: cards
    that only a region names are left out, as who runs in the container can write any name there.
    ``now`` is in seconds since 1970.
    """
    shown = _shown(regions, owners)
    known = {card.uuid: card for card in cards}
    seen = [(owner, each, card) for owner, each in shown.items() for card in each.cards]
    owned = sum(key in owners for key in regions)
    return Table(
        cards=tuple(cards),
        rows=tuple(
            _row(owner, each, card, known[card.uuid], now)
            for owner, each, card in seen
            if card.uuid in known
        ),
        instances=tuple(instances),
        regions={
            SHOWN: len(shown),
            OWNERLESS: len(regions) - owned,
            REPLACED: owned - len(shown),
            UNREADABLE: unreadable,
        },
        strange_cards=sum(card.uuid not in known for _, _, card in seen),
    )


def _shown(regions: Mapping[str, Region], owners: Mapping[str, Owner]) -> dict[Owner, Region]:
    """By owner; of several under one name, as after a change of cards, the one last at work.

    A metric that appears twice makes the whole answer useless to Prometheus.
    """
    found: dict[tuple[str, str, str], tuple[Owner, Region]] = {}
    for key in sorted(regions.keys() & owners.keys(), key=lambda key: (_worked(regions[key]), key)):
        owner = owners[key]
        found[owner.namespace, owner.pod, owner.container] = (owner, regions[key])
    return dict(found[name] for name in sorted(found))


def _worked(each: Region) -> int:
    return each.last_kernel or 0


def _row(owner: Owner, each: Region, card: Card, facts: CardUse, now: int) -> Row:
    used = [process.used[card.position] for process in each.processes]
    numbers = {process.host_pid for process in each.processes}
    shares = [share for number, share in facts.processes.items() if number in numbers]
    return Row(
        owner=owner,
        position=card.position,
        uuid=card.uuid,
        memory_used=sum(part.total for part in used),
        memory_limit=card.memory_limit,
        context=sum(part.context for part in used),
        module=sum(part.module for part in used),
        data=sum(part.data for part in used),
        driver_memory=_sum(share.memory for share in shares),
        sm=sum(part.sm for part in used),
        driver_sm=_sum(share.sm for share in shares),
        core_limit=card.core_limit if 0 < card.core_limit < 100 else 100,
        processes=len(each.processes),
        limited=each.utilization_switch != 0,
        blocked=each.recent_kernel < 0,
        idle=None if each.last_kernel is None else max(now - each.last_kernel, 0),
    )


def _sum(values: Iterable[int | None]) -> int | None:
    """Of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
