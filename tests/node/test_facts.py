"""Names of cards, in every spelling that drivers and kernels use."""

from __future__ import annotations

import pytest

from hami_admission.node import facts
from tests.node.cards import card, instance, uuid

SPELLINGS = {
    "as NVML has it now": "00000000:1A:00.0",
    "as NVML had it": "0000:1A:00.0",
    "as the kernel logs it": "0000:1a:00.0",
}


@pytest.mark.parametrize("sentence", SPELLINGS)
def test_a_bus_id_is_known_in_each_spelling(sentence: str) -> None:
    found = facts.names([card(0, bus_id="00000000:1A:00.0"), card(1)])
    assert found[facts.key(SPELLINGS[sentence])] == uuid(0)
    assert facts.sysfs_name(SPELLINGS[sentence]) == "0000:1a:00.0"


def test_domains_are_told_apart() -> None:
    assert facts.key("00010000:1A:00.0") != facts.key("00000000:1A:00.0")


def test_an_instance_names_its_card() -> None:
    found = facts.names([
        card(0),
        card(1, instances=(instance("MIG-1"), instance("MIG-2"), instance(""))),
    ])
    assert found[facts.key("MIG-2")] == uuid(1)
    assert found[facts.key(uuid(0))] == uuid(0)
    assert facts.key("MIG-3") not in found
    assert "" not in found
