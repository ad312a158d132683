"""Is the API server one that we support?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.doctor import finding

if TYPE_CHECKING:
    from hami_admission.doctor.finding import Finding
    from hami_admission.doctor.seen import Observed

OLDEST = (1, 28)
"""Has matchConditions of webhooks."""

WITH_POLICIES = (1, 30)
"""Has ValidatingAdmissionPolicy v1."""

_CHECK = "api server"
_LOOKED_AT = "/version"


def check(observed: Observed) -> list[Finding]:
    """Its version."""
    version = observed.version.value
    if version is None:
        return [finding.unknown(_CHECK, _LOOKED_AT, observed.version.why)]
    try:
        # Some clouds write the minor as 30+.
        number = (int(version.major), int(version.minor.rstrip("+")))
    except ValueError:
        return [finding.unknown(_CHECK, _LOOKED_AT, f"version {version.git_version!r}")]
    said = f"Kubernetes {version.git_version}"
    if number < OLDEST:
        do = "update the cluster: webhooks of this version have no matchConditions"
        return [finding.problem(_CHECK, _LOOKED_AT, f"{said}, older than 1.28", do)]
    if number < WITH_POLICIES:
        do = "update the cluster to 1.30: while hami-admission is away, no policy holds here"
        return [finding.warning(_CHECK, _LOOKED_AT, f"{said}: no ValidatingAdmissionPolicy", do)]
    return [finding.ok(_CHECK, _LOOKED_AT, said)]
