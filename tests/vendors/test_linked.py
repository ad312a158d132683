"""Cards that belong together: one NUMA node, NVLinks; the sets themselves: tests/topology."""

from __future__ import annotations

from typing import Any

import pytest

from hami_admission.model.card import Card
from hami_admission.model.grant import Grant
from hami_admission.model.verdict import Reason
from hami_admission.model.wishes import Topology, Wishes
from hami_admission.vendors import linked
from tests import build
from tests.topology.matrices import cliques

PREFERRED, REQUIRED = Topology.PREFERRED, Topology.REQUIRED
PAIR_AND_FOUR = cliques(4, 2)


def wishes(topology: Topology = Topology.IGNORED, *, numa: bool = False) -> Wishes:
    """Wishes about cards that go together."""
    return Wishes("binpack", ("spread",), numa_bind=numa, topology=topology)


def able(*order: int, numa: str = "000000", **fields: Any) -> list[tuple[Card, Grant]]:
    """Candidates in that order, of a node whose cards 0 to 3 and 4 to 5 are linked."""
    given = {"links": PAIR_AND_FOUR, **fields}
    return [
        (Card(build.device(n, position=n, numa=int(numa[n]), **given)), Grant(f"{n}", "N", 1, 0))
        for n in order
    ]


CASES: dict[str, tuple[list[tuple[Card, Grant]], int, Wishes, list[int] | Reason]] = {
    "the first, without a wish": (able(3, 1, 0, 5), 2, wishes(), [3, 1]),
    "an island of the size": (able(0, 1, 2, 3, 4, 5), 2, wishes(PREFERRED), [4, 5]),
    "part of the larger one": (able(0, 1, 2, 3, 4, 5), 3, wishes(PREFERRED), [0, 1, 2]),
    "as linked as can be": (able(0, 1, 4), 3, wishes(PREFERRED), [0, 1, 4]),
    "linked or not at all": (able(0, 1, 4), 3, wishes(REQUIRED), Reason.TOPOLOGY_NOT_FIT),
    "linked, and there is": (able(5, 0, 1, 4), 2, wishes(REQUIRED), [0, 1]),
    "one card needs no link": (able(4, 0), 1, wishes(REQUIRED), [0]),
    "no scores: by order": (able(3, 1, links=()), 2, wishes(PREFERRED), [3, 1]),
    "no scores, but links are required": (
        able(3, 1, links=()), 2, wishes(REQUIRED), Reason.TOPOLOGY_NOT_FIT,
    ),
    "one card without scores": (able(3, 1, links=()), 1, wishes(REQUIRED), [3]),
    "one NUMA node, of the best candidate": (
        able(2, 0, 1, 3, numa="000111"), 2, wishes(numa=True), [2, 0],
    ),
    "the best candidate's has too few": (
        able(3, 0, 1, 2, numa="000111"), 2, wishes(numa=True), [0, 1],
    ),
    "an earlier node that fits is not lost for a later one": (
        able(0, 1, 3, numa="000111"), 2, wishes(numa=True), [0, 1],
    ),
    "no NUMA node has enough": (
        able(0, 3, numa="000111"), 2, wishes(numa=True), Reason.NUMA_NOT_FIT,
    ),
    "linked within a NUMA node": (
        able(0, 1, 2, 3, 4, 5, numa="000111"), 2, wishes(REQUIRED, numa=True), [0, 1],
    ),
    "the second NUMA node is linked, the first not": (
        able(3, 4, 0, 1, numa="000110"), 2, wishes(REQUIRED, numa=True), [0, 1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CASES)
def test_choice(sentence: str) -> None:
    given, count, wished, expected = CASES[sentence]
    found = linked.choose(given, count, wished)
    if isinstance(found, Reason):
        assert found is expected
    else:
        assert [card.device.index for card, _ in found] == expected
