"""Iluvatar (facts/devices.md 11): four chips, several cards whole, the container's name."""

from __future__ import annotations

from typing import Any

import pytest

from hami_admission.admission import admit, changes
from hami_admission.model.grant import Grant
from hami_admission.model.node import Handover
from hami_admission.model.pod import EnvVar
from hami_admission.model.request import Request
from hami_admission.options import IluvatarChip
from hami_admission.settings import Settings
from hami_admission.vendors import table
from hami_admission.vendors.iluvatar import iluvatar
from tests import build
from tests.vendors import family

CHIP = family.of("BI-V150")
COUNT, MEMORY = "iluvatar.ai/BI-V150-vgpu", "iluvatar.ai/BI-V150.vMem"
CORES = "iluvatar.ai/BI-V150.vCore"
REGISTER = "GPU-a,16,32768,100,BI-V150,0,true:GPU-b,16,32768,100,BI-V150,0,true,1,hami:"
NODE = family.node({"hami.io/node-BI-V150-register": REGISTER})
CARDS = family.cards(CHIP, NODE)


def ask(count: object = None, memory: object = None, cores: object = None) -> family.Json:
    """Amounts by Iluvatar's names."""
    named = {COUNT: count, MEMORY: memory, CORES: cores}
    return {name: value for name, value in named.items() if value is not None}


Asked = tuple[Request | str | None, dict[str, int]]
REQUESTS: dict[str, tuple[family.Json, Asked]] = {
    "a part in units of 256 MiB": (ask(1, 4, 50), (Request("BI-V150", 1, 1024, 100, 50), {})),
    "no limit of cores unless it says": (ask(1, 4), (Request("BI-V150", 1, 1024, 100, 0), {})),
    "no memory is the whole card's": (ask(1), (Request("BI-V150", 1, None, 100, 0), {})),
    "several have all their cores": (
        ask(2, 4), (Request("BI-V150", 2, 1024, 100, 100), {CORES: 200}),
    ),
    "several with the cores of one": (
        ask(2, cores=50), (Request("BI-V150", 2, None, 100, 100), {CORES: 200}),
    ),
    "several as they were left": (ask(2, 4, 200), (Request("BI-V150", 2, 1024, 100, 100), {})),
    "as the API server writes them": (
        ask("10", 4, "1k"), (Request("BI-V150", 10, 1024, 100, 100), {}),
    ),
    "a size alone is one card's": (ask(cores=50), (Request("BI-V150", 1, None, 100, 50),
        {COUNT: 1})),
    "zero asks nothing": (ask(0), (None, {})),
    "bytes": (ask(1, "4Gi"), (f"limits[{MEMORY}]: Invalid value: 4Gi: the unit is 256 MiB", {})),
    "more than a card's cores": (ask(1, 4, 200), (f"limits[{CORES}]: Invalid value: 200", {})),
    "a count that is none": (ask(-2, 4, 50), (f"limits[{COUNT}]: Invalid value: -2: must be", {})),
}  # fmt: skip


@pytest.mark.parametrize("sentence", REQUESTS)
def test_request(sentence: str) -> None:
    limits, (expected, rewritten) = REQUESTS[sentence]
    reading = family.read(CHIP, limits)
    if isinstance(expected, str):
        assert expected in family.objection(reading)
    else:
        assert (reading.request, reading.limits) == (expected, rewritten)


WARNED: dict[str, tuple[family.Json, list[str]]] = {
    "an amount of the user's": (ask(2, cores=50), [
        f"spec.containers[0]: {CORES}: 50 is not 2 whole cards, so it is made 200",
    ]),
    "the right amount": (ask(2, cores=200), []),
    "no amount": (ask(2), []),
}  # fmt: skip


@pytest.mark.parametrize("sentence", WARNED)
def test_what_is_overruled_is_said(sentence: str) -> None:
    limits, expected = WARNED[sentence]
    assert list(family.read(CHIP, limits).warnings) == expected


