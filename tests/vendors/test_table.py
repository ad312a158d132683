"""All families, and what a pod asks of them."""

from __future__ import annotations

import math

import pytest

from hami_admission.model.node import Node
from hami_admission.model.request import Request
from hami_admission.settings import Settings
from hami_admission.vendors import table
from hami_admission.wire import keys
from hami_admission.wire.nodes import NodeFacts
from tests import build
from tests.build import gpu

VENDORS = table.build(Settings())
SHARED = Request("NVIDIA", 1, 2000, 100, 0)


def test_families_are_found_by_their_word() -> None:
    assert table.by_word(VENDORS, "NVIDIA") is VENDORS[0]
    with pytest.raises(KeyError, match="Abacus"):
        table.by_word(VENDORS, "Abacus")


def test_each_slot_is_read_and_requests_are_by_slot() -> None:
    pod = build.pod(
        build.container("plain"),
        build.container("user", gpu(1, memory=2000)),
        init=(build.container("init", gpu(1, memory=2000)),),
    )
    readings = table.read(VENDORS, pod)
    assert [slot.request for slot in readings["NVIDIA"]] == [SHARED, None, SHARED]
    assert table.requests(readings) == ((SHARED,), (), (SHARED,))


def test_a_pod_that_asks_nothing_speaks_of_no_family() -> None:
    assert table.read(VENDORS, build.pod(build.container(limits=gpu(0)))) == {}
    assert table.read(VENDORS, build.pod()) == {}
    assert table.requests({}) == ()


def test_a_mistake_speaks_of_the_family_too() -> None:
    readings = table.read(VENDORS, build.pod(build.container(limits=gpu(-1))))
    assert len(readings["NVIDIA"][0].objections) == 1
    assert table.requests(readings) == ((),)


def test_a_node_has_the_cards_that_it_registered() -> None:
    cards = (build.device(0), build.device(1))
    assert table.node(VENDORS, build.facts("n", 2)) == Node("n", {"NVIDIA": cards})
    assert table.node(VENDORS, NodeFacts("n")) == Node("n")


def test_cards_of_a_silent_plugin_have_an_end() -> None:
    facts = build.facts("n", 1)
    asked = {**facts.annotations, keys.NVIDIA_HANDSHAKE: "Requesting_1970-01-01 00:00:00"}
    assert table.node(VENDORS, NodeFacts("n", asked)).until == 60
    offered = NodeFacts("n", asked, {"nvidia.com/gpu": 10})
    assert table.node(VENDORS, offered).until == math.inf


DAMAGED: dict[str, NodeFacts] = {
    "a register": NodeFacts("n", {keys.NVIDIA_REGISTER: "damaged"}),
    "an amount": NodeFacts("n", build.facts("n").annotations, {"nvidia.com/gpu": "1Ex"}),
}


@pytest.mark.parametrize("sentence", DAMAGED)
def test_a_damaged_node_offers_nothing_and_says_so(sentence: str) -> None:
    found = table.node(VENDORS, DAMAGED[sentence])
    assert found.devices == {}
    assert list(found.mistakes) == ["NVIDIA"]
    assert found.mistakes["NVIDIA"]
