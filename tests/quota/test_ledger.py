from __future__ import annotations

import msgspec
import pytest

from hami_admission.model.amounts import Amounts, total
from hami_admission.model.quota import Hold, Quota, ScopeTerm
from hami_admission.quota import ledger, limits
from hami_admission.quota.ledger import Claim, Counted, Counts, Refusal
from tests import build

MEMORY = "nvidia.com/gpumem"
CARDS = "nvidia.com/gpu"


def a_quota(used: int = 0, hard: int = 100, holds: dict[str, Hold] | None = None) -> Quota:
    """A quota on memory."""
    return Quota("team", "q", "uid", "1", {MEMORY: hard}, {MEMORY: used}, holds or {})


def claim(uid: str, amount: int, held: int = 0) -> Claim:
    """A claim on memory, held until second 10."""
    return Claim(uid, f"pod-{uid}", Amounts({MEMORY: amount}), 10, Amounts({MEMORY: held}))


def charged(quota: Quota, made: Claim) -> Quota:
    """The quota with the claim, which must fit."""
    found = ledger.charge(quota, made)
    assert isinstance(found, Quota)
    return found


def test_a_charge_is_used_and_held_and_the_same_again_costs_nothing() -> None:
    once = charged(a_quota(), claim("a", 60))
    assert once.used == {MEMORY: 60}
    assert once.holds["a"] == Hold("pod-a", 10, Amounts({MEMORY: 60}))
    assert charged(once, claim("a", 60)) is once


def test_a_refusal_has_kubernetes_wording_and_only_what_is_exceeded() -> None:
    quota = Quota("team", "q", "u", "1", {MEMORY: 100, CARDS: 9}, {MEMORY: 60, CARDS: 1})
    found = ledger.charge(quota, Claim("a", "p", Amounts({MEMORY: 50, CARDS: 2}), 10))
    assert str(found) == (
        "exceeded quota: q, requested: limits.nvidia.com/gpumem=50,"
        " used: limits.nvidia.com/gpumem=60, limited: limits.nvidia.com/gpumem=100"
    )


def test_a_settlement_replaces_what_was_held_and_is_judged_by_what_it_adds() -> None:
    held = charged(a_quota(), claim("a", 60))
    assert charged(held, claim("a", 100)).used == {MEMORY: 100}
    assert isinstance(ledger.charge(held, claim("a", 101)), Refusal)
    assert charged(held, claim("a", 10)).used == {MEMORY: 10}
    counted = a_quota(used=60)
    assert charged(counted, claim("a", 90, held=60)).used == {MEMORY: 90}
    assert isinstance(ledger.charge(counted, claim("a", 101, held=60)), Refusal)


def test_a_quota_below_its_use_refuses_only_what_adds() -> None:
    over = Quota("team", "q", "u", "1", {MEMORY: 10, CARDS: 9}, {MEMORY: 60, CARDS: 1})
    assert isinstance(ledger.charge(over, Claim("a", "p", Amounts({CARDS: 1}), 10)), Quota)
    assert isinstance(ledger.charge(over, Claim("a", "p", Amounts({MEMORY: 1}), 10)), Refusal)
    zero = a_quota(hard=0)
    assert isinstance(ledger.charge(zero, claim("a", 1)), Refusal)


def counts(**seen: Counted) -> Counts:
    """All of these were seen; those that are held are looked up."""
    return Counts(total(each.amounts for each in seen.values()), seen)


def seen(amount: int, *, bound: bool = False, fixed: bool = True) -> Counted:
    """A pod that was seen and counts this much memory."""
    return Counted(Amounts({MEMORY: amount}), bound, fixed)


def test_drop_gives_back_once_and_leaves_a_seen_pod_what_it_counts() -> None:
    quota = charged(charged(a_quota(), claim("a", 60)), claim("b", 10))
    dropped = ledger.drop(quota, {"a", "unknown"}, {})
    assert (dropped.used, set(dropped.holds)) == ({MEMORY: 10}, {"b"})
    assert ledger.drop(dropped, {"a"}, {}) is dropped
    fallen = ledger.drop(quota, {"a"}, {"a": seen(40)})
    assert (fallen.used, fallen.holds["a"].amounts) == ({MEMORY: 50}, Amounts({MEMORY: 40}))
    assert ledger.drop(quota, {"a"}, {"a": seen(70)}) == quota


