"""Record: what the cluster keeps of a pod, and how it is read from the pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.cluster import prices
from hami_admission.model import grant as grants_of
from hami_admission.model.amounts import Amounts
from hami_admission.model.grant import CardKey, PodGrants
from hami_admission.model.pod import Pod
from hami_admission.vendors import table
from hami_admission.vendors.table import PodRequests
from hami_admission.vendors.vendor import NOTHING
from hami_admission.wire import keys
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hami_admission.model.pod import Quantity
    from hami_admission.vendors.vendor import Reading

    Price = Callable[[Pod, PodRequests, PodGrants], Amounts[str]]


class Record(msgspec.Struct, frozen=True):
    """A pod that counts: what it asks, where it is, what it holds there and what it costs.

    ``amounts`` are by resource name, ``held`` by card. A pod that waits keeps what decisions read;
    a bound pod keeps no containers, which no decision reads any more.
    """

    pod: Pod
    requests: PodRequests
    grants: PodGrants
    held: Amounts[CardKey]
    amounts: Amounts[str]
    unasked: tuple[str, ...] = ()
    """Cards, by uuid, that the annotations give to containers that do not ask for such: nothing is
    counted for that, and it is told."""

    @property
    def bound(self) -> bool:
        """Has it a node?"""
        return bool(self.pod.node_name)

    @property
    def fixed(self) -> bool:
        """Is it known what it counts before it is bound? It costs the same on whatever card, or
        says what it was admitted with."""
        says = prices.admitted(self.pod, self.requests)
        return says is not None or not prices.varies(self.requests)


def of(pod: Pod, vendors: table.Vendors, before: Record | None, price: Price) -> Record | None:
    """The record of a pod, or None when there is nothing to say of it (ended, or asks nothing).

    What a bound pod was found to hold stays what it holds: its annotations are not read again. But
    it may be given a deadline, and then other quotas count it, or be told to go.
    """
    if pod.ended:
        return None
    if before is not None and before.bound:
        return _again(before, pod)
    readings = table.read(vendors, pod)
    requests = table.requests(readings)
    grants, unasked = granted(pod, vendors, readings) if pod.node_name else ((), ())
    if not any(requests) and not any(grants) and not unasked:
        return None
    kept = _slim(pod) if pod.node_name else bare(pod, vendors)
    held = grants_of.on_cards(pod.kinds, grants) if grants else Amounts()
    amounts = price(pod, requests, grants) if requests else Amounts()
    return Record(kept, requests, grants, held, amounts, unasked)


def granted(
    pod: Pod, vendors: table.Vendors, readings: Mapping[str, Sequence[Reading]]
) -> tuple[PodGrants, tuple[str, ...]]:
    """What the annotations say the pod holds, over all families; nothing where they are damaged.

    A container holds cards of families that it asks, if only in words that we would refuse; others
    are given apart, by uuid: whoever wrote those, it was no scheduler.
    """
    nobody = (NOTHING,) * len(pod.containers)
    slots: list[tuple[grants_of.Grant, ...]] = [()] * len(pod.containers)
    unasked: list[str] = []
    for vendor in vendors:
        try:
            decoded = vendor.recall(pod.annotations)
        except Malformed:
            continue
        asks = [each is not NOTHING for each in readings.get(vendor.word, nobody)]
        # Entries that are not one for each container are older, and nobody knows whose each is.
        owed = asks if len(decoded) == len(asks) else [any(asks)] * len(asks)
        for slot, grants in enumerate(grants_of.seated(pod.kinds, asks, decoded)):
            if owed[slot]:
                slots[slot] += grants
            else:
                unasked += [grant.uuid for grant in grants]
    return tuple(slots) if any(slots) else (), tuple(dict.fromkeys(unasked))


def bare(pod: Pod, vendors: table.Vendors) -> Pod:
    """What decisions read of a pod that waits: what it asks of which families, and its wishes.

    Environment, labels, and what others annotate or give out are a user's to make large.
    """
    asked = [table.by_word(vendors, word) for word in table.read(vendors, pod)]
    names = table.wishes(asked)
    notes = {
        name: text
        for name, text in pod.annotations.items()
        if name in names or name == keys.ADMITTED_AMOUNTS
    }
    containers = tuple(
        msgspec.structs.replace(
            each,
            env=None,
            limits=_owned(each.limits, vendors),
            requests=_owned(each.requests, vendors),
        )
        for each in pod.containers
    )
    return msgspec.structs.replace(pod, containers=containers, annotations=notes, labels={})


def _owned(
    amounts: dict[str, Quantity] | None, vendors: table.Vendors
) -> dict[str, Quantity] | None:
    if amounts is None:
        return None
    return {name: value for name, value in amounts.items() if name in vendors.owners}


def _slim(pod: Pod) -> Pod:
    return msgspec.structs.replace(pod, containers=(), annotations={}, labels={})


def _again(record: Record, pod: Pod) -> Record:
    """The record itself, unless its pod has changed its scope or was told to go."""
    before = record.pod
    changed = msgspec.structs.replace(
        before,
        terminating_scope=pod.terminating_scope,
        leaving=pod.leaving,
        uncounted_after=pod.uncounted_after,
    )
    if changed == before:
        return record
    return msgspec.structs.replace(record, pod=changed)
