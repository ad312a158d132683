"""Refusals as values: why a card does not serve, why a pod does not enter."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Reason(StrEnum):
    """Why a card (or a node's set of cards) does not serve.

    Upstream's tags (facts/scheduling.md 12.2, facts/devices.md 1.8), and two of ours:
    ``TopologyNotFit``, where linked cards are required and the free ones are not linked, and
    ``CardUseUnknown``, where the annotations of a pod that has the card cannot be read.
    """

    CARD_NOT_HEALTH = "CardNotHealth"
    CARD_CORDONED = "CardCordoned"
    CARD_USE_UNKNOWN = "CardUseUnknown"
    CARD_TYPE_MISMATCH = "CardTypeMismatch"
    CARD_UUID_MISMATCH = "CardUuidMismatch"
    CARD_SLOTS_EXHAUSTED = "CardTimeSlicingExhausted"
    CARD_INSUFFICIENT_MEMORY = "CardInsufficientMemory"
    CARD_INSUFFICIENT_CORE = "CardInsufficientCore"
    CARD_EXCLUSIVE_CONFLICT = "ExclusiveDeviceAllocateConflict"
    CARD_CORES_EXHAUSTED = "CardComputeUnitsExhausted"
    CARD_CUSTOM_RULE = "CardNotFoundCustomFilterRule"
    CARD_APP_CLASS_MISMATCH = "CardAppClassMismatch"
    CARD_QOS_MISMATCH = "CardQosPolicyMismatch"
    MODE_NOT_FIT = "ModeNotFit"
    CARD_MIG_INFEASIBLE = "CardMigTopologyInfeasible"
    NUMA_NOT_FIT = "NumaNotFit"
    TOPOLOGY_NOT_FIT = "TopologyNotFit"
    NODE_INSUFFICIENT_DEVICE = "NodeInsufficientDevice"
    ALLOCATED_TOO_FEW = "AllocatedCardsInsufficientRequest"
    QUOTA_NOT_FIT = "ResourceQuotaNotFit"


NODE_UNREGISTERED = "node unregistered"
"""Upstream's text for a node that has published no cards."""


class Unfit(msgspec.Struct, frozen=True):
    """A node that cannot serve: how many of its cards failed for which reason."""

    counts: Mapping[Reason, int]
    cards: int

    def __str__(self) -> str:
        """``2/8 CardInsufficientCore, 3/8 CardInsufficientMemory``, sorted by that text."""
        return ", ".join(sorted(f"{n}/{self.cards} {reason}" for reason, n in self.counts.items()))


class Objection(msgspec.Struct, frozen=True):
    """One thing that is wrong with a pod: the field, its value, and what would be right."""

    field: str
    value: str
    advice: str

    def __str__(self) -> str:
        """The form of Kubernetes' own field errors."""
        return f"{self.field}: Invalid value: {self.value}: {self.advice}"


def sentence(objections: tuple[Objection, ...]) -> str:
    """All objections as one line for a human."""
    return "; ".join(str(each) for each in objections)
