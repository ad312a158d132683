"""One pod on many nodes: who fits, with which cards and score, and why the others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.grant import PodGrants
from hami_admission.model.verdict import NODE_UNREGISTERED, Unfit
from hami_admission.placement import pod as pods

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hami_admission.placement.usage import NodeUsage
    from hami_admission.vendors.table import Vendors

MAX_SCORE = 10
"""The highest score that a scheduler extender may give (k8s.io/kube-scheduler/extender/v1)."""


class Placement(msgspec.Struct, frozen=True):
    """Cards on one node, and the node's score before the pod: 0 (empty) to 30 (full)."""

    grants: PodGrants
    score: float


class Plan(msgspec.Struct, frozen=True):
    """Per node the placement, or the text why there is none."""

    fits: dict[str, Placement]
    unfit: dict[str, str]


def on_nodes(
    demand: pods.Demand,
    names: Iterable[str],
    nodes: Mapping[str, NodeUsage],
    vendors: Vendors,
    allows: pods.Allows | None,
    damaged: Mapping[str, str],
) -> Plan:
    """The plan for the nodes of these names; one that registered no cards is said to be that.

    ``damaged`` says, by name, why what a node registered cannot be read.
    """
    fits: dict[str, Placement] = {}
    unfit: dict[str, str] = {}
    for name in names:
        node = nodes.get(name)
        if node is None:
            unfit[name] = ": ".join((NODE_UNREGISTERED, *filter(None, [damaged.get(name)])))
            continue
        found = pods.on_node(demand, node.cards, vendors, allows)
        if isinstance(found, Unfit):
            unfit[name] = str(found)
        else:
            fits[name] = Placement(found, node.score)
    return Plan(fits, unfit)


def best(plan: Plan, policy: str) -> str:
    """The node of the best score: the fullest for binpack, else the emptiest; ties by name."""
    sign = -1 if policy == "binpack" else 1
    return min(plan.fits, key=lambda name: (sign * plan.fits[name].score, name))


def priorities(plan: Plan, policy: str) -> dict[str, int]:
    """Scores for kube-scheduler: 10 for the best node alone, the others spread over 0 to 9."""
    if not plan.fits:
        return {}
    first = best(plan, policy)
    scores = [placement.score for placement in plan.fits.values()]
    low, span = min(scores), max(scores) - min(scores)
    found = {}
    for name, placement in plan.fits.items():
        share = (placement.score - low) / span if span else 1.0
        found[name] = int((MAX_SCORE - 1) * (share if policy == "binpack" else 1 - share))
    return {**found, first: MAX_SCORE}
