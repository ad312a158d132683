"""Record: what the cluster keeps of a pod, and how it is read from the pod."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

from hami_admission.cluster import prices
from hami_admission.model import grant as grants_of
from hami_admission.model.amounts import Amounts
from hami_admission.model.grant import CardKey, PodGrants
from hami_admission.model.pod import Pod
from hami_admission.vendors import holdings, table
from hami_admission.vendors.table import PodRequests
from hami_admission.vendors.vendor import NOTHING
from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hami_admission.model.pod import Quantity
    from hami_admission.placement.usage import NodeUsage
    from hami_admission.settings import Settings
    from hami_admission.vendors.vendor import Reading

    Price = Callable[[Pod, PodRequests, PodGrants], Amounts[str]]


MOST_CARDS = 8
"""Cards that a message names."""


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
    damaged: tuple[str, ...] = ()
    """Families of whose cards its annotations cannot be read as they are now, and it is told."""
    read: int = 0
    """Of which annotations this was read, if it is bound: others are read again."""

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


def concern(pod: Pod, settings: Settings) -> bool:
    """May the pod count? Of our scheduler all may; of others who has a node and annotations of a
    decision: placed under a name that ours had, or by who gives out the same cards."""
    if pod.scheduler_name in settings.scheduler_names:
        return True
    return bool(pod.node_name) and any(map(keys.reserved, pod.annotations))


def of(pod: Pod, vendors: table.Vendors, before: Record | None, price: Price) -> Record | None:
    """The record of a pod, or None when there is nothing to say of it (ended, or asks nothing).

    What a bound pod was found to hold stays what it holds, whatever its annotations become, unless
    they could not be read and now say something else. But it may be given a deadline, and then
    other quotas count it, or be told to go.
    """
    if pod.ended:
        return None
    text = _fingerprint(pod) if pod.node_name else 0
    if before is not None and before.bound and before.read == text:
        return _again(before, pod, before.damaged, text)
    readings = table.read(vendors, pod)
    requests = table.requests(readings)
    grants, unasked = granted(pod, vendors, readings) if pod.node_name else ((), ())
    damaged = grants_of.unread(grants)
    if before is not None and before.bound and _stays(before, grants):
        return _again(before, pod, damaged, text)
    if not any(requests) and not any(grants) and not unasked:
        return None
    kept = _slim(pod) if pod.node_name else bare(pod, vendors)
    held = grants_of.on_cards(pod.kinds, grants) if grants else Amounts()
    amounts = price(pod, requests, grants) if requests else Amounts()
    return Record(kept, requests, grants, held, amounts, unasked, damaged, text)


def granted(
    pod: Pod, vendors: table.Vendors, readings: Mapping[str, Sequence[Reading]]
) -> tuple[PodGrants, tuple[str, ...]]:
    """What the annotations say the pod holds, over all families.

    A container holds cards of families that it asks, if only in words that we would refuse; others
    are given apart, by uuid: whoever wrote those, it was no scheduler.
    """
    nobody = (NOTHING,) * len(pod.containers)
    slots: list[tuple[grants_of.Grant, ...]] = [()] * len(pod.containers)
    unasked: list[str] = []
    for vendor in vendors:
        decoded = vendor.recall(pod.annotations)
        if not decoded:
            continue
        asks = [each is not NOTHING for each in readings.get(vendor.word, nobody)]
        seated = grants_of.seated(pod.kinds, asks, decoded)
        # Entries that are not one for each container are older, or damaged: nobody knows whose.
        whole = seated is decoded and not grants_of.unread(decoded)
        owed = asks if whole else [any(asks)] * len(asks)
        for slot, grants in enumerate(holdings.called(seated, vendor.word)):
            if owed[slot]:
                slots[slot] += grants
            else:
                unasked += [grant.uuid for grant in grants if grant.uuid]
    return tuple(slots) if any(slots) else (), tuple(dict.fromkeys(unasked))


def unreadable(record: Record, node: NodeUsage | None) -> str:
    """What cannot be read of a pod, and what is made of that; ``node`` is where the pod is."""
    return (
        f"annotations that say which {', '.join(record.damaged)} cards pod {record.pod.key} has"
        f" cannot be read: {_kept(record, node)}; put them right, or delete the pod"
    )


def _kept(record: Record, node: NodeUsage | None) -> str:
    unread = [grant.uuid for slot in record.grants for grant in slot if grant.unread]
    if not unread:
        return "it keeps what it was seen to hold before"
    own = () if node is None else (node.cards.get(word, ()) for word in record.damaged)
    if {*unread} <= {card.device.uuid for cards in own for card in cards}:
        return f"nobody else is given {some(unread)}"
    return f"no such card of node {record.pod.node_name} is given to new pods"


def some(cards: Sequence[str]) -> str:
    """The first of them, with commas."""
    return ", ".join(cards[:MOST_CARDS]) + ", …" * (len(cards) > MOST_CARDS)


def bare(pod: Pod, vendors: table.Vendors) -> Pod:
    """What decisions read of a pod that waits: what it asks of which families, and its wishes.

    Environment, labels, and what others annotate or give out are a user's to make large.
    """
    asked = [table.by_word(vendors, word) for word in table.read(vendors, pod)]
    names = table.wishes(asked)
    notes = {
        name: text
        for name, text in pod.annotations.items()
        if name in names or name.startswith(keys.ADMITTED_PREFIX)
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


def _stays(before: Record, grants: PodGrants) -> bool:
    return not grants_of.unread(before.grants) or grants == before.grants


def _fingerprint(pod: Pod) -> int:
    """Of all annotations: to look whether they are others is far cheaper than to read them."""
    return crc32(repr(sorted(pod.annotations.items())).encode())


def _again(record: Record, pod: Pod, damaged: tuple[str, ...], read: int) -> Record:
    """The record itself, unless its pod has changed its scope, was told to go or was damaged."""
    before = record.pod
    changed = msgspec.structs.replace(
        before,
        terminating_scope=pod.terminating_scope,
        leaving=pod.leaving,
        uncounted_after=pod.uncounted_after,
    )
    if (changed, damaged, read) == (before, record.damaged, record.read):
        return record
    return msgspec.structs.replace(record, pod=changed, damaged=damaged, read=read)
