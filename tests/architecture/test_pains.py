"""What hurts users of such systems, as a list of tests; each is marked with its number.

The numbers are those of ``PAINS`` and ``PROBES``; a test says ``@pytest.mark.pain(4)``. What needs
the agent of a node or the chart is not on the list of pains before they exist.
"""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
MARK = re.compile(r"^ *@?pytest\.mark\.(pain|probe)\((\d+)\)", re.MULTILINE)

PAINS = {
    1: "all of ours is down: plain pods go on, accelerator pods are told, all returns by itself",
    2: "another webhook changes the pod after us",
    3: "certificates change while pods are created",
    4: "many creations at once into little room, and plain pods beside them",
    5: "creations that come to nothing: name taken, dry run, a later no",
    6: "one charge from admission to the end, whatever the pod is made of",
    7: "deletions that nobody saw",
    8: "forty pods for one node, and a thousand that wait",
    9: "a card is freed while a pod waits",
    13: "the leader is lost while pods are created",
    14: "forged annotations, the opt-out label, all cards by name",
    15: "a pod of high priority on a full node: the lowest go, budgets are kept",
}

PROBES = {
    1: "forged decisions through any controller",
    2: "made-up reviews",
    3: "memory by annotations",
    4: "a copied quota, a restored etcd",
    5: "many pods that wait",
    6: "schedulers that nobody watches, a scheduler that is renamed",
    7: "annotations that are damaged",
    8: "defaults that change while pods wait",
    9: "pods past their grace",
    10: "one card on two nodes",
    11: "more containers than are looked at, and what is no HTTP",
    12: "pods that never passed us",
}
"""What a hostile or a clumsy user tries, on a real control plane."""


def test_each_has_its_tests() -> None:
    marked = {
        (kind, int(number))
        for path in TESTS.rglob("*.py")
        for kind, number in MARK.findall(path.read_text())
    }
    listed = {*(("pain", each) for each in PAINS), *(("probe", each) for each in PROBES)}
    assert marked == listed
