"""What a pod holds, as annotations in upstream's form: the common pair of keys, and one of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.grant import Grant
from hami_admission.wire import details, grants
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hami_admission.model.grant import PodGrants
    from hami_admission.vendors.vendor import Assigned


def standard(
    assigned: Assigned, *, to_allocate: str, allocated: str, more: str = ""
) -> dict[str, str]:
    """The grants under both keys (facts/scheduling.md 11.1), or under the one that there is.

    ``more`` is the key for what upstream's form has no room for; written where there is such.
    """
    text = grants.encode(assigned.grants)
    found = {key: text for key in (to_allocate, allocated) if key}
    rest = details.encode(assigned.grants) if more else ""
    return {**found, more: rest} if rest else found


def recalled(annotations: Mapping[str, str], *, allocated: str, more: str = "") -> PodGrants:
    """The grants by slot; those of a damaged text are ``unread``, never left out."""
    text = annotations.get(allocated)
    if text is None:
        return ()
    found = grants.salvage(text)
    rest = annotations.get(more, "") if more else ""
    try:
        return details.decode(rest, found) if rest else found
    except Malformed:
        return unread(found)


def called(found: PodGrants, word: str) -> PodGrants:
    """The grants under another word: in annotations some families' cards have other names."""

    def named(grant: Grant) -> Grant:
        return grant if grant.vendor == word else msgspec.structs.replace(grant, vendor=word)

    return each(found, named)


def each(found: PodGrants, change: Callable[[Grant], Grant]) -> PodGrants:
    """The grants, each of them changed, where they stand."""
    return tuple(tuple(map(change, slot)) for slot in found)


def unread(found: PodGrants) -> PodGrants:
    """The grants, where nobody can tell how much of each card they are."""
    return each(found, lambda grant: msgspec.structs.replace(grant, unread=True))


def readable(found: PodGrants) -> tuple[int, int]:
    """How many cards can be read, and how many there are."""
    cards = [grant for slot in found for grant in slot]
    return sum(not grant.unread for grant in cards), len(cards)


def last_indices(assigned: Assigned) -> str:
    """The indices of the last container with cards, for annotations that have room for one."""
    last = next(filter(None, reversed(assigned.grants)), ())
    return ",".join(str(assigned.devices[grant.uuid].index) for grant in last)


def masked(found: PodGrants) -> PodGrants:
    """With a mask of the units in place of cores, where plugins want that and nothing else."""
    return each(
        found,
        lambda grant: Grant(grant.uuid, grant.vendor, 0, sum(1 << unit for unit in grant.units)),
    )


def unmasked(found: PodGrants) -> PodGrants:
    """The units of the masks, each a core."""

    def units(grant: Grant) -> Grant:
        if grant.unread:
            return grant
        taken = tuple(n for n in range(grant.cores.bit_length()) if grant.cores >> n & 1)
        return Grant(grant.uuid, grant.vendor, 0, len(taken), taken)

    return each(found, units)
