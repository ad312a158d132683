"""The ledger of one quota object: used, held, and who may still enter.

Each function takes a quota and gives the quota that should be written. The rules are those of
design.md 3: ``used`` counts every pod once, by its own size when it was seen, by its hold before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.amounts import Amounts, total
from hami_admission.model.quota import Hold, Quota

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Claim(msgspec.Struct, frozen=True):
    """What pod ``pod`` of that uid is to be charged; the hold ends at unix second ``until``.

    ``held`` is what the ledger counts for it already.
    """

    uid: str
    pod: str
    amounts: Amounts[str]
    until: int
    held: Amounts[str] = Amounts()


class Refusal(msgspec.Struct, frozen=True):
    """Why a claim does not fit, with the numbers."""

    text: str

    def __str__(self) -> str:
        return self.text


def charge(quota: Quota, claim: Claim) -> Quota | Refusal:
    """The quota with the claim held, or why it does not fit.

    The same claim twice is held once, so that a repeated review costs nothing. A claim replaces
    what was held or counted for its pod, and is judged by what it adds.
    """
    held = quota.holds.get(claim.uid)
    if held is not None and held.amounts == claim.amounts:
        return quota
    before = held.amounts if held is not None else claim.held
    added = claim.amounts.minus(before)
    used = Amounts({name: quota.used.get(name, 0) for name in quota.hard})
    over = used.plus(added).above(_limits_of(quota, added))
    if over:
        return Refusal(_exceeded(quota, sorted(over), added))
    return msgspec.structs.replace(
        quota,
        used=_used(quota, used.minus(before).plus(claim.amounts)),
        holds={**quota.holds, claim.uid: Hold(claim.pod, claim.until, claim.amounts)},
    )


def drop(quota: Quota, uids: Collection[str]) -> Quota:
    """The quota without these holds and what they held."""
    gone = [quota.holds[uid].amounts for uid in uids if uid in quota.holds]
    if not gone:
        return quota
    used = Amounts({name: quota.used.get(name, 0) for name in quota.hard}).minus(total(gone))
    holds = {uid: hold for uid, hold in quota.holds.items() if uid not in uids}
    return msgspec.structs.replace(quota, used=_used(quota, used), holds=holds)


class Counted(msgspec.Struct, frozen=True):
    """What a pod that was seen counts for; ``final`` once it is bound."""

    amounts: Amounts[str]
    final: bool


def reconcile(quota: Quota, counted: Mapping[str, Counted], gone: Collection[str] = ()) -> Quota:
    """The quota as the pods themselves say; only who has seen them all may do this.

    A hold ends when its pod was seen and counts the same or is bound; one whose pod is in ``gone``
    (looked for and not there) ends too. A bind in flight keeps its hold: its pod was seen, but
    counts less than what is being settled.
    """
    holds = {
        uid: hold
        for uid, hold in quota.holds.items()
        if uid not in gone and not _ended(hold, counted.get(uid))
    }
    seen = [each.amounts for uid, each in counted.items() if uid not in holds]
    used = total([*seen, *(hold.amounts for hold in holds.values())])
    return msgspec.structs.replace(quota, used=_used(quota, used), holds=holds)


def expired(quota: Quota, counted: Mapping[str, Counted], now: float) -> dict[str, str]:
    """Holds whose time is over, by uid with the pod's name: to be looked for, then dropped."""
    return {
        uid: hold.pod
        for uid, hold in quota.holds.items()
        if hold.until <= now and not _ended(hold, counted.get(uid))
    }


def left(quota: Quota, own: Amounts[str]) -> dict[str, int]:
    """What a pod that counts ``own`` already may have in all, by limited resource name."""
    return {
        name: max(hard - quota.used.get(name, 0), 0) + own[name]
        for name, hard in quota.hard.items()
    }


def _ended(hold: Hold, counted: Counted | None) -> bool:
    return counted is not None and (counted.final or counted.amounts == hold.amounts)


def _limits_of(quota: Quota, added: Amounts[str]) -> dict[str, int]:
    """Only what a pod adds to can refuse it, as natively: a quota lowered below its use lets
    pods in that ask for something else."""
    return {name: quota.hard[name] for name in added if name in quota.hard}


def _used(quota: Quota, amounts: Amounts[str]) -> dict[str, int]:
    return {name: amounts[name] for name in quota.hard}


def _exceeded(quota: Quota, over: list[str], added: Amounts[str]) -> str:
    """The wording of Kubernetes' own quota admission, for the keys that are exceeded."""
    requested = ",".join(f"limits.{name}={added[name]}" for name in over)
    used = ",".join(f"limits.{name}={quota.used.get(name, 0)}" for name in over)
    limited = ",".join(f"limits.{name}={quota.hard[name]}" for name in over)
    return f"exceeded quota: {quota.name}, requested: {requested}, used: {used}, limited: {limited}"
