"""What a pod costs its namespace: per card × cards, at the peak of its containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.model import grant as grants_of
from hami_admission.model.amounts import Amounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hami_admission.model.grant import Grant, PodGrants
    from hami_admission.model.names import ResourceNames
    from hami_admission.model.pod import Kind
    from hami_admission.model.request import Request

    Smallest = Callable[[Request], int]
    Names = Mapping[str, ResourceNames]


def of_requests(
    kinds: Sequence[Kind], slots: Sequence[Sequence[Request]], names: Names, smallest: Smallest
) -> Amounts[str]:
    """The charge before placement, by resource name; never more than after it.

    ``smallest`` gives the MiB that a percentage means on the smallest card that could serve.
    """
    return grants_of.peak(
        kinds, [Amounts(_sum(_asked(each, names, smallest) for each in slot)) for slot in slots]
    )


def of_grants(kinds: Sequence[Kind], grants: PodGrants, names: Names) -> Amounts[str]:
    """The charge of what was really given, by resource name."""
    kinds, grants = grants_of.lasting(kinds, grants)
    return grants_of.peak(
        kinds, [Amounts(_sum(_given(each, names) for each in slot)) for slot in grants]
    )


def _asked(request: Request, names: Names, smallest: Smallest) -> dict[str, int]:
    memory = smallest(request) if request.memory_mib is None else request.memory_mib
    own = names[request.vendor]
    amounts = (
        (own.count, max(request.units, 1) if own.places else request.count),
        (own.memory, request.count * own.in_units(memory)),
        (own.cores, request.count * request.cores),
    )
    return {name: value for name, value in amounts if name}


def _given(grant: Grant, names: Names) -> dict[str, int]:
    own = names.get(grant.vendor)
    if own is None:
        return {}
    amounts = (
        (own.count, grant.slots if own.places else 1),
        (own.memory, own.in_units(grant.memory_mib)),
        (own.cores, grant.percent or grant.cores),
    )
    return {name: value for name, value in amounts if name}


def _sum(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    merged: dict[str, int] = {}
    for part in parts:
        for name, value in part.items():
            merged[name] = merged.get(name, 0) + value
    return merged
