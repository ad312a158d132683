"""NVIDIA's own part: environment, variables that users cannot set, cards in MIG mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hami_admission.model.card import Card
from hami_admission.model.grant import Grant
from hami_admission.model.instance import Instance, Place
from hami_admission.model.pod import EnvVar, from_field
from hami_admission.model.request import Request
from hami_admission.model.wishes import ANY
from hami_admission.settings import NvidiaOptions
from hami_admission.vendors.nvidia import nvidia
from hami_admission.vendors.vendor import Reading
from tests import build

if TYPE_CHECKING:
    from hami_admission.model.verdict import Reason
    from hami_admission.vendors.checks import Check
    from hami_admission.vendors.vendor import Vendor

VENDOR = nvidia(NvidiaOptions())


def _wanted(
    vendor: Vendor, slot: int, request: Request, priority: int | None = None
) -> dict[str, EnvVar]:
    found = vendor.wanted(slot, Reading(request=request, priority=priority))
    assert len({env.name for env in found}) == len(found)
    return {env.name: env for env in found}


def test_known_sizes_are_literal_and_the_cards_come_with_the_placement() -> None:
    found = _wanted(VENDOR, 1, Request("NVIDIA", 2, 2000, 100, 30))
    path = "metadata.annotations['hami.io/env-1.nvidia-visible-devices']"
    assert found == {
        "NVIDIA_VISIBLE_DEVICES": from_field("NVIDIA_VISIBLE_DEVICES", path),
        "CUDA_DEVICE_MEMORY_LIMIT_0": EnvVar("CUDA_DEVICE_MEMORY_LIMIT_0", "2000m"),
        "CUDA_DEVICE_MEMORY_LIMIT_1": EnvVar("CUDA_DEVICE_MEMORY_LIMIT_1", "2000m"),
        "CUDA_DEVICE_SM_LIMIT": EnvVar("CUDA_DEVICE_SM_LIMIT", "30"),
        "CUDA_DEVICE_SM_LIMIT_0": EnvVar("CUDA_DEVICE_SM_LIMIT_0", "30"),
        "CUDA_DEVICE_SM_LIMIT_1": EnvVar("CUDA_DEVICE_SM_LIMIT_1", "30"),
    }


def test_a_percentage_is_known_only_at_the_placement() -> None:
    found = _wanted(VENDOR, 0, Request("NVIDIA", 1, None, 50, 0))
    assert found["CUDA_DEVICE_MEMORY_LIMIT_0"] == from_field(
        "CUDA_DEVICE_MEMORY_LIMIT_0",
        "metadata.annotations['hami.io/env-0.cuda-device-memory-limit-0']",
    )


@pytest.mark.parametrize("priority", [0, 1])
def test_priority(priority: int) -> None:
    found = _wanted(VENDOR, 0, Request("NVIDIA", 1, 2000, 100, 0), priority=priority)
    assert found["CUDA_TASK_PRIORITY"].value == str(priority)


def test_core_policy_of_the_settings() -> None:
    request = Request("NVIDIA", 1, 2000, 100, 0)
    assert "GPU_CORE_UTILIZATION_POLICY" not in _wanted(VENDOR, 0, request)
    forced = nvidia(NvidiaOptions(core_policy="force"))
    assert _wanted(forced, 0, request)["GPU_CORE_UTILIZATION_POLICY"].value == "force"


NONE = (EnvVar("NVIDIA_VISIBLE_DEVICES", "none"),)
ALL: list[build.Json] = [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]

BARE: dict[str, tuple[list[build.Json] | None, bool, tuple[EnvVar, ...]]] = {
    "it names no card": (None, False, ()),
    "it names something else": ([{"name": "A", "value": "1"}], False, ()),
    "it names all cards: it sees none": (ALL, False, NONE),
    "overwriteEnv: its image could": (None, True, NONE),
    "overwriteEnv and it names all": (ALL, True, NONE),
}


@pytest.mark.parametrize("sentence", BARE)
def test_a_container_without_a_request(sentence: str) -> None:
    env, overwrite, expected = BARE[sentence]
    vendor = nvidia(NvidiaOptions(overwrite_env=overwrite))
    assert vendor.bare(build.pod(build.container(env=env)).containers[0]) == expected


def test_what_a_config_map_may_name_is_overruled() -> None:
    container = {**build.container(), "envFrom": [{"configMapRef": {"name": "all"}}]}
    assert nvidia(NvidiaOptions()).bare(build.pod(container).containers[0]) == NONE


OWNED = {
    "NVIDIA_VISIBLE_DEVICES": True,
    "CUDA_DEVICE_MEMORY_LIMIT": True,
    "CUDA_DEVICE_MEMORY_LIMIT_7": True,
    "CUDA_DEVICE_SM_LIMIT": True,
    "CUDA_VISIBLE_DEVICES": False,
    "NVIDIA_DRIVER_CAPABILITIES": False,
    "MY_NVIDIA_VISIBLE_DEVICES": False,
}


@pytest.mark.parametrize("name", OWNED)
def test_owned(name: str) -> None:
    assert name.startswith(VENDOR.owned) is OWNED[name]


def test_late_values_say_which_cards_and_how_much_where_that_was_open() -> None:
    grants = (Grant("GPU-a", "NVIDIA", 20480, 0), Grant("GPU-b", "NVIDIA", 40960, 0))
    assert VENDOR.late(Request("NVIDIA", 2, None, 50, 0), grants, {}) == {
        "NVIDIA_VISIBLE_DEVICES": "GPU-a,GPU-b",
        "CUDA_DEVICE_MEMORY_LIMIT_0": "20480m",
        "CUDA_DEVICE_MEMORY_LIMIT_1": "40960m",
    }
    assert VENDOR.late(Request("NVIDIA", 2, 2000, 100, 0), grants, {}) == {
        "NVIDIA_VISIBLE_DEVICES": "GPU-a,GPU-b"
    }


def test_an_instance_is_seen_and_not_its_card() -> None:
    cut = Grant("GPU-a", "NVIDIA", 4864, 14, (6,), "1g.5gb")
    place = Place("GPU-a", "1g.5gb", 6, 1)
    late = VENDOR.late(
        Request("NVIDIA", 2, 1, 0, 0),
        (cut, Grant("GPU-b", "NVIDIA", 1, 0)),
        {place: Instance(place, "MIG-1", 7, 0)},
    )
    assert late == {"NVIDIA_VISIBLE_DEVICES": "MIG-1,GPU-b"}


@pytest.mark.parametrize("fields", [{}, {"mode": "mig"}, {"healthy": False}, {"slots": 0}], ids=str)
def test_the_shorter_checks_of_a_pod_without_lists_say_the_same(fields: build.Json) -> None:
    card, request = Card(build.device(**fields)), Request("NVIDIA", 1, 2000, 100, 0)

    def first(checks: tuple[Check, ...]) -> Reason | None:
        return next(filter(None, (check(card, request, ANY) for check in checks)), None)

    assert first(VENDOR.checks_of_any) == first(VENDOR.checks)
    assert len(VENDOR.checks_of_any) < len(VENDOR.checks)


def test_names_and_runtime_class_come_from_the_options() -> None:
    vendor = nvidia(NvidiaOptions(resource_count_name="x/gpu", runtime_class="nvidia"))
    container = build.pod(build.container(limits={"x/gpu": 1, "nvidia.com/gpu": 8})).containers[0]
    assert vendor.parse(container, {}).request == Request("NVIDIA", 1, None, 100, 100)
    assert (vendor.names.count, vendor.runtime_class) == ("x/gpu", "nvidia")


def test_cards_come_from_the_register() -> None:
    assert VENDOR.inventory(build.facts("n", 2)).devices == (build.device(0), build.device(1))