BY_HAND = [{"name": "SOL_CONTINER_NAME", "value": "mine"}]
ADMITTED: dict[str, build.Json] = {
    "several": build.container(limits=ask(2, 4)),
    "several, with too few cores": build.container(limits=ask(2, 4, 50)),
    "in requests too": build.container(limits=ask(2, 4, 50), requests=ask(2, 4, 50)),
    "in requests alone": build.container(requests=ask(2, 4, 50)),
    "in requests in part": build.container(limits=ask(2), requests=ask(2, 4, 50)),
    "in requests wrongly": build.container(limits=ask(2, 4, 200), requests=ask(2, 4, 50)),
    "a name by hand": build.container(limits=ask(1, 4), env=BY_HAND),
}


@pytest.mark.parametrize("sentence", ADMITTED)
def test_admission_asks_for_no_further_change(sentence: str) -> None:
    settings = Settings()
    vendors = table.build(settings)
    document = build.pod_json(ADMITTED[sentence])
    decision = admit.decide(build.noun(document), vendors, settings)
    assert decision.objections == ()
    left = changes.apply(document, changes.operations(decision.changes))
    again = admit.decide(build.noun(left), vendors, settings)
    assert (again.changes, again.requests) == ((), decision.requests)
    amounts = build.noun(left).containers[0]
    limits = amounts.limits or {}
    assert all(str(limits[name]) == str(each) for name, each in (amounts.requests or {}).items())


def test_a_container_with_cards_has_its_name() -> None:
    assert family.read(CHIP, ask(1)).env == (EnvVar("SOL_CONTINER_NAME", "main"),)
    named = build.pod(build.container(limits=ask(1), env=BY_HAND)).containers[0]
    assert CHIP.parse(named, {}).env == ()
    assert family.read(CHIP, ask(0)).env == ()


def test_each_chip_is_a_family() -> None:
    for word in ("MR-V100", "MR-V50", "BI-V150", "BI-V100"):
        chip = family.of(word)
        facts = family.node({f"hami.io/node-{word}-register": f"GPU-a,1,1,100,{word},0,true:"})
        assert [device.type for device in chip.inventory(facts).devices] == [word]
        assert chip.inventory(facts).handover == Handover("hami.io/mutex.lock")
        assert chip.names.counted == (
            f"iluvatar.ai/{word}-vgpu", f"iluvatar.ai/{word}.vMem", f"iluvatar.ai/{word}.vCore",
        )  # fmt: skip
        assert chip.names.in_units(1024) == 4
    own = IluvatarChip(
        chip_name="X1",
        common_word="X",
        resource_count_name="x/n",
        resource_memory_name="x/m",
        resource_core_name="x/c",
    )
    (made,) = iluvatar((own,))
    assert (made.word, made.names.all) == ("X", ("x/n", "x/m", "x/c"))


def test_a_plugin_that_does_not_answer_is_gone() -> None:
    shake = {"hami.io/node-handshake-BI-V150": "Requesting_1970-01-01 00:00:00"}
    assert CHIP.inventory(family.node({**NODE.annotations, **shake})).until == 60


USED = family.holding(CARDS, ((Grant("GPU-a", "BI-V150", 32000, 60),),))
CASES: dict[str, tuple[Any, family.Json, Any]] = {
    "a part beside another": (USED, ask(1, 3, 40), [0]),
    "no memory left there": (USED, ask(1, 4, 40), [1]),
    "no cores left there": (USED, ask(1, 3, 41), [1]),
    "several want whole cards": (
        USED, ask(2, 1), "1/2 AllocatedCardsInsufficientRequest, 1/2 CardInsufficientCore",
    ),
    "several": (CARDS, ask(2, 1), [0, 1]),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CASES)
def test_choice(sentence: str) -> None:
    given, limits, expected = CASES[sentence]
    found = family.choose(CHIP, given, family.read(CHIP, limits))
    assert (found if isinstance(found, str) else family.indices(given, found)) == expected


def test_the_annotations_have_the_chips_name() -> None:
    for key, value in (
        ("hami.io/use-BI-V150-uuid", "GPU-b"),
        ("hami.io/no-use-BI-V150-uuid", "GPU-a"),
    ):
        found = family.place(CHIP, CARDS, ask(1, 4, 50), notes={key: value})
        assert not isinstance(found, str)
        grants, notes = found
        assert notes["hami.io/BI-V150-devices-to-allocate"] == "GPU-b,BI-V150,1024,50:;"
        assert notes["hami.io/BI-V150-devices-allocated"] == "GPU-b,BI-V150,1024,50:;"
        assert CHIP.recall(notes) == grants