def test_reconcile_counts_pods_and_the_holds_of_those_not_seen() -> None:
    quota = charged(charged(charged(a_quota(), claim("a", 10)), claim("b", 20)), claim("c", 30))
    found = ledger.reconcile(quota, counts(a=seen(10), b=seen(5), d=seen(1, bound=True)))
    # a counts itself; b is being settled at 20; c was not seen; d was never held.
    assert (found.used, set(found.holds)) == ({MEMORY: 10 + 20 + 30 + 1}, {"b", "c"})
    bound = counts(a=seen(10), b=seen(19, bound=True), d=seen(1, bound=True))
    found = ledger.reconcile(found, bound, gone={"c"})
    assert (found.used, found.holds) == ({MEMORY: 10 + 19 + 1}, {})
    assert ledger.reconcile(found, bound) == found


def test_a_key_that_is_limited_while_a_pod_waits_counts_it() -> None:
    amounts = Amounts({MEMORY: 10, CARDS: 2})
    quota = charged(a_quota(), Claim("a", "pod-a", amounts, 10))
    assert quota.used == {MEMORY: 10}
    added = msgspec.structs.replace(quota, hard={MEMORY: 100, CARDS: 3})
    for fixed in (True, False):
        waits = ledger.reconcile(
            added, Counts(Amounts({MEMORY: 10, CARDS: 2}), {"a": Counted(amounts, False, fixed)})
        )
        assert waits.used == {MEMORY: 10, CARDS: 2}
        assert isinstance(ledger.charge(waits, Claim("b", "p", Amounts({CARDS: 2}), 10)), Refusal)


def test_a_price_that_depends_on_the_card_is_held_until_the_bind() -> None:
    quota = charged(a_quota(), claim("a", 10))
    waits = ledger.reconcile(quota, counts(a=seen(30, fixed=False)))
    assert waits.holds["a"] == Hold("pod-a", ledger.LASTING, Amounts({MEMORY: 10}))
    assert waits.used == quota.used
    settled = charged(waits, claim("a", 80))
    assert ledger.reconcile(settled, counts(a=seen(30, fixed=False))) == settled
    # That bind was not made: it counts no more than it would today, and no more than it did.
    back = ledger.reconcile(settled, counts(a=seen(30, fixed=False)), gone={"a"})
    assert (back.used, back.holds["a"].amounts) == ({MEMORY: 30}, Amounts({MEMORY: 30}))
    bound = ledger.reconcile(back, counts(a=seen(40, bound=True, fixed=False)))
    assert (bound.used, bound.holds) == ({MEMORY: 40}, {})


def test_left_is_what_a_pod_may_have_in_all() -> None:
    assert ledger.left(a_quota(used=60), Amounts({MEMORY: 20})) == {MEMORY: 60}
    assert ledger.left(a_quota(used=160), Amounts()) == {MEMORY: 0}


PLAIN = build.pod(build.container(limits={"cpu": 1}))
BEST_EFFORT = build.pod(build.container())
DEADLINE = build.pod(build.container(), activeDeadlineSeconds=5)
HIGH = build.pod(build.container(), priorityClassName="high")
SCOPES = {
    "none": ((), PLAIN, True),
    "terminating": ((ScopeTerm("Terminating"),), DEADLINE, True),
    "terminating, no deadline": ((ScopeTerm("Terminating"),), PLAIN, False),
    "not terminating": ((ScopeTerm("NotTerminating"),), PLAIN, True),
    "not terminating, deadline": ((ScopeTerm("NotTerminating"),), DEADLINE, False),
    "best effort": ((ScopeTerm("BestEffort"),), BEST_EFFORT, True),
    "best effort, with cpu": ((ScopeTerm("BestEffort"),), PLAIN, False),
    "not best effort": ((ScopeTerm("NotBestEffort"),), PLAIN, True),
    "not best effort, without": ((ScopeTerm("NotBestEffort"),), BEST_EFFORT, False),
    "priority in": ((ScopeTerm("PriorityClass", "In", ("high",)),), HIGH, True),
    "priority in, other": ((ScopeTerm("PriorityClass", "In", ("low",)),), HIGH, False),
    "priority not in": ((ScopeTerm("PriorityClass", "NotIn", ("low",)),), HIGH, True),
    "priority exists": ((ScopeTerm("PriorityClass", "Exists"),), HIGH, True),
    "priority exists, none": ((ScopeTerm("PriorityClass", "Exists"),), PLAIN, False),
    "no priority": ((ScopeTerm("PriorityClass", "DoesNotExist"),), PLAIN, True),
    "affinity": ((ScopeTerm("CrossNamespacePodAffinity"),), PLAIN, False),
    "all must match": ((ScopeTerm("BestEffort"), ScopeTerm("Terminating")), BEST_EFFORT, False),
}


@pytest.mark.parametrize("name", SCOPES)
def test_scopes(name: str) -> None:
    terms, pod, expected = SCOPES[name]
    quota = Quota("team", "q", "u", "1", {MEMORY: 1}, scopes=terms)
    assert limits.applies(quota, pod) is expected
