"""Does each ResourceQuota limit what its author thinks?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.doctor import finding
from hami_admission.model import quota as model
from hami_admission.quota import limits
from hami_admission.vendors import table
from hami_admission.wire import keys, quantities, quotas
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hami_admission.doctor.finding import Finding
    from hami_admission.doctor.objects import Quota
    from hami_admission.doctor.seen import Observed
    from hami_admission.vendors.table import Vendors

LARGEST_MIB = 100_000_000
"""About 95 TiB: who writes more meant bytes."""

_CHECK = "quotas"
_REQUESTS = "requests."


def check(observed: Observed) -> list[Finding]:
    """Those that speak of accelerators; the good ones as a number."""
    if observed.quotas.value is None:
        return [finding.unknown(_CHECK, "resourcequotas", observed.quotas.why)]
    vendors = table.build(observed.settings)
    counted = limits.managed(vendor.names for vendor in vendors)
    found, good = [], 0
    for quota in observed.quotas.value:
        here = [
            *_keys(vendors, counted, quota),
            *_amounts(vendors, counted, quota),
            *_mixed(counted, quota),
            *_copied(counted, quota),
        ]
        found += here
        good += not here and bool(_ours(counted, quota))
    if good or not found:
        text = f"{good} limit accelerators, each in an object of its own"
        found.append(finding.ok(_CHECK, "resourcequotas", text))
    return found


def _ours(counted: frozenset[str], quota: Quota) -> list[str]:
    hard = quota.spec.hard or {}
    return [key for key in hard if key.removeprefix(keys.QUOTA_PREFIX) in counted and _limit(key)]


def _limit(key: str) -> bool:
    return key.startswith(keys.QUOTA_PREFIX)


def _keys(vendors: Vendors, counted: frozenset[str], quota: Quota) -> Iterator[Finding]:
    """Keys that nobody counts, or that Kubernetes counts in another way."""
    asked = {name for vendor in vendors for name in vendor.names.all}
    domains = {name.partition("/")[0] for name in asked}
    for key in sorted(quota.spec.hard or {}):
        name = key.removeprefix(keys.QUOTA_PREFIX).removeprefix(_REQUESTS)
        if name.partition("/")[0] not in domains or (_limit(key) and name in counted):
            continue
        right = keys.QUOTA_PREFIX + name
        if key.startswith(_REQUESTS) and name in counted:
            text = f"{key}: Kubernetes counts it, one container's number, not times its cards"
            do = f"write {right}"
        elif name in counted:
            text, do = f"{key}: nobody counts it", f"write {right}"
        else:
            text = f"{key}: nobody counts it"
            do = "write " + ", ".join(sorted(keys.QUOTA_PREFIX + each for each in counted))
        yield finding.warning(_CHECK, f"resourcequota {quota.place}", text, do)


def _amounts(vendors: Vendors, counted: frozenset[str], quota: Quota) -> Iterator[Finding]:
    """Limits in another unit, and limits that are passed already."""
    hard, used = quota.spec.hard or {}, quota.status.used or {}
    memory = {keys.QUOTA_PREFIX + v.names.memory for v in vendors if v.names.memory}
    looked_at = f"resourcequota {quota.place}"
    for key in _ours(counted, quota):
        try:
            limit, taken = quantities.floor(hard[key]), quantities.floor(used.get(key, 0))
        except Malformed:
            continue
        if key in memory and limit > LARGEST_MIB:
            do = f"the unit is MiB; for {hard[key]} bytes write {limit >> 20}"
            yield finding.warning(_CHECK, looked_at, f"{key} is {hard[key]} MiB", do)
        if taken > limit:
            text = f"{key}: {taken} of {limit} are used, so nothing more is created"
            yield finding.warning(_CHECK, looked_at, text, "delete pods, or raise the limit")


def _mixed(counted: frozenset[str], quota: Quota) -> Iterator[Finding]:
    """Each write of ours may make Kubernetes' own count of the same object come again."""
    ours = _ours(counted, quota)
    native = sorted(
        key
        for key in quota.spec.hard or {}
        if key not in ours and key.removeprefix(_REQUESTS) not in counted
    )
    if ours and native:
        text = f"holds {finding.some(native)} beside accelerators: creations of plain pods may meet"
        do = "keep limits of accelerators in a ResourceQuota of their own"
        place = f"resourcequota {quota.place}"
        yield finding.warning(_CHECK, place, f"{text} our writes, and fail with a conflict", do)


def _copied(counted: frozenset[str], quota: Quota) -> Iterator[Finding]:
    """A mark of ours that came with the object; the next write takes it away."""
    metadata = quota.metadata
    mark = (metadata.annotations or {}).get(keys.QUOTA_COUNTED, "")
    noun = model.Quota(
        *(metadata.namespace, metadata.name, "", metadata.resource_version, {}),
        counted=quotas.decode_counted(mark),
    )
    if noun.copied and _ours(counted, quota):
        text = f"{keys.QUOTA_COUNTED} came with a copy, from another cluster or a backup"
        do = "nothing: it is ignored, and the quota is counted; leave hami.io/quota-… out of copies"
        yield finding.warning(_CHECK, f"resourcequota {quota.place}", text, do)
