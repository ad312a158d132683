"""Is the certificate good, and does a pod that is created now come to us?"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from hami_admission.doctor import finding, senders, webhooks
from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hami_admission.doctor.finding import Finding
    from hami_admission.doctor.objects import Pod
    from hami_admission.doctor.seen import Certificate, Observed, Trial

SOON = timedelta(days=30)
"""A certificate that ends sooner should have been renewed long ago."""

SECRET = "hami-admission-tls"
HOOKS = ("mutate.hami.io", "validate.hami.io")

_CERTIFICATE, _TRIAL = "certificate", "trial"
_NO_RIGHT = re.compile(r"cannot create resource")
_NO_CALL = re.compile(r'failed calling webhook "([^"]+)"')
_NO_DRY_RUN = re.compile(r"webhook[s ]+\"?([\w.-]+)\"? do(?:es)? not support dry run")
_DENIED = re.compile(r'admission webhook "([^"]+)" denied')


def check(observed: Observed) -> list[Finding]:
    """The certificate by its dates, names and authority; the trial has the last word."""
    return [*_certificate(observed), *_trial(observed)]


def _certificate(observed: Observed) -> Iterator[Finding]:
    looked_at = f"secret {observed.namespace}/{SECRET}"
    served = observed.certificate.value
    if served is None:
        why = observed.certificate.why
        if observed.certificate.absent:
            why = "not there: the certificate comes from elsewhere, or nobody has made it yet"
        yield finding.unknown(_CERTIFICATE, looked_at, why, "the trial below tells")
        return
    flaws = [*_dates(observed, served), *_names(observed, served)]
    for text, do in flaws:
        yield finding.problem(_CERTIFICATE, looked_at, text, do)
    untrusted = [*_untrusted(observed)]
    yield from untrusted
    if flaws or untrusted:
        return
    good = f"good until {served.ends:%Y-%m-%d}"
    if served.ends - observed.now < SOON:
        do = (
            f"why is it not renewed? kubectl -n {observed.namespace} logs deployment/hami-admission"
        )
        yield finding.warning(_CERTIFICATE, looked_at, f"only {good}", do)
    else:
        yield finding.ok(_CERTIFICATE, looked_at, f"{good}, trusted by both configurations")


def _dates(observed: Observed, served: Certificate) -> Iterator[tuple[str, str]]:
    if served.ends <= observed.now:
        do = f"kubectl -n {observed.namespace} delete secret {SECRET}: it is soon made anew"
        yield f"ended on {served.ends:%Y-%m-%d}", do
    elif served.begins > observed.now:
        yield f"begins on {served.begins:%Y-%m-%d} only", "look at the clocks of both machines"


def _names(observed: Observed, served: Certificate) -> Iterator[tuple[str, str]]:
    name = f"{webhooks.NAME}.{observed.namespace}.svc"
    if name not in served.names:
        do = (
            f"let control run with --namespace {observed.namespace}, or name it in your certificate"
        )
        yield f"is not for {name}, which the API server asks for", do


def _untrusted(observed: Observed) -> Iterator[Finding]:
    for seen, kind in (
        (observed.mutating, webhooks.MUTATING),
        (observed.validating, webhooks.VALIDATING),
    ):
        configuration = webhooks.ours(seen)
        bundles = [
            hook.client_config.ca_bundle
            for hook in (configuration.webhooks if configuration is not None else None) or ()
            if hook.client_config.ca_bundle
        ]
        if any(bundle not in observed.trusted for bundle in bundles):
            yield finding.problem(
                _CERTIFICATE,
                f"{kind.word} {webhooks.NAME}",
                f"its caBundle is not of the authority of {SECRET}: accelerator pods are refused",
                "hami-admission mends it within a minute; if not:"
                f" kubectl -n {observed.namespace} rollout restart deployment/hami-admission",
            )


def _trial(observed: Observed) -> Iterator[Finding]:
    tried = observed.trial.value
    if tried is None:
        yield finding.unknown(_TRIAL, "a pod, with dryRun", observed.trial.why)
        return
    looked_at = f"a pod in namespace {tried.namespace}, with dryRun"
    if tried.pod is not None:
        if _rewritten(observed, tried.pod):
            yield finding.ok(_TRIAL, looked_at, "rewritten: both webhooks answer")
        else:
            yield finding.problem(
                _TRIAL,
                looked_at,
                "created as it was: it would be given whole cards",
                "see the webhooks above; has the namespace a label hami.io/webhook: ignore?",
            )
        return
    yield _refusal(observed, tried, looked_at)


def _rewritten(observed: Observed, pod: Pod) -> bool:
    ours = keys.annotation_path(keys.ENV_PREFIX).rstrip("]'")
    paths = [
        variable.value_from.field_ref.field_path
        for container in pod.spec.containers or ()
        for variable in container.env or ()
        if variable.value_from is not None and variable.value_from.field_ref is not None
    ]
    scheduler = observed.settings.scheduler_name
    return pod.spec.scheduler_name == scheduler and any(path.startswith(ours) for path in paths)


def _refusal(observed: Observed, tried: Trial, looked_at: str) -> Finding:
    text = tried.refusal
    if tried.status == 0 or _NO_RIGHT.search(text):
        return finding.unknown(_TRIAL, looked_at, text)
    if "exceeded quota: " in text:
        return finding.ok(_TRIAL, looked_at, f"rewritten, and refused by a quota: {text}")
    for pattern, found in ((_NO_CALL, _not_called), (_NO_DRY_RUN, _not_dry), (_DENIED, _denied)):
        match = pattern.search(text)
        if match is not None:
            return found(observed, match[1], text, looked_at)
    if "ValidatingAdmissionPolicy 'hami-admission" in text:
        do = "the webhooks were passed over, see above; kubectl apply -f webhooks/"
        return finding.problem(_TRIAL, looked_at, f"refused by the policy: {text}", do)
    return finding.unknown(_TRIAL, looked_at, f"refused by others: {text}", _ELSEWHERE)


_ELSEWHERE = "try another namespace: hami-admission doctor --trial-namespace NAME"


def _not_called(observed: Observed, name: str, text: str, looked_at: str) -> Finding:
    if name not in HOOKS:
        return finding.problem(_TRIAL, looked_at, text, f"look after the webhook {name}")
    where = f"kubectl -n {observed.namespace}"
    if "reviewAuthority" in text:
        do = senders.AUTHORITY
    elif "reviewSenders" in text:
        do = senders.RANGES
    elif "x509" in text or "certificate" in text:
        do = f"caBundle or certificate: see above, and {where} logs deployment/{webhooks.NAME}"
    else:
        do = f"does a replica run and can the API server reach it? {where} get pods,endpointslices"
    return finding.problem(_TRIAL, looked_at, text, do)


def _not_dry(observed: Observed, name: str, text: str, looked_at: str) -> Finding:
    if name in HOOKS:
        do = f"kubectl -n {observed.namespace} apply -f webhooks/"
        return finding.problem(_TRIAL, looked_at, text, do)
    return finding.unknown(
        _TRIAL, looked_at, text, f"only a real pod tells: {name} takes no dry run"
    )


def _denied(observed: Observed, name: str, text: str, looked_at: str) -> Finding:
    if name in HOOKS:
        return finding.problem(_TRIAL, looked_at, text, "the message says it")
    return finding.unknown(_TRIAL, looked_at, text, _ELSEWHERE)
