"""What would make a pod fit: the least change of one thing, each tried on every node."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.verdict import Unfit
from hami_admission.model.wishes import ANY, Topology
from hami_admission.placement import pod as pods
from hami_admission.placement import usage as usages
from hami_admission.quota import charge
from hami_admission.vendors import table
from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hami_admission.cluster.state import Cluster
    from hami_admission.model.amounts import Amounts
    from hami_admission.model.pod import Pod
    from hami_admission.model.request import Request
    from hami_admission.placement.pod import Allows, Demand
    from hami_admission.placement.usage import NodeUsage


class Change(msgspec.Struct, frozen=True):
    """One change that would do: what to change, from what, to what, and a node that fits then."""

    what: str
    asked: str
    enough: str
    node: str


def least(cluster: Cluster, pod: Pod, demand: Demand) -> list[Change]:
    """The single changes after which the pod fits somewhere; none where one is not enough."""
    trial = _Trial(cluster, pod)
    return [
        *_amounts(cluster, trial, demand),
        *_wishes(trial, demand),
        *_repairs(cluster, trial, demand),
        *_quotas(cluster, pod, demand),
    ]


class _Trial:
    """Does a demand fit somewhere?"""

    def __init__(self, cluster: Cluster, pod: Pod) -> None:
        self._cluster = cluster
        self._pod = pod

    def node(self, demand: Demand) -> str | None:
        """A node that fits."""
        allows = self._cluster.allows(self._pod, demand)
        for name, usage in self._cluster.usage().items():
            if self.on(demand, usage, allows):
                return name
        return None

    def on(self, demand: Demand, usage: NodeUsage, allows: Allows | None) -> bool:
        """Does that node fit?"""
        found = pods.on_node(demand, usage.cards, self._cluster.vendors, allows)
        return not isinstance(found, Unfit)


def _amounts(cluster: Cluster, trial: _Trial, demand: Demand) -> Iterator[Change]:
    """Less of one thing, the same in every container that asks more of it."""
    for word in sorted(demand.words):
        names = table.by_word(cluster.vendors, word).names
        own = [each for slot in demand.slots for each in slot if each.vendor == word]
        for what, most, lower in (
            (names.memory, max(each.memory_mib or 0 for each in own), _memory),
            (names.percent, max(map(_percent_of, own)), _percent),
            (names.cores, max(each.cores for each in own), _cores),
            (names.count, max(each.count for each in own), _count),
        ):
            found = _largest(trial, partial(_lowered, demand, word, lower), most)
            if what and found is not None:
                yield Change(what, str(most), f"at most {found[0]}", found[1])


def _largest(trial: _Trial, lowered: Callable[[int], Demand], most: int) -> tuple[int, str] | None:
    """The largest amount from 1 to below ``most`` with which the pod fits, and the node."""
    low, high = 1, most - 1
    best: tuple[int, str] | None = None
    while low <= high:
        amount = low if best is None else (low + high) // 2
        node = trial.node(lowered(amount))
        if node is None and best is None:
            return None
        if node is None:
            high = amount - 1
        else:
            best, low = (amount, node), amount + 1
    return best


def _lowered(
    demand: Demand, word: str, lower: Callable[[Request, int], Request], amount: int
) -> Demand:
    slots = tuple(
        tuple(lower(each, amount) if each.vendor == word else each for each in slot)
        for slot in demand.slots
    )
    return msgspec.structs.replace(demand, slots=slots)


def _memory(request: Request, amount: int) -> Request:
    if request.memory_mib is None:
        return request
    return msgspec.structs.replace(request, memory_mib=min(request.memory_mib, amount))


def _percent_of(request: Request) -> int:
    return request.percent if request.memory_mib is None else 0


def _percent(request: Request, amount: int) -> Request:
    return msgspec.structs.replace(request, percent=min(request.percent, amount))


def _cores(request: Request, amount: int) -> Request:
    return msgspec.structs.replace(request, cores=min(request.cores, amount))


def _count(request: Request, amount: int) -> Request:
    return msgspec.structs.replace(request, count=min(request.count, amount))


def _wishes(trial: _Trial, demand: Demand) -> Iterator[Change]:
    """Without one of the pod's wishes."""
    wishes = demand.wishes
    without: dict[str, dict[str, object]] = {}
    if wishes.numa_bind:
        without["all cards of a container on one NUMA node"] = {"numa_bind": False}
    if wishes.topology is Topology.REQUIRED:
        without["linked cards only"] = {"topology": Topology.PREFERRED}
    for field, what in _SELECTED.items():
        plain = getattr(ANY, field)
        if any(getattr(each, field) != plain for _, each in wishes.selections):
            without[what] = {
                "selections": tuple(
                    (word, msgspec.structs.replace(each, **{field: plain}))
                    for word, each in wishes.selections
                )
            }
    for what, fields in without.items():
        freer = msgspec.structs.replace(wishes, **fields)
        node = trial.node(msgspec.structs.replace(demand, wishes=freer))
        if node is not None:
            yield Change(what, "wished", "not wished", node)


_SELECTED = {
    "types": "only cards of these types",
    "not_types": "no cards of these types",
    "uuids": "only these cards",
    "not_uuids": "not these cards",
    "modes": "cards of this mode",
    "idle": "cards that nobody uses",
}


def _repairs(cluster: Cluster, trial: _Trial, demand: Demand) -> Iterator[Change]:
    """Back in service: on the first node where that is enough, the cards out of it."""
    for name, usage in cluster.usage().items():
        out = [
            (word, card)
            for word in demand.words
            for card in usage.cards.get(word, ())
            if card.device.cordoned or not card.device.healthy
        ]
        if not out:
            continue
        cards = {
            word: tuple(
                msgspec.structs.replace(
                    card,
                    device=msgspec.structs.replace(card.device, cordoned=False, healthy=True),
                )
                for card in each
            )
            for word, each in usage.cards.items()
        }
        if trial.on(demand, usages.NodeUsage(cards, usage.score), None):
            uuids = ", ".join(card.device.uuid for _, card in out)
            yield Change("cards out of service", uuids, "healthy and not cordoned", name)
            return


def _quotas(cluster: Cluster, pod: Pod, demand: Demand) -> Iterator[Change]:
    """More quota: on the node where the least is lacking."""
    names = {vendor.word: vendor.names for vendor in cluster.vendors}
    cheapest: tuple[int, str, Amounts[str]] | None = None
    for name, usage in cluster.usage().items():
        found = pods.on_node(demand, usage.cards, cluster.vendors, None)
        if isinstance(found, Unfit):
            continue
        amounts = charge.of_grants(demand.kinds, found, names)
        lacking = sum(need - left for _, _, need, left in _lacking(cluster, pod, amounts))
        if cheapest is None or lacking < cheapest[0]:
            cheapest = lacking, name, amounts
    if cheapest is None:
        return
    for quota, resource, need, left in _lacking(cluster, pod, cheapest[2]):
        what = f"ResourceQuota {quota}: {keys.QUOTA_PREFIX}{resource}"
        yield Change(what, f"{left} left", f"{need - left} more", cheapest[1])


def _lacking(cluster: Cluster, pod: Pod, amounts: Amounts[str]) -> list[tuple[str, str, int, int]]:
    """Quota, resource, what is needed and what the pod may have."""
    return [
        (quota.name, name, amounts[name], left)
        for quota, each in cluster.left(pod)
        for name, left in each.items()
        if amounts[name] > left
    ]
