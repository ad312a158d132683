"""Which cards a pod accepts (facts 6.3 and 23)."""

from __future__ import annotations

import pytest

from hami_admission.model.wishes import ANY, Selection, Wishes

A100 = "NVIDIA A100-SXM4-40GB"

TYPES = {
    "no constraint": (Selection(), True),
    "a wanted part of the type, any case": (Selection(types=("a100", "t4")), True),
    "an unwanted part": (Selection(not_types=("a100",)), False),
    "another type wanted": (Selection(types=("t4",)), False),
    "another type unwanted": (Selection(not_types=("t4",)), True),
    "wanted and unwanted: the exclusion beats": (
        Selection(types=("a100",), not_types=("sxm4",)),
        False,
    ),
    "a list without members accepts none": (Selection(types=()), False),
}

UUIDS = {
    "no constraint": (Selection(), True),
    "wanted": (Selection(uuids=frozenset({"GPU-a", "GPU-b"})), True),
    "another wanted": (Selection(uuids=frozenset({"GPU-b"})), False),
    "unwanted": (Selection(not_uuids=frozenset({"GPU-a"})), False),
    "both: the exclusion beats": (
        Selection(uuids=frozenset({"GPU-a"}), not_uuids=frozenset({"GPU-a"})),
        False,
    ),
    "a part of the uuid is not the uuid": (Selection(uuids=frozenset({"GPU"})), False),
    "case counts": (Selection(uuids=frozenset({"gpu-a"})), False),
}


@pytest.mark.parametrize("sentence", TYPES)
def test_types(sentence: str) -> None:
    selection, allowed = TYPES[sentence]
    assert selection.type_allowed(A100) is allowed


@pytest.mark.parametrize("sentence", UUIDS)
def test_uuids(sentence: str) -> None:
    selection, allowed = UUIDS[sentence]
    assert selection.uuid_allowed("GPU-a") is allowed


def test_each_family_has_its_own_selection() -> None:
    chosen = Selection(types=("a100",))
    wishes = Wishes("binpack", ("spread",), (("NVIDIA", chosen),))
    assert wishes.selection("NVIDIA") is chosen
    assert wishes.selection("DCU") is ANY
