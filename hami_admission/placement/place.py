"""One pod on many nodes: who fits, with which cards and score, and why the others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.grant import PodGrants

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MAX_SCORE = 10
"""The highest score that a scheduler extender may give (k8s.io/kube-scheduler/extender/v1)."""


class Placement(msgspec.Struct, frozen=True):
    """Cards on one node, and the node's score before the pod: 0 (empty) to 30 (full)."""

    grants: PodGrants
    score: float


class Plan(msgspec.Struct, frozen=True):
    """The nodes that fit, for the others why not, and the best, which is booked."""

    fits: list[str]
    unfit: dict[str, str]
    best: str | None = None


Rank = tuple[float, str]
"""What sorts the best node first: its score, turned as the policy wants it, then its name."""


OWN_WEIGHT = 1000.0
"""What a family says of a node decides before its fullness does, which is 0 to 30."""


def rank(name: str, score: float, policy: str, own: float = 0.0) -> Rank:
    """The best by the family's own score first; then the fullest for binpack, else the emptiest.

    Ties by name.
    """
    return (-own * OWN_WEIGHT + (-score if policy == "binpack" else score), name)


def priorities(
    ranks: Mapping[str, Rank], names: Collection[str], first: str | None
) -> dict[str, int]:
    """Scores for kube-scheduler: 10 for the booked node alone, the others spread over 0 to 9.

    A node without a rank has 0.
    """
    own = {name: ranks[name][0] for name in names if name in ranks}
    low, high = min(own.values(), default=0.0), max(own.values(), default=0.0)
    span = high - low
    # Most nodes are as full as many others.
    scores = {
        rank: int((MAX_SCORE - 1) * ((high - rank) / span if span else 1))
        for rank in set(own.values())
    }
    found = dict.fromkeys(names, 0) | {name: scores[rank] for name, rank in own.items()}
    if first in found:
        found[first] = MAX_SCORE
    return found
