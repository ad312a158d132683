"""One pod on many nodes: who fits, with which cards and score, and why the others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.grant import PodGrants

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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


def rank(name: str, score: float, policy: str) -> Rank:
    """The fullest first for binpack, else the emptiest; ties by name."""
    return (-score if policy == "binpack" else score, name)


def priorities(
    ranks: Mapping[str, Rank], names: Iterable[str], first: str | None
) -> dict[str, int]:
    """Scores for kube-scheduler: 10 for the booked node alone, the others spread over 0 to 9.

    A node without a rank has 0.
    """
    named = list(names)
    known = [ranks[name][0] for name in named if name in ranks]
    if not known:
        return dict.fromkeys(named, 0)
    low, span = min(known), max(known) - min(known)
    found = {}
    for name in named:
        own = ranks.get(name)
        share = 0.0 if own is None else 1.0 - (own[0] - low) / span if span else 1.0
        found[name] = MAX_SCORE if name == first else int((MAX_SCORE - 1) * share)
    return found
