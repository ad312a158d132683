"""Grant: what one container got of one card; and the peak of what a pod holds at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from hami_admission.model.amounts import Amounts
from hami_admission.model.pod import Kind

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    K = TypeVar("K", bound=Hashable)
else:
    K = TypeVar("K")


class Grant(msgspec.Struct, frozen=True):
    """A share of one card; ``vendor`` is the word that stands in the annotation."""

    uuid: str
    vendor: str
    memory_mib: int
    cores: int


SlotGrants = tuple[Grant, ...]
"""What one container got, in the order in which it sees its cards."""

PodGrants = tuple[SlotGrants, ...]
"""One entry per slot, empty for a container without cards."""

CardKey = tuple[str, str]
"""A card and a dimension: ``("GPU-a", "memory")``."""

SLOTS, MEMORY, CORES = "slots", "memory", "cores"


def peak(kinds: Sequence[Kind], slots: Sequence[Amounts[K]]) -> Amounts[K]:
    """The most a pod holds at any time, as Kubernetes counts native resources (KEP-753).

    An init container runs beside the sidecars declared before it; app containers run beside all
    sidecars. Sidecars are init containers that restart always.
    """
    beside: Amounts[K] = Amounts()
    running: Amounts[K] = Amounts()
    highest: Amounts[K] = Amounts()
    for kind, amounts in zip(kinds, slots, strict=True):
        if kind is Kind.INIT:
            highest = highest.peak(beside.plus(amounts))
        elif kind is Kind.SIDECAR:
            beside = beside.plus(amounts)
            highest = highest.peak(beside)
        else:
            running = running.plus(amounts)
    return highest.peak(beside.plus(running))


def on_cards(kinds: Sequence[Kind], grants: PodGrants) -> Amounts[CardKey]:
    """What a pod holds of each card at its peak: slots, MiB and cores."""
    return peak(kinds, [_of_slot(each) for each in grants])


def _of_slot(grants: SlotGrants) -> Amounts[CardKey]:
    held: dict[CardKey, int] = {}
    for grant in grants:
        for dimension, value in ((SLOTS, 1), (MEMORY, grant.memory_mib), (CORES, grant.cores)):
            held[grant.uuid, dimension] = held.get((grant.uuid, dimension), 0) + value
    return Amounts(held)
