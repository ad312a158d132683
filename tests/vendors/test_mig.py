"""Cards in MIG mode (facts/scheduling.md 6.5, facts/devices.md 3.4): an A100-40G, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from hami_admission.model.card import Card
from hami_admission.model.device import Device, Profile
from hami_admission.model.grant import Grant
from hami_admission.model.request import Request
from hami_admission.model.verdict import Reason, Unfit
from hami_admission.model.wishes import Selection, Wishes
from hami_admission.placement import fit, usage
from hami_admission.settings import Settings
from hami_admission.vendors import mig, table
from hami_admission.vendors.vendor import Assigned
from tests import build

NVIDIA = table.by_word(table.build(Settings()), "NVIDIA")
PROFILES = (
    Profile("1g.5gb", 4864, 14, 1, tuple((start, 1) for start in range(7))),
    Profile("2g.10gb", 9856, 28, 2, ((0, 2), (2, 2), (4, 2))),
    Profile("3g.20gb", 19968, 42, 3, ((0, 4), (4, 4))),
    Profile("7g.40gb", 40192, 100, 7, ((0, 8),)),
)


def card(index: int = 0, *taken: str) -> Card:
    """A card with instances of these profiles, each where it is put."""
    device = build.device(
        index, mode="mig", slots=7, memory_mib=40960, profiles=PROFILES, units=8
    )  # fmt: skip
    made = Card(device)
    for profile in taken:
        memory = next(each.memory_mib for each in PROFILES if each.name == profile)
        found = mig.instance(made, ask(memory))
        assert isinstance(found, Grant)
        made = usage.with_grant(made, found)
    return made


def ask(memory: int | None = None, percent: int = 100, count: int = 1, cores: int = 0) -> Request:
    return Request("NVIDIA", count, memory, percent, cores)


CASES: dict[str, tuple[Card, Request, tuple[str, tuple[int, ...]] | Reason]] = {
    "the smallest that serves, at the far end": (card(), ask(2000), ("1g.5gb", (6,))),
    "exactly its memory": (card(), ask(4864), ("1g.5gb", (6,))),
    "one MiB more": (card(), ask(4865), ("2g.10gb", (0, 1))),
    "3g at the far end": (card(), ask(12000), ("3g.20gb", (4, 5, 6, 7))),
    "all of it": (card(), ask(40192), ("7g.40gb", tuple(range(8)))),
    "more than the largest": (card(), ask(40193), Reason.CARD_MIG_INFEASIBLE),
    "a percentage of the card": (card(), ask(percent=25), ("3g.20gb", (4, 5, 6, 7))),
    "the whole card is the largest instance": (card(), ask(), ("7g.40gb", tuple(range(8)))),
    "the next small one is beside": (card(0, "1g.5gb"), ask(1), ("1g.5gb", (5,))),
    "2g beside 1g": (card(0, "1g.5gb"), ask(9000), ("2g.10gb", (0, 1))),
    "3g moves to the near end": (card(0, "1g.5gb"), ask(19968), ("3g.20gb", (0, 1, 2, 3))),
    "no place for 3g: the next larger neither": (
        card(0, "1g.5gb", "2g.10gb"), ask(19968), Reason.CARD_MIG_INFEASIBLE,
    ),
    "no place for a small one: a larger one": (
        card(0, *["1g.5gb"] * 3, "2g.10gb", "2g.10gb"), ask(4864), Reason.CARD_MIG_INFEASIBLE,
    ),
    "not beside the whole": (card(0, "7g.40gb"), ask(1), Reason.CARD_MIG_INFEASIBLE),
    "cores do not choose": (card(), ask(1, cores=90), ("1g.5gb", (6,))),
    "a card without profiles": (
        Card(build.device(mode="mig")), ask(1), Reason.CARD_MIG_INFEASIBLE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CASES)
def test_an_instance(sentence: str) -> None:
    given, request, expected = CASES[sentence]
    found = NVIDIA.charge(given, request)
    if isinstance(found, Grant):
        assert (found.profile, found.units) == expected
        own = next(each for each in PROFILES if each.name == found.profile)
        assert (found.memory_mib, found.cores) == (own.memory_mib, own.cores)
    else:
        assert found is expected


def choose(*cards: Card, request: Request, selection: Selection | None = None) -> Any:
    """What one request gets; several instances may lie on one card."""
    selections = () if selection is None else (("NVIDIA", selection),)
    return fit.choose(NVIDIA, cards, request, Wishes("binpack", ("spread",), selections), None)


def test_several_instances_of_one_card_do_not_overlap() -> None:
    found = choose(card(), request=ask(4864, count=7))
    assert sorted(grant.units for grant in found) == [(n,) for n in range(7)]
    assert isinstance(choose(card(), request=ask(4864, count=8)), Unfit)


def test_a_request_goes_over_to_the_next_card() -> None:
    found = choose(card(0), card(1), request=ask(19968, count=3))
    assert sorted(grant.uuid for grant in found) in (
        ["GPU-n-0", "GPU-n-0", "GPU-n-1"],
        ["GPU-n-0", "GPU-n-1", "GPU-n-1"],
    )


def test_a_pod_may_refuse_instances_or_want_them() -> None:
    plain = Card(build.device(1))
    shares, instances = (Selection(modes=frozenset({each})) for each in ("hami-core", "mig"))
    assert choose(card(), plain, request=ask(1), selection=shares)[0].uuid == "GPU-n-1"
    assert choose(card(), plain, request=ask(1), selection=instances)[0].uuid == "GPU-n-0"
    assert str(choose(plain, request=ask(1), selection=instances)) == "1/1 CardTypeMismatch"


UNKNOWN: dict[str, Card] = {
    "a pod without an instance on a card in MIG mode": usage.with_grant(
        card(), Grant("GPU-n-0", "NVIDIA", 100, 0)
    ),
    "an instance on a card that is shared": usage.with_grant(
        Card(build.device()), Grant("GPU-n-0", "NVIDIA", 100, 0, (0,), "1g.5gb")
    ),
}


@pytest.mark.parametrize("sentence", UNKNOWN)
def test_a_card_in_unknown_use_is_left_alone(sentence: str) -> None:
    assert str(choose(UNKNOWN[sentence], request=ask(1))) == "1/1 CardNotHealth"


def test_the_reservations_are_written_and_read_again() -> None:
    grants = (
        (),
        (
            Grant("GPU-n-0", "NVIDIA", 4864, 14, (6,), "1g.5gb"),
            Grant("GPU-n-1", "NVIDIA", 9856, 28, (2, 3), "2g.10gb"),
        ),
    )
    devices: dict[str, Device] = {}
    notes = NVIDIA.annotate(Assigned("n", 0, ((), ()), grants, devices))
    assert notes["hami.io/vgpu-mig-allocations"] == (
        '[{"containerIndex":1,"deviceIndex":0,"gpuUUID":"GPU-n-0","profile":"1g.5gb",'
        '"placement":{"start":6,"size":1}},'
        '{"containerIndex":1,"deviceIndex":1,"gpuUUID":"GPU-n-1","profile":"2g.10gb",'
        '"placement":{"start":2,"size":2}}]'
    )
    assert NVIDIA.recall(notes) == grants
    damaged = {**notes, "hami.io/vgpu-mig-allocations": "[{"}
    found = [grant for slot in NVIDIA.recall(damaged) for grant in slot]
    assert [(grant.profile, grant.unread) for grant in found] == [("", True), ("", True)]


def test_an_instance_that_hami_named_by_its_table_is_its_card_in_unknown_use() -> None:
    notes = {"hami.io/vgpu-devices-allocated": "GPU-n-0[2-1],NVIDIA,20480,0:;"}
    ((found,),) = NVIDIA.recall(notes)
    assert found == Grant("GPU-n-0", "NVIDIA", 20480, 0)
    assert str(choose(usage.with_grant(card(), found), request=ask(1))) == "1/1 CardNotHealth"
    notes = {"hami.io/vgpu-devices-allocated": "[2-1],NVIDIA,20480,0:;"}
    ((found,),) = NVIDIA.recall(notes)
    assert (found.uuid, found.unread) == ("", True)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("binpack", [(0, (0, 1)), (0, (2, 3))]), ("spread", [(0, (0, 1)), (1, (0, 1))])],
)
def test_several_instances_fill_a_card_or_begin_others(
    policy: str, expected: list[tuple[int, tuple[int, ...]]]
) -> None:
    """Facts/charts.md: 2 × 8000 MiB are 2 × 2g.10gb, with binpack on one card."""
    wishes = Wishes(policy, (policy,))
    found = fit.choose(NVIDIA, (card(0), card(1)), ask(8000, count=2), wishes, None)
    assert not isinstance(found, Unfit)
    assert [(int(each.uuid[-1]), each.units) for each in found] == expected
