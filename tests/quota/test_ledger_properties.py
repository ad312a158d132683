from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hami_admission.model.amounts import Amounts, total
from hami_admission.model.grant import Grant, peak
from hami_admission.model.pod import Kind
from hami_admission.model.quota import Quota
from hami_admission.quota import charge, ledger
from hami_admission.settings import Settings
from hami_admission.vendors import table
from tests.budgets import times

MEMORY = "nvidia.com/gpumem"
HARD = 100
NAMES = {vendor.word: vendor.names for vendor in table.build(Settings())}

uids = st.sampled_from("abc")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("charge"), uids, st.integers(0, 60)),
        st.tuples(st.just("drop"), uids, st.just(0)),
        st.tuples(st.just("see"), uids, st.just(0)),
        st.tuples(st.just("bound"), uids, st.just(0)),
        st.tuples(st.just("end"), uids, st.just(0)),
    ),
    max_size=40,
)


def counts(seen: dict[str, ledger.Counted]) -> ledger.Counts:
    """All that was seen."""
    return ledger.Counts(total(each.amounts for each in seen.values()), dict(seen))


@settings(max_examples=times(10))
@given(steps)
def test_used_is_the_sum_of_pods_and_holds_and_never_above_hard(
    taken: list[tuple[str, str, int]],
) -> None:
    """A pod that is bound is not charged again: Kubernetes binds none twice."""
    quota = Quota("team", "q", "u", "1", {MEMORY: HARD}, {MEMORY: 0})
    charged: dict[str, Amounts[str]] = {}
    seen: dict[str, ledger.Counted] = {}
    for verb, uid, amount in taken:
        if verb == "charge" and not (uid in seen and seen[uid].bound):
            held = seen[uid].amounts if uid in seen else Amounts[str]()
            made = ledger.Claim(uid, uid, Amounts({MEMORY: amount}), 10, held)
            found = ledger.charge(quota, made)
            if isinstance(found, Quota):
                quota, charged[uid] = found, made.amounts
        elif verb == "drop" and uid not in seen:
            quota = ledger.drop(quota, {uid}, {})
            charged.pop(uid, None)
        elif verb == "see" and uid in charged and uid not in seen:
            seen[uid] = ledger.Counted(charged[uid], bound=False)
        elif verb == "bound" and uid in charged:
            seen[uid] = ledger.Counted(charged[uid], bound=True)
        elif verb == "end" and uid in seen:
            del seen[uid], charged[uid]
            quota = ledger.reconcile(quota, counts(seen), gone={uid})
        if verb in {"see", "bound", "end"}:
            quota = ledger.reconcile(quota, counts(seen))
            assert ledger.reconcile(quota, counts(seen)) == quota
        assert quota.used[MEMORY] <= HARD
        counted = {uid: each.amounts for uid, each in seen.items()}
        counted |= {uid: hold.amounts for uid, hold in quota.holds.items()}
        assert quota.used[MEMORY] == sum(each[MEMORY] for each in counted.values())


kinds = st.lists(st.sampled_from(Kind), max_size=5).map(lambda found: tuple(sorted(
    found, key=lambda kind: kind is Kind.APP)))  # fmt: skip
grants = st.lists(st.builds(Grant, st.sampled_from("xyz"), st.just("NVIDIA"),
                            st.integers(0, 99), st.integers(0, 99)), max_size=3)  # fmt: skip


@given(kinds, st.data())
def test_a_charge_is_at_least_each_part_and_grows_with_it(
    found: tuple[Kind, ...], data: st.DataObject
) -> None:
    slots = tuple(tuple(data.draw(grants)) for _ in found)
    whole = charge.of_grants(found, slots, NAMES)
    for index, slot in enumerate(slots):
        alone = charge.of_grants((Kind.APP,), (slot,), NAMES)
        assert not [name for name, value in alone.items() if value > whole[name]]
        less = tuple(() if n == index else each for n, each in enumerate(slots))
        smaller = charge.of_grants(found, less, NAMES)
        assert not [name for name, value in smaller.items() if value > whole[name]]
    together = charge.of_grants([Kind.APP] * len(slots), slots, NAMES)
    assert not [name for name, value in whole.items() if value > together[name]]


def test_no_container_holds_nothing() -> None:
    assert not peak((), ())
