"""All checks in turn, and what the findings come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.doctor import (
    nodes,
    others,
    pods,
    policies,
    quotas,
    reach,
    replicas,
    senders,
    server,
    webhooks,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hami_admission.doctor.finding import Finding
    from hami_admission.doctor.seen import Observed

_CHECKS = (
    server,
    webhooks,
    reach,
    senders,
    policies,
    replicas,
    nodes,
    pods,
    quotas,
    others,
)
"""What others stand on comes first."""


def diagnose(observed: Observed) -> tuple[Finding, ...]:
    """Every check says something, if only that it could not look."""
    return tuple(found for check in _CHECKS for found in check.check(observed))


def sound(findings: Sequence[Finding]) -> bool:
    """Is there no problem? Warnings, and what nobody could look at, are none."""
    return all(each.level != "problem" for each in findings)
