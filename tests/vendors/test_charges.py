"""What a request takes of a card, or why it does not fit (facts 6.2 rows 8 to 11, and 23)."""

from __future__ import annotations

from typing import Any

import pytest

from hami_admission.model.card import Card
from hami_admission.model.grant import Grant
from hami_admission.model.request import Request
from hami_admission.model.verdict import Reason
from hami_admission.vendors import charges
from tests import build


def _card(memory: int = 40960, cores: int = 100, **used: Any) -> Card:
    return Card(build.device(memory_mib=memory, cores=cores), **used)


def _ask(memory: int | None = None, percent: int = 100, cores: int = 0) -> Request:
    return Request("NVIDIA", 1, memory, percent, cores)


CASES: dict[str, tuple[Card, Request, tuple[int, int] | Reason]] = {
    "MiB and cores": (_card(), _ask(3000, cores=20), (3000, 20)),
    "50 % of 40960": (_card(), _ask(percent=50), (20480, 0)),
    "33 % of 40960": (_card(), _ask(percent=33), (13516, 0)),
    "the whole card": (_card(), _ask(cores=100), (40960, 100)),
    "the last MiB": (_card(memory_mib=38960), _ask(2000), (2000, 0)),
    "one MiB too many": (_card(memory_mib=38961), _ask(2000), Reason.CARD_INSUFFICIENT_MEMORY),
    "a percentage counts the whole card, not its rest": (
        _card(memory_mib=20481),
        _ask(percent=50),
        Reason.CARD_INSUFFICIENT_MEMORY,
    ),
    "the last cores": (_card(cores=100), _ask(1, cores=99), (1, 99)),
    "too few cores": (
        Card(build.device(), slots=1, cores=71),
        _ask(1, cores=30),
        Reason.CARD_INSUFFICIENT_CORE,
    ),
    "memory is looked at before cores": (
        Card(build.device(memory_mib=10), memory_mib=10, cores=100),
        _ask(1, cores=30),
        Reason.CARD_INSUFFICIENT_MEMORY,
    ),
    "100 cores on a card in use": (
        _card(slots=1),
        _ask(1, cores=100),
        Reason.CARD_EXCLUSIVE_CONFLICT,
    ),
    "100 cores on a card in use whose cores are scaled": (
        _card(cores=200, slots=1),
        _ask(1, cores=100),
        Reason.CARD_EXCLUSIVE_CONFLICT,
    ),
    "99 cores share a card": (_card(slots=1), _ask(1, cores=99), (1, 99)),
    "no cores on a card whose cores are all given": (
        Card(build.device(), slots=1, cores=100),
        _ask(1),
        Reason.CARD_CORES_EXHAUSTED,
    ),
    "no cores beside 99": (Card(build.device(), slots=1, cores=99), _ask(1), (1, 0)),
    "no cores on a card that counts none": (_card(cores=0), _ask(1), (1, 0)),
    "a card of which more is taken than it has": (
        _card(memory_mib=50000),
        _ask(1),
        Reason.CARD_INSUFFICIENT_MEMORY,
    ),
}


@pytest.mark.parametrize("sentence", CASES)
def test_fluid(sentence: str) -> None:
    card, request, expected = CASES[sentence]
    found = charges.fluid(card, request)
    if isinstance(expected, Reason):
        assert found is expected
    else:
        assert found == Grant(card.device.uuid, "NVIDIA", *expected)
