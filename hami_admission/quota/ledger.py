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


LASTING = 4102444800
"""The end of a hold that lasts until its pod is bound: the year 2100."""


class Claim(msgspec.Struct, frozen=True):
    """What pod ``pod`` of that uid is to be charged; the hold ends at unix second ``until``.

    ``held`` is what the ledger counts for it already.
    """

    uid: str
    pod: str
    amounts: Amounts[str]
    until: int
    held: Amounts[str] = Amounts()

    @property
    def hold(self) -> Hold:
        """What is kept for the pod until it was seen."""
        return Hold(self.pod, self.until, self.amounts)


class Refusal(msgspec.Struct, frozen=True):
    """Why a claim does not fit, with the numbers."""

    text: str

    def __str__(self) -> str:
        return self.text


def charge(quota: Quota, claim: Claim) -> Quota | Refusal:
    """The quota with the claim held, or why it does not fit.

    The same claim twice is held once, so that a repeated review costs nothing. A claim replaces
    what was held or counted for its pod, and is judged by what it adds. All of it is held, also
    what the quota does not limit: it may get a limit for that while the pod waits.
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
        holds={**quota.holds, claim.uid: claim.hold},
    )


class Counted(msgspec.Struct, frozen=True):
    """What a pod that was seen counts for.

    It is ``bound``, or what it counts is ``fixed`` before that: does not depend on its card.
    """

    amounts: Amounts[str]
    bound: bool
    fixed: bool = True


class Counts(msgspec.Struct, frozen=True):
    """What all seen pods count for together, and each of those that are held."""

    total: Amounts[str]
    held: dict[str, Counted] = {}


def reconcile(quota: Quota, counts: Counts, gone: Collection[str] = ()) -> Quota:
    """The quota as the pods themselves say; only who has seen all that it counts may do this.

    A hold ends when its pod was seen and is bound, or counts the same whatever its card. A bind in
    flight keeps its hold: its pod was seen, but counts less than what is being settled. Holds in
    ``gone`` end if there is no such pod; otherwise the bind was not made, and the pod counts again
    what it counted before.
    """
    holds: dict[str, Hold] = {}
    twice: list[Amounts[str]] = []
    for uid, hold in quota.holds.items():
        seen = counts.held.get(uid)
        if seen is None:
            if uid not in gone:
                holds[uid] = hold
            continue
        if uid in gone:
            hold = _fallen_back(hold, seen)
        if not _ended(hold, seen):
            holds[uid] = _lasting(hold, seen)
            twice.append(seen.amounts)
    held = total(hold.amounts for hold in holds.values())
    used = counts.total.minus(total(twice)).plus(held)
    return msgspec.structs.replace(quota, used=_used(quota, used), holds=holds)


def drop(quota: Quota, uids: Collection[str], seen: Mapping[str, Counted]) -> Quota:
    """The quota without these holds; a pod that was seen counts again what it counted before.

    For who must not count all pods, because others have seen more of them.
    """
    if not any(uid in quota.holds for uid in uids):
        return quota
    used = Amounts({name: quota.used.get(name, 0) for name in quota.hard})
    holds = dict(quota.holds)
    for uid in uids:
        hold = holds.pop(uid, None)
        if hold is None:
            continue
        used = used.minus(hold.amounts)
        if uid in seen:
            holds[uid] = kept = _fallen_back(hold, seen[uid])
            used = used.plus(kept.amounts)
    return msgspec.structs.replace(quota, used=_used(quota, used), holds=holds)


def drift(quota: Quota, counted: Quota) -> dict[str, tuple[int, int]]:
    """What a quota shows and what was counted, where that differs, by resource name.

    What it does not show yet (the key is new in ``hard``) is no difference.
    """
    return {
        name: (shown, counted.used[name])
        for name, shown in quota.used.items()
        if name in counted.used and counted.used[name] != shown
    }


def left(quota: Quota, own: Amounts[str]) -> dict[str, int]:
    """What a pod that counts ``own`` already may have in all, by limited resource name."""
    return {
        name: max(hard - quota.used.get(name, 0), 0) + own[name]
        for name, hard in quota.hard.items()
    }


def _ended(hold: Hold, seen: Counted) -> bool:
    return seen.bound or (seen.fixed and seen.amounts == hold.amounts)


def _lasting(hold: Hold, seen: Counted) -> Hold:
    """One that is not of a bind in flight has no end before the bind."""
    if seen.fixed or hold.until == LASTING or hold.amounts.minus(seen.amounts):
        return hold
    return msgspec.structs.replace(hold, until=LASTING)


def _fallen_back(hold: Hold, seen: Counted) -> Hold:
    """Never more than before: what the pod would be charged today may be more than it was."""
    least = {name: min(value, seen.amounts[name]) for name, value in hold.amounts.items()}
    return msgspec.structs.replace(hold, amounts=Amounts(least))


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
