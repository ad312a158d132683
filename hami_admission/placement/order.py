"""Which card first? Candidates by policy, ties by index, so that two runs give one answer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hami_admission.model.card import Card
    from hami_admission.model.grant import Grant
    from hami_admission.model.wishes import Weights, Wishes
    from hami_admission.vendors.vendor import Able


def by_policy(able: list[Able], count: int, wishes: Wishes) -> list[Able]:
    """By the sort keys of the pod, the first deciding first (facts/scheduling.md 7.2).

    Binpack: the fullest first; spread: the idlest first; numa: card by card of one NUMA node, of
    the smallest that has ``count`` candidates first.
    """
    keys = wishes.card_order
    if len(keys) == 1 and keys[0] != "numa":
        sign = -1 if keys[0] == "binpack" else 1
        weights = wishes.weights
        keyed = [
            (sign * score(card, grant, weights), card.device.index, n)
            for n, (card, grant) in enumerate(able)
        ]
        keyed.sort()
        return [able[n] for _, _, n in keyed]
    groups = Counter(card.device.numa for card, _ in able)

    def rank(each: Able) -> tuple[object, ...]:
        card, grant = each
        size = groups[card.device.numa]
        own = {
            "binpack": (-score(card, grant, wishes.weights),),
            "spread": (score(card, grant, wishes.weights),),
            "numa": (size < count, size if size >= count else -size, card.device.numa),
        }
        return (*(own[key] for key in keys), card.device.index)

    return sorted(able, key=rank)


def score(card: Card, grant: Grant, weights: Weights) -> float:
    """10 × (slots + cores + memory, each as a share of the card, with the grant counted in).

    Upstream's formula (facts/scheduling.md 7.2), without its defect that a card registered under
    a model name does not count the request. What a card does not have at all counts nothing.
    """
    device = card.device
    found = 0.0
    if device.slots:
        found += weights.slot * (card.slots + 1) / device.slots
    if device.cores:
        found += weights.core * (card.cores + grant.cores) / device.cores
    if device.memory_mib:
        found += weights.memory * (card.memory_mib + grant.memory_mib) / device.memory_mib
    return 10 * found
