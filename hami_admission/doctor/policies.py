"""Do the policies hold that guard the cluster while we are away?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.doctor import finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hami_admission.doctor.finding import Finding
    from hami_admission.doctor.objects import Policy
    from hami_admission.doctor.seen import Observed

GUARDS = {
    "hami-admission": "accelerator pods that were not rewritten get whole cards",
    "hami-admission-annotations": "users can forge which cards a pod has",
    "hami-admission-devices": "users can name cards that they were not given",
    "hami-admission-nodes": "whoever may write nodes can forge what they offer",
}
"""The policies of webhooks/policy.yaml, and what is possible without each."""

_CHECK = "policies"
_APPLY = "kubectl apply -f webhooks/policy.yaml"


def check(observed: Observed) -> list[Finding]:
    """Each policy with its binding."""
    looked_at = "validatingadmissionpolicies"
    for seen in (observed.policies, observed.bindings):
        if seen.absent:
            do = "update the cluster to 1.30: without them nothing holds while we are away"
            return [finding.warning(_CHECK, looked_at, "the API server has none of these", do)]
        if seen.value is None:
            return [finding.unknown(_CHECK, looked_at, seen.why)]
    found = {each.name: each for each in observed.policies.value or ()}
    return [each for name in GUARDS for each in _guard(observed, name, found.get(name))]


def _guard(observed: Observed, name: str, policy: Policy | None) -> Iterator[Finding]:
    looked_at = f"validatingadmissionpolicy {name}"
    if policy is None:
        yield finding.problem(_CHECK, looked_at, f"not there: {GUARDS[name]}", _APPLY)
        return
    bound = any(
        each.spec.policy_name == name and "Deny" in (each.spec.validation_actions or ())
        for each in observed.bindings.value or ()
    )
    typing = policy.status.type_checking
    if not bound:
        text = f"no binding makes it deny anything: {GUARDS[name]}"
        yield finding.problem(_CHECK, looked_at, text, _APPLY)
    elif policy.spec.failure_policy != "Fail":
        text = f"failurePolicy {policy.spec.failure_policy}: it lets pass what it cannot judge"
        yield finding.problem(_CHECK, looked_at, text, _APPLY)
    elif typing is not None and typing.expression_warnings:
        said = typing.expression_warnings[0].get("warning", "")
        text = f"the API server doubts an expression: {' '.join(said.split())[:200]}"
        yield finding.warning(_CHECK, looked_at, text, _APPLY)
    else:
        yield finding.ok(_CHECK, looked_at, "bound, denies")
