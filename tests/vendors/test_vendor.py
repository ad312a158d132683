"""The form that each family fills."""

from __future__ import annotations

from hami_admission.model.names import ResourceNames
from hami_admission.vendors.vendor import NOTHING, Reading

NAMES = ResourceNames(count="x/n", memory="x/m", percent="x/p", cores="x/c", priority="x/prio")


def test_a_priority_alone_does_not_make_a_pod_ours() -> None:
    assert NAMES.asking == ("x/n", "x/m", "x/p", "x/c")


def test_nothing_asks_and_objects_to_nothing() -> None:
    assert Reading(request=None, limits={}, priority=None, objections=(), warnings=()) == NOTHING
