"""Can the setting hold that says who may send reviews?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.doctor import finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hami_admission.doctor.finding import Finding
    from hami_admission.doctor.objects import Reviews
    from hami_admission.doctor.seen import Observed
    from hami_admission.settings import Settings

SLICE = "endpointslice default/kubernetes"
AUTHORITY = "does the API server's AdmissionConfiguration name a kubeConfigFile with a certificate?"
RANGES = "set reviewSenders to the ranges from which its reviews come, or to any"

_CHECK, _SETTING = "senders", "setting reviewSenders"
_TUNNELS = ("konnectivity-agent", "proxy-agent")
"""In names and images of who brings the API server's connections into the cluster."""


def check(observed: Observed) -> list[Finding]:
    """By address, and by certificate where one is asked for."""
    if observed.reviews.value is None and not observed.reviews.absent:
        return [finding.unknown(_CHECK, _SETTING, observed.reviews.why)]
    return [*_address(observed), *_certificate(observed)]


def _said(observed: Observed) -> Settings | Reviews:
    """Of a process without a ConfigMap of ours ``--config`` tells."""
    return observed.reviews.value if observed.reviews.value is not None else observed.settings


def _address(observed: Observed) -> Iterator[Finding]:
    said = _said(observed)
    if said.review_senders == "api-server":
        yield from _api_server(observed)
    elif said.review_senders != "any":
        yield _tried(observed, _SETTING, ", ".join(said.review_senders))
    elif said.review_authority:
        yield finding.ok(_CHECK, _SETTING, "any address")
    else:
        yield finding.ok(_CHECK, _SETTING, "any: whoever reaches the port may send reviews")


def _api_server(observed: Observed) -> Iterator[Finding]:
    seen = observed.api_servers
    if seen.value is None and not seen.absent:
        yield finding.unknown(_CHECK, SLICE, seen.why)
        return
    addresses = seen.value.addresses if seen.value is not None else ()
    if not addresses:
        text = "no address of the API server stands there: no review is answered"
        yield finding.problem(_CHECK, SLICE, text, RANGES)
        return
    tunnels = sorted(
        each.place
        for each in (*(observed.deployments.value or ()), *(observed.daemons.value or ()))
        if any(word in f"{each.name} {each.images}" for word in _TUNNELS)
    )
    if tunnels:
        text = f"the API server's connections may come from {finding.some(tunnels)}, not from it"
        make = finding.warning if _came_through(observed) else finding.problem
        yield make(_CHECK, f"{_SETTING}: api-server", text, RANGES)
        return
    yield _tried(observed, SLICE, f"the API server is at {', '.join(addresses)}")


def _certificate(observed: Observed) -> Iterator[Finding]:
    if _said(observed).review_authority:
        yield _tried(observed, "setting reviewAuthority", "a client certificate is asked for")


def _tried(observed: Observed, looked_at: str, text: str) -> Finding:
    if _came_through(observed):
        return finding.ok(_CHECK, looked_at, f"{text}; reviews of the trial came through")
    return finding.unknown(
        _CHECK, looked_at, f"{text}; whether reviews come through the trial says"
    )


def _came_through(observed: Observed) -> bool:
    """Was a pod created? Then reviews of one API server at least have been answered."""
    return observed.trial.value is not None and observed.trial.value.pod is not None
