"""Do both webhooks get the pods that they should, and no others?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hami_admission.doctor import finding
from hami_admission.vendors import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hami_admission.doctor.finding import Finding
    from hami_admission.doctor.objects import Configuration, Hook, Rule
    from hami_admission.doctor.seen import Observed, Seen

NAME = "hami-admission"
"""Of both configurations, of the Service and of the Deployment."""

_CHECK = "webhooks"
_NAMESPACE = "kubernetes.io/metadata.name"


class Kind(NamedTuple):
    """One of the two: what it is called, and where its manifest is."""

    word: str
    path: str
    file: str


MUTATING = Kind("mutatingwebhookconfiguration", "/mutate", "webhooks/mutating.yaml")
VALIDATING = Kind("validatingwebhookconfiguration", "/validate", "webhooks/validating.yaml")


def check(observed: Observed) -> list[Finding]:
    """Both configurations, and what other webhooks may take."""
    return [
        *_configuration(observed, MUTATING, observed.mutating),
        *_configuration(observed, VALIDATING, observed.validating),
        *_slow_others(observed),
    ]


def ours(seen: Seen[list[Configuration]]) -> Configuration | None:
    """Ours among all, if it is there."""
    return next((each for each in seen.value or () if each.name == NAME), None)


def _configuration(
    observed: Observed, kind: Kind, seen: Seen[list[Configuration]]
) -> Iterator[Finding]:
    looked_at = f"{kind.word} {NAME}"
    apply = f"kubectl apply -f {kind.file}"
    if seen.value is None:
        yield finding.unknown(_CHECK, looked_at, seen.why)
        return
    found = ours(seen)
    if found is None:
        yield finding.problem(_CHECK, looked_at, "not there: pods do not come to us", apply)
        return
    if not found.webhooks:
        yield finding.problem(_CHECK, looked_at, "has no webhooks", apply)
    flaws = 0
    for hook in found.webhooks or ():
        for level, text, do in _flaws(observed, kind, hook):
            flaws += 1
            make = finding.problem if level == "problem" else finding.warning
            yield make(_CHECK, f"{looked_at}: {hook.name}", text, do or apply)
    if found.webhooks and not flaws:
        yield finding.ok(_CHECK, looked_at, "as it should be")


_Flaw = tuple[str, str, str]
"""Level, text, and what to do where that is not to apply the manifest anew."""


def _flaws(observed: Observed, kind: Kind, hook: Hook) -> Iterator[_Flaw]:
    yield from _way(observed, kind, hook)
    if hook.failure_policy != "Fail":
        yield (
            "problem",
            f"failurePolicy {hook.failure_policy}: a pod that we miss gets whole cards, uncounted",
            "",
        )
    if hook.side_effects not in {"None", "NoneOnDryRun"}:
        yield "problem", f"sideEffects {hook.side_effects}: dry runs are refused", ""
    if hook.timeout_seconds <= observed.settings.review_seconds:
        yield (
            "warning",
            f"timeoutSeconds {hook.timeout_seconds}: a review may take"
            f" {observed.settings.review_seconds:g} s",
            "",
        )
    if not any(map(_takes_pods, hook.rules or ())):
        yield "problem", "no rule for the creation of pods", ""
    yield from _namespaces(observed, hook)
    yield from _conditions(observed, hook)


def _way(observed: Observed, kind: Kind, hook: Hook) -> Iterator[_Flaw]:
    config = hook.client_config
    if config.service is not None:
        target = (config.service.namespace, config.service.name, config.service.path or "/")
        if target != (observed.namespace, NAME, kind.path):
            text = "leads to {}/{}{}, not to {}/{}{}".format(
                *target, observed.namespace, NAME, kind.path
            )
            yield "warning", text, "if that is not meant: kubectl apply -f " + kind.file
    if not config.ca_bundle and config.service is not None:
        yield (
            "problem",
            "caBundle is empty: the API server trusts nobody",
            f"hami-admission puts it in once it runs: kubectl -n {observed.namespace}"
            f" logs deployment/{NAME}",
        )


def _takes_pods(rule: Rule) -> bool:
    creation = {"CREATE", "*"} & {*(rule.operations or ())}
    return bool(creation and {"pods", "*", "*/*"} & {*(rule.resources or ())})


def _namespaces(observed: Observed, hook: Hook) -> Iterator[_Flaw]:
    selector = hook.namespace_selector
    terms = (selector.match_expressions or ()) if selector is not None else ()
    left_out = {
        value
        for term in terms
        if term.key == _NAMESPACE and term.operator == "NotIn"
        for value in term.values or ()
    }
    missing = {"kube-system", observed.namespace} - left_out
    if missing:
        names = " and ".join(sorted(missing))
        yield "warning", f"is asked about pods of {names} too: these must start without us", ""
    others = sorted({
        term.key for term in terms if not (term.key == _NAMESPACE and term.operator == "NotIn")
    })
    wanted = [key for key in others if key != "hami.io/webhook"]
    wanted += sorted((selector.match_labels or {}) if selector is not None else {})
    if wanted:
        text = f"looks at namespaces by {', '.join(wanted)}: in others no pod is rewritten"
        yield "warning", text, "meant so? Then the policy refuses accelerator pods elsewhere"


def _conditions(observed: Observed, hook: Hook) -> Iterator[_Flaw]:
    text = " ".join(each.expression for each in hook.match_conditions or ())
    if not text:
        yield "problem", "no matchConditions: while we are away, no pod at all can be created", ""
        return
    names = [name for vendor in table.build(observed.settings) for name in vendor.names.all]
    unnamed = [name for name in names if f"'{name}'" not in text and f'"{name}"' not in text]
    if unnamed:
        yield "problem", f"matchConditions do not name {', '.join(unnamed)}", ""


def _slow_others(observed: Observed) -> Iterator[Finding]:
    """A charge waits ``holdSeconds`` for its pod: what comes after us must not take longer."""
    hold = observed.settings.hold_seconds
    for kind, configuration, hook in _others(observed):
        seconds = hook.timeout_seconds
        if seconds + 5 > hold and any(map(_takes_pods, hook.rules or ())):
            yield finding.warning(
                _CHECK,
                f"{kind.word} {configuration.name}: {hook.name}",
                f"may hold up a creation for {seconds} s, and a charge waits {hold} s for its pod:"
                " one pod too many is possible",
                f"set holdSeconds to {seconds + 6}, or lower its timeout",
            )


def _others(observed: Observed) -> Iterator[tuple[Kind, Configuration, Hook]]:
    for seen, kind in ((observed.mutating, MUTATING), (observed.validating, VALIDATING)):
        others = (each for each in seen.value or () if each.name != NAME)
        yield from ((kind, each, hook) for each in others for hook in each.webhooks or ())
