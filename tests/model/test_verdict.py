"""Refusals and their text."""

from __future__ import annotations

from hami_admission.model.verdict import NODE_UNREGISTERED, Objection, Reason, Unfit, sentence


def test_reasons_are_counted_and_sorted_by_their_text() -> None:
    """Facts 23, row Reason."""
    counts = {
        Reason.CARD_NOT_HEALTH: 3,
        Reason.CARD_INSUFFICIENT_MEMORY: 3,
        Reason.CARD_INSUFFICIENT_CORE: 2,
    }
    assert (
        str(Unfit(counts, 8))
        == "2/8 CardInsufficientCore, 3/8 CardInsufficientMemory, 3/8 CardNotHealth"
    )
    assert str(Unfit({}, 8)) == ""


def test_upstreams_tags_are_spelled_as_upstream_spells_them() -> None:
    """Facts 12.2: dashboards and users search for them. TopologyNotFit and CardUseUnknown are
    ours."""
    assert {reason.value for reason in Reason} == {
        "CardNotHealth",
        "CardCordoned",
        "CardUseUnknown",
        "CardMigTopologyInfeasible",
        "NumaNotFit",
        "TopologyNotFit",
        "CardTypeMismatch",
        "CardUuidMismatch",
        "CardTimeSlicingExhausted",
        "CardInsufficientMemory",
        "CardInsufficientCore",
        "ExclusiveDeviceAllocateConflict",
        "CardComputeUnitsExhausted",
        "NodeInsufficientDevice",
        "AllocatedCardsInsufficientRequest",
        "ResourceQuotaNotFit",
        "CardNotFoundCustomFilterRule",
        "CardAppClassMismatch",
        "CardQosPolicyMismatch",
        "ModeNotFit",
    }
    assert NODE_UNREGISTERED == "node unregistered"


def test_objections_read_like_kubernetes_field_errors() -> None:
    one = Objection("spec.a", "-1", "must be 0 or more")
    two = Objection("spec.b", "x", "leave it out")
    assert str(one) == "spec.a: Invalid value: -1: must be 0 or more"
    assert sentence((one, two)) == f"{one}; {two}"
    assert sentence(()) == ""
