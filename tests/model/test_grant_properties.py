"""The peak against the life of a pod, moment by moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from hami_admission.model.amounts import Amounts, total
from hami_admission.model.grant import peak
from hami_admission.model.pod import Kind
from tests import strategies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Pod = tuple[tuple[Kind, ...], list[Amounts[str]]]


def _moments(kinds: Sequence[Kind]) -> Iterator[set[int]]:
    """The slots that run together: at the start of each init container, and in the end."""
    started: set[int] = set()
    for slot, kind in enumerate(kinds):
        if kind is not Kind.APP:
            yield started | {slot}
        if kind is not Kind.INIT:
            started.add(slot)
    yield started


@given(strategies.pods_of_amounts())
def test_peak_equals_the_highest_moment(pod: Pod) -> None:
    kinds, slots = pod
    highest: Amounts[str] = Amounts()
    for running in _moments(kinds):
        highest = highest.peak(total(slots[slot] for slot in running))
    assert peak(kinds, slots) == highest


@given(strategies.pods_of_amounts())
def test_peak_is_at_least_each_part_and_at_most_the_sum(pod: Pod) -> None:
    kinds, slots = pod
    found = peak(kinds, slots)
    assert not any(each.above({name: found[name] for name in each}) for each in slots)
    assert not found.above({name: total(slots)[name] for name in found})


@given(strategies.pods_of_amounts(), strategies.amounts, st.integers(0, 8))
def test_peak_is_monotone(pod: Pod, more: Amounts[str], slot: int) -> None:
    kinds, slots = pod
    grown = [each.plus(more) if at == slot else each for at, each in enumerate(slots)]
    found = peak(kinds, grown)
    assert not peak(kinds, slots).above({name: found[name] for name in strategies.RESOURCES})
