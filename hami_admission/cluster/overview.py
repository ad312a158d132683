"""What there is and who has it, as tables: for metrics. A view of one moment, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hami_admission.quota import ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hami_admission.cluster.records import Record
    from hami_admission.cluster.state import Cluster
    from hami_admission.cluster.waiting import Refused
    from hami_admission.model.card import Card
    from hami_admission.model.grant import Grant
    from hami_admission.model.quota import Quota
    from hami_admission.placement.usage import NodeUsage


class Held(NamedTuple):
    """A share of a card and the container (by slot) that holds it."""

    namespace: str
    pod: str
    node: str
    slot: int
    grant: Grant


class Overview(NamedTuple):
    """References into the cluster's state; cheap to take, whatever is made of it later."""

    usage: Sequence[tuple[str, NodeUsage]]
    bound: Sequence[Record]
    quotas: Sequence[Quota]
    drifts: Sequence[tuple[Quota, str, int]]
    exceeded: Sequence[tuple[str, Card]]
    pods: int
    unasked: int
    damaged: int
    twice: int
    bookings: int
    waiting: Sequence[Refused]
    tables: int
    asked: int
    computed: int

    def cards(self) -> Iterator[tuple[str, Card]]:
        """Every card with its node."""
        for node, usage in self.usage:
            for cards in usage.cards.values():
                for card in cards:
                    yield node, card

    def held(self) -> Iterator[Held]:
        """Every share that a bound pod has, as far as it is known of which card."""
        for record in self.bound:
            pod = record.pod
            for slot, grants in enumerate(record.grants):
                for grant in filter(_named, grants):
                    yield Held(pod.namespace, pod.name, pod.node_name, slot, grant)


def _named(grant: Grant) -> bool:
    return bool(grant.uuid)


def _drifts(cluster: Cluster) -> Iterator[tuple[Quota, str, int]]:
    """By resource, what a quota shows beyond what its pods and holds come to, counted just now.

    Of those that we may count: that of others may be right, and ours late.
    """
    for quota in filter(cluster.quotas.may_count, _quotas(cluster)):
        right = ledger.reconcile(quota, cluster.counts(quota)).used
        for name in quota.hard:
            yield quota, name, quota.used.get(name, 0) - right[name]


def _quotas(cluster: Cluster) -> list[Quota]:
    return [quota for name in cluster.quotas.namespaces() for quota in cluster.quotas.of(name)]


def of(cluster: Cluster) -> Overview:
    """The cluster as it is now."""
    return Overview(
        usage=tuple(cluster.usage().items()),
        bound=tuple(record for record in cluster.records() if record.grants),
        quotas=tuple(_quotas(cluster)),
        drifts=tuple(_drifts(cluster)),
        exceeded=tuple((node, card) for node, each in cluster.exceeded().items() for card in each),
        pods=len(cluster.records()),
        unasked=len(cluster.pods.unasked()),
        damaged=len(cluster.pods.damaged()),
        twice=len(cluster.twice),
        bookings=len(cluster.bookings),
        waiting=tuple(refused for _, refused in cluster.waiting),
        tables=len(cluster.tables),
        asked=cluster.tables.asked,
        computed=cluster.tables.computed,
    )
