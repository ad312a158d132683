"""Cards of a driver and options to what the node registers (facts/node.md 1.7)."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.model.device import Device, Profile
from hami_admission.node import inventory
from hami_admission.node.facts import CardFacts, Level, ProfileFacts
from hami_admission.node.options import Allowed, Options
from hami_admission.wire import keys, registers
from tests.node.cards import HALF, MEDIA, PROFILES, SEVENTH, WHOLE, bus, card, uuid

PLAIN = Device(uuid(0), 0, "NVIDIA A100-SXM4-40GB", 10, 40960, 100)


def only(found: CardFacts, **options: Any) -> Device:
    """What is offered of one card."""
    (device,) = inventory.build([found], Options(**options), {}).devices
    return device


SHARED: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "nothing said": ({}, {}, {}),
    "shared by four": ({}, {"split_count": 4}, {"slots": 4}),
    "memory promised twice": ({}, {"memory_scaling": 2.0}, {"memory_mib": 81920}),
    "memory rounds down": ({"memory_mib": 81559}, {"memory_scaling": 1.1}, {"memory_mib": 89714}),
    "less than there is": ({}, {"memory_scaling": 0.5}, {"memory_mib": 20480}),
    "cores promised twice": ({}, {"core_scaling": 2.0}, {"cores": 200}),
    "a share of cores is exact": ({}, {"core_scaling": 1.15}, {"cores": 115}),
    "another name": ({"name": "Tesla P4"}, {}, {"type": "NVIDIA-Tesla P4"}),
    "its NUMA node": ({"numa": 1}, {}, {"numa": 1}),
    "no NUMA node": ({"numa": None}, {}, {"numa": 0}),
    "memory that no driver tells": (
        {"memory_mib": None},
        {"preconfigured_memory_mib": 122880, "memory_scaling": 2.0},
        {"memory_mib": 245760},
    ),
    "what the driver tells counts": ({}, {"preconfigured_memory_mib": 5}, {}),
    "mode mps": ({}, {"mode": "mps"}, {"mode": "mps"}),
}


@pytest.mark.parametrize("sentence", SHARED)
def test_shared_cards(sentence: str) -> None:
    fields, options, changed = SHARED[sentence]
    assert only(card(0, **fields), **options) == msgspec.structs.replace(PLAIN, **changed)


def test_a_card_in_instances_is_not_scaled() -> None:
    """Facts: 14 of 98 multiprocessors are 15 percent; the example of facts/devices.md 3.1."""
    found = only(
        card(0, mig=True, profiles=PROFILES),
        mode="mig",
        memory_scaling=2.0,
        core_scaling=2.0,
        split_count=3,
    )
    assert found == msgspec.structs.replace(
        PLAIN,
        slots=7,
        mode="mig",
        units=8,
        profiles=(
            Profile("1g.5gb", 4864, 15, 1, SEVENTH.places),
            Profile("3g.20gb", 19968, 43, 3, ((0, 4), (4, 4))),
            Profile("7g.40gb", 40192, 100, 7, ((0, 8),)),
        ),
    )


A100 = Allowed(("A100-PCIE-40GB", "A100-SXM4-40GB"), ("1g.5gb", "7g.40gb", "9g.99gb"))
ALLOWED: dict[str, tuple[tuple[Allowed, ...] | None, tuple[ProfileFacts, ...], int]] = {
    "no list: all but variants": (None, (SEVENTH, HALF, WHOLE), 7),
    "a list that names the model": ((A100,), (SEVENTH, WHOLE), 7),
    "a list that names another": ((Allowed(("A30",), ("1g.5gb",)),), (), 0),
    "several entries": (
        (Allowed(("A100",), ("3g.20gb",)), Allowed(("SXM4",), ("1g.5gb+me",))),
        (MEDIA, HALF),
        2,
    ),
    "an empty list": ((), (), 0),
}


@pytest.mark.parametrize("sentence", ALLOWED)
def test_profiles_that_are_allowed(sentence: str) -> None:
    allowed, profiles, slots = ALLOWED[sentence]
    found = only(card(0, mig=True, profiles=PROFILES), mode="mig", mig_profiles=allowed)
    assert [each.name for each in found.profiles] == [each.name for each in profiles]
    assert found.slots == slots


def test_shares_are_of_the_largest_profile_even_if_it_is_not_allowed() -> None:
    found = only(
        card(0, mig=True, profiles=PROFILES),
        mode="mig",
        mig_profiles=(Allowed(("A100",), ("1g.5gb",)),),
    )
    assert [each.cores for each in found.profiles] == [15]


CARDS = tuple(card(n) for n in range(4))


def test_hidden_cards_are_not_there() -> None:
    options = Options(hidden_uuids=(uuid(1), "GPU-other"), hidden_indexes=(3, 9))
    found = inventory.build(CARDS, options, {uuid(1): "Xid 79"})
    assert [device.uuid for device in found.devices] == [uuid(0), uuid(2)]
    assert found.cards == (CARDS[0], CARDS[2])
    assert found.left_out == dict.fromkeys((uuid(1), uuid(3)), "hidden by filterdevices")
    assert found.sick == {}


def test_a_card_of_unknown_size_is_left_out_with_the_way_out() -> None:
    found = inventory.build((card(0, memory_mib=None), card(1)), Options(), {})
    assert [device.uuid for device in found.devices] == [uuid(1)]
    assert "preConfiguredDeviceMemory" in found.left_out[uuid(0)]


def test_sick_cards_are_offered_as_such() -> None:
    found = inventory.build(CARDS, Options(), {uuid(2): "Xid 79", "GPU-other": "lost"})
    assert [device.healthy for device in found.devices] == [True, True, False, True]
    assert found.sick == {uuid(2): "Xid 79"}


@pytest.mark.parametrize(
    ("mode", "mig", "words"),
    [
        ("hami-core", True, "MIG is on, and operatingmode hami-core does not ask for it"),
        ("mps", True, "MIG is on, and operatingmode mps does not ask for it"),
        ("mig", False, "MIG is off, and operatingmode mig asks for it"),
    ],
)
def test_a_card_in_another_mode_than_its_node_is_of_no_use(
    mode: Any, mig: bool, words: str
) -> None:
    found = inventory.build((card(0, mig=mig, profiles=PROFILES),), Options(mode=mode), {})
    assert (found.devices[0].healthy, found.devices[0].mode) == (False, mode)
    assert found.sick == {uuid(0): words}


def test_numa_nodes_are_told_where_that_is_set_and_known() -> None:
    found = inventory.build((card(0, numa=None), card(1, numa=0), card(2, numa=1)), Options(), {})
    assert inventory.numa_nodes(found, Options()) == {}
    told = inventory.numa_nodes(found, Options(numa_topology=True))
    assert told == {uuid(1): 0, uuid(2): 1}


LINKED = (
    card(0, nvlinks=(bus(1), bus(1)), levels=((uuid(1), Level.SAME_BOARD),)),
    card(1, nvlinks=(bus(0), bus(0))),
)


def test_scores_are_published_where_that_is_set() -> None:
    on, off = Options(), Options(topology_scores=False)
    found = inventory.build(LINKED, on, {})
    assert inventory.published(found, off)[keys.NVIDIA_SCORES] is None
    text = inventory.published(found, on)[keys.NVIDIA_SCORES] or ""
    assert text == (
        f'[{{"uuid":"{uuid(0)}","score":{{"{uuid(1)}":260}}}},'
        f'{{"uuid":"{uuid(1)}","score":{{"{uuid(0)}":260}}}}]'
    )
    assert registers.decode_scores(text, (uuid(0), uuid(1))) == ((0, 260), (260, 0))
    nothing = inventory.build((), on, {})
    assert inventory.published(nothing, on) == {
        keys.NVIDIA_REGISTER: "[]",
        keys.NVIDIA_SCORES: None,
        keys.NVIDIA_HANDSHAKE: None,
    }


nodes = st.lists(
    st.builds(
        card,
        st.integers(0, 9),
        name=st.sampled_from(("NVIDIA A100-SXM4-40GB", "Tesla P4", "NVIDIA GB10")),
        memory_mib=st.none() | st.integers(0, 300_000),
        numa=st.none() | st.integers(0, 7),
        mig=st.booleans(),
        profiles=st.sampled_from(((), PROFILES)),
        nvlinks=st.lists(st.integers(0, 9).map(bus), max_size=3).map(tuple),
    ),
    max_size=8,
    unique_by=lambda each: each.uuid,
)
settings = st.builds(
    Options,
    mode=st.sampled_from(("hami-core", "mig", "mps")),
    split_count=st.integers(1, 1000),
    memory_scaling=st.floats(0.001, 100),
    core_scaling=st.floats(0.001, 100),
    preconfigured_memory_mib=st.sampled_from((0, 122_880)),
    hidden_indexes=st.lists(st.integers(0, 9), max_size=2).map(tuple),
    topology_scores=st.just(True),
)
sick = st.lists(st.integers(0, 9).map(uuid)).map(lambda each: dict.fromkeys(each, "Xid 79"))


@given(nodes, settings, sick, st.integers())
def test_any_node_is_published_so_that_we_read_what_was_meant(
    cards: list[CardFacts], options: Options, sick: dict[str, str], seed: int
) -> None:
    found = inventory.build(cards, options, sick)
    texts = inventory.published(found, options)
    assert registers.decode(texts[keys.NVIDIA_REGISTER] or "") == found.devices
    assert {device.uuid for device in found.devices} | found.left_out.keys() == {
        each.uuid for each in cards
    }
    assert {each.uuid for each in found.devices if not each.healthy} == found.sick.keys()
    assert [each.uuid for each in found.cards] == [each.uuid for each in found.devices]
    mixed = random.Random(seed).sample(cards, len(cards))
    assert inventory.published(inventory.build(mixed, options, sick), options) == texts
