"""The cards of a node, as long as somebody serves them (facts 4.3)."""

from __future__ import annotations

import math

import pytest

from hami_admission.vendors import inventory
from hami_admission.wire import registers
from hami_admission.wire.errors import Malformed
from hami_admission.wire.nodes import NodeFacts
from tests import build

CARDS = (build.device(0), build.device(1))
REGISTER = {"reg": registers.encode(CARDS)}
ASKED = {"shake": "Requesting_1970-01-01 00:00:00"}

CASES: dict[str, tuple[NodeFacts, inventory.Inventory]] = {
    "registered": (NodeFacts("n", REGISTER), inventory.Inventory(CARDS)),
    "not registered": (NodeFacts("n"), inventory.Inventory()),
    "a blank register": (NodeFacts("n", {"reg": " "}), inventory.Inventory()),
    "registered and offered": (
        NodeFacts("n", REGISTER, {"x/gpu": "20"}),
        inventory.Inventory(CARDS),
    ),
    "the kubelet offers none: the plugin is gone": (
        NodeFacts("n", REGISTER, {"x/gpu": "0"}),
        inventory.Inventory(),
    ),
    "the kubelet offers other things only": (
        NodeFacts("n", REGISTER, {"cpu": "0"}),
        inventory.Inventory(CARDS),
    ),
    "asked and not offered: a minute from then": (
        NodeFacts("n", {**REGISTER, **ASKED}),
        inventory.Inventory(CARDS, 60),
    ),
    "asked but still offered": (
        NodeFacts("n", {**REGISTER, **ASKED}, {"x/gpu": 20}),
        inventory.Inventory(CARDS, math.inf),
    ),
    "asked and offered none": (
        NodeFacts("n", {**REGISTER, **ASKED}, {"x/gpu": 0}),
        inventory.Inventory(),
    ),
    "answered": (
        NodeFacts("n", {**REGISTER, "shake": "Reported 1970"}),
        inventory.Inventory(CARDS),
    ),
}


@pytest.mark.parametrize("sentence", CASES)
def test_registered(sentence: str) -> None:
    facts, expected = CASES[sentence]
    found = inventory.registered(facts, register="reg", handshake="shake", count="x/gpu")
    assert found == expected


@pytest.mark.parametrize(
    "facts",
    [NodeFacts("n", {"reg": "damaged"}), NodeFacts("n", REGISTER, {"x/gpu": "many"})],
    ids=["a damaged register", "a damaged amount"],
)
def test_damaged(facts: NodeFacts) -> None:
    with pytest.raises(Malformed):
        inventory.registered(facts, register="reg", handshake="shake", count="x/gpu")
