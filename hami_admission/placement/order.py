"""Which card first? Candidates by policy, ties by index, so that two runs give one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hami_admission.model.card import Card
    from hami_admission.model.grant import Grant
    from hami_admission.model.request import Request

    Able = tuple[Card, Grant]


def by_policy(able: list[Able], request: Request, policy: str) -> list[Able]:
    """Binpack: the fullest first; spread: the idlest first."""
    sign = -1 if policy == "binpack" else 1
    keyed = [
        (sign * score(card, request), card.device.index, n) for n, (card, _) in enumerate(able)
    ]
    keyed.sort()
    return [able[n] for _, _, n in keyed]


def score(card: Card, request: Request) -> float:
    """10 × (slots + cores + memory, each as a share of the card, with the request counted in).

    Upstream's formula with weights of one (facts/scheduling.md 7.2), without its defect that a
    card registered under a model name does not count the request; 0 if a total is zero.
    """
    device = card.device
    if not (device.slots and device.cores and device.memory_mib):
        return 0.0
    return 10 * (
        (card.slots + 1) / device.slots
        + (card.cores + request.cores) / device.cores
        + (card.memory_mib + request.memory_on(device.memory_mib)) / device.memory_mib
    )
