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
    scores = _scores(able, wishes)
    if len(keys) == 1 and keys[0] != "numa":
        sign = -1 if keys[0] == "binpack" else 1
        keyed = [
            (sign * own, each[0].device.index, n)
            for n, (own, each) in enumerate(zip(scores, able, strict=True))
        ]
        keyed.sort()
        return [able[n] for _, _, n in keyed]
    groups = Counter(card.device.numa for card, _ in able)

    def rank(n: int) -> tuple[object, ...]:
        device = able[n][0].device
        size = groups[device.numa]
        own = {
            "binpack": (-scores[n],),
            "spread": (scores[n],),
            "numa": (size < count, size if size >= count else -size, device.numa),
        }
        return (*(own[key] for key in keys), device.index)

    return [able[n] for n in sorted(range(len(able)), key=rank)]


def _scores(able: list[Able], wishes: Wishes) -> list[float]:
    """Of each candidate; with binpack a card that may serve again is as good as at first.

    So it is filled before another is begun.
    """
    found = [score(card, grant, wishes.weights) for card, grant in able]
    if "binpack" not in wishes.card_order:
        return found
    first: dict[str, float] = {}
    return [
        first.setdefault(card.device.uuid, own) for (card, _), own in zip(able, found, strict=True)
    ]


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
