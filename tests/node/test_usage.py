"""Regions, owners and the driver's facts, in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.node import region, usage
from hami_admission.node.usage import CardUse, Instance, Owner, Row, Share
from tests.node import regions
from tests.node.regions import GIB, NOW, task

if TYPE_CHECKING:
    from hami_admission.node.region import Region

OWNER = Owner("team", "p", "uid-p", "main")
OTHER = Owner("team", "q", "uid-q", "main")
A = CardUse(uuid="GPU-a", index=0, type="A100", processes={7: Share(3 * GIB, 40)})
B = CardUse(uuid="GPU-b", index=1, type="A100")


def in_use() -> Region:
    """Two processes on two cards, of which the driver knows the first by its number."""
    made = regions.new(cards=("GPU-b", "GPU-a"), priority=0)
    made.last_kernel_time = NOW - 9
    made.sm_limit[1] = 0
    for pid, host_pid in ((1, 7), (2, 0)):
        process = regions.join(made, pid, host_pid=host_pid, data=pid * GIB, sm=10 * pid)
        process.used[1].context, process.used[1].module = pid, 10 * pid
        process.used[1].total += 11 * pid
    found = region.read(regions.file(made))
    assert found is not None
    return found


def test_a_container_on_two_cards() -> None:
    table = usage.rows({"folder": in_use()}, {"folder": OWNER}, (A, B), now=NOW)
    common: dict[str, Any] = {
        "owner": OWNER, "processes": 2, "limited": True, "blocked": False, "idle": 9,
    }  # fmt: skip
    assert table.rows == (
        Row(
            **common, position=0, uuid="GPU-b", memory_used=3 * GIB, memory_limit=8 * GIB,
            context=0, module=0, data=3 * GIB, driver_memory=None, sm=30, driver_sm=None,
            core_limit=30,
        ),
        Row(
            **common, position=1, uuid="GPU-a", memory_used=3 * GIB + 33, memory_limit=8 * GIB,
            context=3, module=30, data=3 * GIB, driver_memory=3 * GIB, sm=30, driver_sm=40,
            core_limit=100,
        ),
    )  # fmt: skip
    assert table.cards == (A, B)
    assert table.regions == {"shown": 1, "ownerless": 0, "replaced": 0, "unreadable": 0}


def row(each: Region, cards: tuple[CardUse, ...] = (A,)) -> Row:
    (found,) = usage.rows({"f": each}, {"f": OWNER}, cards, now=NOW).rows
    return found


FIELDS: dict[str, tuple[Region, dict[str, object]]] = {
    "blocked": (task(recent=-1, switch=1), {"blocked": True, "limited": True}),
    "alone": (task(recent=1), {"blocked": False, "limited": False}),
    "idle": (task(recent=0), {"blocked": False}),
    "never launched": (task(), {"idle": None}),
    "a stamp ahead of us": (task(ago=-5), {"idle": 0}),
    "nobody in it": (task(), {"processes": 0, "memory_used": 0, "driver_memory": None}),
    "a process that the driver does not know": (
        task(host_pids=(8,)),
        {"driver_memory": None, "driver_sm": None},
    ),
    "two that give the same number": (
        task(host_pids=(7, 7)),
        {"driver_memory": 3 * GIB, "driver_sm": 40},
    ),
}


@pytest.mark.parametrize("sentence", FIELDS)
def test_fields(sentence: str) -> None:
    each, expected = FIELDS[sentence]
    found = row(each)
    assert {name: getattr(found, name) for name in expected} == expected


CORES = {0: 100, 1: 1, 99: 99, 100: 100, 250: 100}


@pytest.mark.parametrize("limit", CORES)
def test_core_limits_that_are_none(limit: int) -> None:
    made = regions.new()
    made.sm_limit[0] = limit
    found = region.read(regions.file(made))
    assert found is not None
    assert row(found).core_limit == CORES[limit]


def test_what_the_driver_does_not_say_is_not_zero() -> None:
    known = msgspec.structs.replace(
        A, processes={7: Share(None, 5), 8: Share(GIB, None), 9: Share()}
    )
    found = row(task(host_pids=(7, 8, 9)), (known,))
    assert (found.driver_memory, found.driver_sm) == (GIB, 5)
    nothing = row(task(host_pids=(9,)), (known,))
    assert (nothing.driver_memory, nothing.driver_sm) == (None, None)


def test_folders_without_an_owner_are_counted_and_not_shown() -> None:
    table = usage.rows({"f": task(), "g": task()}, {"g": OTHER, "h": OWNER}, (A,), now=NOW)
    assert [each.owner for each in table.rows] == [OTHER]
    assert table.regions == {"shown": 1, "ownerless": 1, "replaced": 0, "unreadable": 0}


def test_cards_that_only_a_region_names_are_counted_and_not_shown() -> None:
    each = task(cards=("GPU-a", "GPU-made-up", "GPU-b"))
    table = usage.rows({"f": each}, {"f": OWNER}, (A, B), now=NOW)
    assert [(found.uuid, found.position) for found in table.rows] == [("GPU-a", 0), ("GPU-b", 2)]
    assert table.strange_cards == 1


REPLACED = {
    "by who worked last": ({"f": task(1, ago=3), "g": task(2, ago=9)}, False),
    "never worked": ({"f": task(1), "g": task(2, ago=9)}, True),
    "both never worked: by name": ({"f": task(1), "g": task(2)}, True),
}


@pytest.mark.parametrize("sentence", REPLACED)
@pytest.mark.parametrize("again", [OWNER, msgspec.structs.replace(OWNER, uid="uid-again")])
def test_one_name_is_shown_once(sentence: str, again: Owner) -> None:
    """Also a pod that was created again under its name."""
    found, later = REPLACED[sentence]
    table = usage.rows(found, {"f": OWNER, "g": again}, (A,), now=NOW)
    ((shown, idle),) = [(each.owner, each.idle) for each in table.rows]
    key = "g" if later else "f"
    assert shown == {"f": OWNER, "g": again}[key]
    last = found[key].last_kernel
    assert idle == (None if last is None else NOW - last)
    assert table.regions == {"shown": 1, "ownerless": 0, "replaced": 1, "unreadable": 0}


def test_what_is_passed_through() -> None:
    instance = Instance(
        owner=OWNER, position=0, uuid="GPU-a", mig_uuid="MIG-1", profile="1g.10gb",
        gpu_instance=7, compute_instance=0,
    )  # fmt: skip
    table = usage.rows({}, {}, (A,), now=NOW, instances=[instance], unreadable=3)
    assert table.instances == (instance,)
    assert table.regions["unreadable"] == 3


def test_how_many_share_a_card() -> None:
    found = {"f": task(cards=("GPU-a", "GPU-a", "GPU-b")), "g": task()}
    table = usage.rows(found, {"f": OWNER, "g": OTHER}, (A, B), now=NOW)
    assert table.sharing() == {"GPU-a": 2, "GPU-b": 1}


def test_who_is_at_work() -> None:
    cards = (
        msgspec.structs.replace(A, processes={7: Share(1, 40), 8: Share(1, 0), 9: Share(1)}),
        B,
    )
    assert usage.busy(cards) == {"GPU-a": frozenset({7}), "GPU-b": frozenset()}
