"""A container's amounts to what it asks (facts 2.4 and 6.1), and every mistake with its field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hami_admission.model.request import Request
from hami_admission.settings import NvidiaOptions
from hami_admission.vendors.nvidia import nvidia
from hami_admission.vendors.vendor import NOTHING, Reading
from tests import build
from tests.build import Json, gpu

if TYPE_CHECKING:
    from collections.abc import Mapping


def _read(
    limits: Mapping[str, object] | None,
    requests: Json | None = None,
    options: NvidiaOptions | None = None,
) -> Reading:
    given = None if limits is None else dict(limits)
    container = build.pod(build.container(limits=given, requests=requests)).containers[0]
    return nvidia(options or NvidiaOptions()).parse(container, {})


ASKS: dict[str, tuple[Json, tuple[int, int | None, int, int], Json]] = {
    "a count alone is a whole card": (gpu(1), (1, None, 100, 100), gpu(1, cores=100)),
    "memory shares the card": (gpu(1, memory=2000), (1, 2000, 100, 0), gpu(1, memory=2000)),
    "half a card": (gpu(1, percent=50), (1, None, 50, 0), gpu(1, percent=50)),
    "100 % is a whole card": (
        gpu(1, percent=100),
        (1, None, 100, 100),
        gpu(1, percent=100, cores=100),
    ),
    "cores alone leave the memory whole": (gpu(1, cores=30), (1, None, 100, 30), gpu(1, cores=30)),
    "no cores of its own, said so": (gpu(1, cores=0), (1, None, 100, 0), gpu(1, cores=0)),
    "memory without a count": (gpu(memory=2000), (1, 2000, 100, 0), gpu(1, memory=2000)),
    "percentage without a count": (gpu(percent=50), (1, None, 50, 0), gpu(1, percent=50)),
    "cores without a count": (gpu(cores=30), (1, None, 100, 30), gpu(1, cores=30)),
    "memory 0 is given, so no cores are copied": (
        gpu(1, memory=0),
        (1, None, 100, 0),
        gpu(1, memory=0),
    ),
    "percentage 0 as well": (gpu(1, percent=0), (1, None, 100, 0), gpu(1, percent=0)),
    "memory 0 beside a percentage": (
        gpu(1, memory=0, percent=50),
        (1, None, 50, 0),
        gpu(1, memory=0, percent=50),
    ),
    "both memory forms: MiB decide": (
        gpu(1, memory=2000, percent=50),
        (1, 2000, 50, 0),
        gpu(1, memory=2000, percent=50),
    ),
    "texts and suffixes of thousands": (
        gpu("2", memory="8k", cores="30"),
        (2, 8000, 100, 30),
        gpu(2, memory=8000, cores=30),
    ),
    "fractions that are whole": (gpu(1.0, memory="2e3"), (1, 2000, 100, 0), gpu(1, memory=2000)),
    "the largest of everything": (
        gpu(64, memory=4194304, cores=100),
        (64, 4194304, 100, 100),
        gpu(64, memory=4194304, cores=100),
    ),
}


@pytest.mark.parametrize("sentence", ASKS)
def test_asks(sentence: str) -> None:
    given, expected, limits = ASKS[sentence]
    found = _read(given)
    lacking = {name: value for name, value in limits.items() if name not in given}
    assert (found.request, found.limits) == (Request("NVIDIA", *expected), lacking)
    assert found.objections == ()


@pytest.mark.parametrize("sentence", ASKS)
def test_requests_alone_are_copied_to_the_limits(sentence: str) -> None:
    given, expected, limits = ASKS[sentence]
    found = _read(None, given)
    assert (found.request, found.limits) == (Request("NVIDIA", *expected), limits)


@pytest.mark.parametrize("sentence", ASKS)
def test_the_limits_that_we_set_ask_for_the_same(sentence: str) -> None:
    given = ASKS[sentence][0]
    found = _read(given)
    again = _read({**given, **found.limits})
    assert (again.request, again.limits) == (found.request, {})


def test_limits_and_requests_complete_each_other() -> None:
    found = _read(gpu(1, memory=2000), {**gpu(memory="2k", cores=30), "cpu": 4})
    assert found.request == Request("NVIDIA", 1, 2000, 100, 30)
    assert found.limits == gpu(cores=30)


NOTHINGS: dict[str, Json | None] = {
    "no resources": None,
    "none of ours": {"cpu": 1, "memory": "8Gi"},
    "zero cards": gpu(0),
    "zeros of everything": gpu("0", memory=0, percent=0, cores="0"),
    "zeros and a priority": gpu(0, priority=1),
}


@pytest.mark.parametrize("sentence", NOTHINGS)
def test_asks_nothing(sentence: str) -> None:
    assert _read(NOTHINGS[sentence]) == NOTHING


REFUSED: dict[str, tuple[Json, str, str, str]] = {
    "negative cards": (gpu(-1), "gpu", "-1", "from 0 to 64 (cards of one container)"),
    "65 cards": (gpu(65), "gpu", "65", "from 0 to 64"),
    "half a card by count": (gpu("0.5"), "gpu", "0.5", "must be a whole number"),
    "a count in words": (gpu("one"), "gpu", "one", "'one' is not a Kubernetes quantity; write a"),
    "an exponent that is none": (gpu("1Ex"), "gpu", "1Ex", "write a whole number"),
    "negative memory": (gpu(1, memory=-1), "gpumem", "-1", "a whole number from 0 to 4194304"),
    "memory in bytes, with a suffix": (gpu(1, memory="8Gi"), "gpumem", "8Gi", "bytes write 8192"),
    "memory in bytes, in full": (
        gpu(1, memory=8589934592),
        "gpumem",
        "8589934592",
        "for 8589934592 bytes write 8192",
    ),
    "memory in kibibytes": (gpu(1, memory="8Ki"), "gpumem", "8Ki", "the unit is MiB already"),
    "memory in fractions": (gpu(1, memory="1.5"), "gpumem", "1.5", "a whole number"),
    "150 %": (gpu(1, percent=150), "gpumem-percentage", "150", "from 0 to 100 (percent of one"),
    "-1 %": (gpu(1, percent=-1), "gpumem-percentage", "-1", "from 0 to 100"),
    "101 cores": (gpu(1, cores=101), "gpucores", "101", "from 0 to 100 (percent of one card)"),
    "priority 2": (gpu(1, priority=2), "priority", "2", "must be 0 (high) or 1 (low)"),
    "priority -1": (gpu(1, priority=-1), "priority", "-1", "must be 0 (high) or 1 (low)"),
    "priority alone": (gpu(priority=1), "priority", "1", "a priority without cards; add nvidia.c"),
    "priority 0 alone": (gpu(priority=0), "priority", "0", "a priority without cards"),
    "no card but memory": (gpu(0, memory=2000), "gpu", "0", "a size (nvidia.com/gpumem); write 1"),
    "no card but sizes": (
        gpu(0, percent=50, cores=30),
        "gpu",
        "0",
        "a size (nvidia.com/gpumem-percentage, nvidia.com/gpucores)",
    ),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_refused(sentence: str) -> None:
    limits, name, value, advice = REFUSED[sentence]
    found = _read(limits)
    (objection,) = found.objections
    assert objection.field == f"spec.containers[0].resources.limits[nvidia.com/{name}]"
    assert objection.value == value
    assert advice in objection.advice
    assert (found.request, found.limits) == (None, {})


def test_no_hint_where_the_number_means_no_bytes_either() -> None:
    for memory in ("8Ki", -1, "1.5", "1e30"):
        (objection,) = _read(gpu(1, memory=memory)).objections
        assert "bytes write" not in objection.advice


def test_every_mistake_is_named() -> None:
    fields = [each.field for each in _read(gpu(-1, memory="8Gi", percent=101)).objections]
    assert [field.partition("[nvidia.com/")[2] for field in fields] == [
        "gpu]",
        "gpumem]",
        "gpumem-percentage]",
    ]


REQUESTS: dict[str, tuple[Json | None, Json, str, str]] = {
    "a request that differs from its limit": (
        gpu(2),
        gpu(1),
        "1",
        "differs from the limit 2; make both equal, or leave the request out",
    ),
    "a request that cannot be": (None, gpu(-1), "-1", "from 0 to 64"),
    "a request that is no quantity": (None, gpu("one"), "one", "write a whole number"),
    "a request that is no quantity beside a limit": (gpu(1), gpu("one"), "one", "differs"),
    "a fraction beside a limit": (gpu(1), gpu("0.5"), "0.5", "differs from the limit 1"),
}


@pytest.mark.parametrize("sentence", REQUESTS)
def test_mistakes_of_requests_name_the_request(sentence: str) -> None:
    limits, requests, value, advice = REQUESTS[sentence]
    (objection,) = _read(limits, requests).objections
    assert objection.field == "spec.containers[0].resources.requests[nvidia.com/gpu]"
    assert objection.value == value
    assert advice in objection.advice


@pytest.mark.parametrize("priority", [0, 1, "1"])
def test_priority_beside_cards(priority: object) -> None:
    found = _read(gpu(1, memory=2000, priority=priority))
    assert found.priority == int(str(priority))
    assert found.limits == {}


SHARE = gpu(1, memory=2000)

WARNED: dict[str, tuple[Json, list[str]]] = {
    "both memory forms": (
        gpu(1, memory=2000, percent=50),
        ["both nvidia.com/gpumem and nvidia.com/gpumem-percentage are given; nvidia.com/gpumem"],
    ),
    "memory 0": (gpu(1, memory=0), ["nvidia.com/gpumem: 0 means the whole memory"]),
    "percentage 0": (gpu(1, percent=0), ["nvidia.com/gpumem-percentage: 0 means the whole"]),
    "both 0": (gpu(1, memory=0, percent=0), ["nvidia.com/gpumem: 0", "gpumem-percentage: 0"]),
    "memory 0 beside a percentage": (gpu(1, memory=0, percent=50), []),
    "a part of the memory, and all cores": (
        gpu(1, memory=4096, cores=100),
        ["nvidia.com/gpucores: 100 keeps the card to this container alone"],
    ),
    "a percentage, and all cores": (gpu(1, percent=50, cores=100), ["write less, or 0 for no"]),
    "what merged maps of a chart leave": (
        gpu(1, memory=4096, percent=100, cores=100),
        ["nvidia.com/gpucores: 100 keeps", "nvidia.com/gpumem decides"],
    ),
    "a whole card, said in full": (gpu(1, percent=100, cores=100), []),
    "nothing to guess": (gpu(1, memory=2000), []),
    "a whole card": (gpu(1), []),
}


@pytest.mark.parametrize("sentence", WARNED)
def test_warnings(sentence: str) -> None:
    limits, expected = WARNED[sentence]
    found = _read(limits).warnings
    assert len(found) == len(expected)
    for warning, part in zip(found, expected, strict=True):
        assert warning.startswith("spec.containers[0]: ")
        assert part in warning


@pytest.mark.parametrize("own", [SHARE, gpu(1), gpu(cores=10)], ids=["share", "whole", "cores"])
@pytest.mark.parametrize("field", ["limits", "requests"])
def test_a_static_mig_instance_and_a_share_do_not_go_together(own: Json, field: str) -> None:
    mig = {"nvidia.com/mig-4g.71gb": 1}
    found = _read({**own, **mig}) if field == "limits" else _read(own, mig)
    assert found.request is None
    (objection,) = found.objections
    assert objection.field == f"spec.containers[0].resources.{field}[nvidia.com/mig-4g.71gb]"
    assert objection.advice.endswith(f"remove {', '.join(own)}, or nvidia.com/mig-4g.71gb")


def test_a_static_mig_instance_alone_is_not_ours() -> None:
    assert _read({"nvidia.com/mig-1g.10gb": 1}) == NOTHING
    assert _read({"nvidia.com/mig-1g.10gb": 1, **gpu(0)}) == NOTHING


DEFAULTS: dict[str, tuple[Json, NvidiaOptions, tuple[int, int | None, int, int]]] = {
    "cards": (gpu(memory=2000), NvidiaOptions(default_gpu_num=2), (2, 2000, 100, 0)),
    "cores of a shared card": (
        gpu(1, memory=2000),
        NvidiaOptions(default_cores=30),
        (1, 2000, 100, 30),
    ),
    "not of a whole card": (gpu(1), NvidiaOptions(default_cores=30), (1, None, 100, 100)),
    "not where cores are given": (
        gpu(1, cores=10),
        NvidiaOptions(default_cores=30),
        (1, None, 100, 10),
    ),
    "memory": (gpu(1, cores=10), NvidiaOptions(default_memory=5000), (1, 5000, 100, 10)),
    "memory where 0 is given": (
        gpu(1, memory=0),
        NvidiaOptions(default_memory=5000),
        (1, 5000, 100, 0),
    ),
    "not where memory is given": (
        gpu(1, memory=20),
        NvidiaOptions(default_memory=5000),
        (1, 20, 100, 0),
    ),
    "not where a share is given": (
        gpu(1, percent=9),
        NvidiaOptions(default_memory=5000),
        (1, None, 9, 0),
    ),
}


@pytest.mark.parametrize("sentence", DEFAULTS)
def test_defaults_of_the_settings(sentence: str) -> None:
    limits, options, expected = DEFAULTS[sentence]
    assert _read(limits, options=options).request == Request("NVIDIA", *expected)


def test_without_a_default_count_a_size_alone_is_refused() -> None:
    (objection,) = _read(gpu(memory=2000), options=NvidiaOptions(default_gpu_num=0)).objections
    assert objection.field == "spec.containers[0].resources.limits[nvidia.com/gpu]"
    assert objection.value == "absent"


def test_memory_0_does_not_mean_the_whole_card_where_a_default_is_set() -> None:
    (warning,) = _read(gpu(1, memory=0), options=NvidiaOptions(default_memory=5000)).warnings
    assert "whole memory" not in warning
