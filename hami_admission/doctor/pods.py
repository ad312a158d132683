"""Can it be read which cards the pods have, and did they ask for them?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.cluster import records
from hami_admission.doctor import finding
from hami_admission.doctor.nodes import facts
from hami_admission.model.amounts import Amounts
from hami_admission.placement import usage
from hami_admission.vendors import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hami_admission.cluster.records import Record
    from hami_admission.doctor.finding import Finding
    from hami_admission.doctor.seen import Observed
    from hami_admission.placement.usage import NodeUsage
    from hami_admission.vendors.table import Vendors

_CHECK = "placed pods"


def check(observed: Observed) -> list[Finding]:
    """The bad ones by name, the good ones as a number."""
    if observed.placed.value is None:
        return [finding.unknown(_CHECK, "pods", observed.placed.why)]
    vendors = table.build(observed.settings)
    found = [
        record
        for pod in observed.placed.value
        if (record := records.of(pod, vendors, None, lambda *_: Amounts())) is not None
    ]
    bad = [*_damaged(observed, vendors, found), *_unasked(found)]
    good = sum(not (record.damaged or record.unasked) for record in found)
    if good or not bad:
        bad.append(finding.ok(_CHECK, "pods", f"{good} have cards, as they asked"))
    return bad


def _damaged(observed: Observed, vendors: Vendors, found: list[Record]) -> Iterator[Finding]:
    for record in found:
        if record.damaged:
            pod = record.pod
            node = _node(observed, vendors, pod.node_name)
            do = f"kubectl -n {pod.namespace} delete pod {pod.name}, or put its annotations right"
            yield finding.problem(
                _CHECK, f"pod {pod.key}", records.unreadable(record, node), f"{do}; who wrote them?"
            )


def _node(observed: Observed, vendors: Vendors, name: str) -> NodeUsage | None:
    found = [each for each in observed.nodes.value or () if each.name == name]
    return usage.empty(table.node(vendors, facts(found[0])).devices) if found else None


def _unasked(found: list[Record]) -> Iterator[Finding]:
    names = sorted(record.pod.key for record in found if record.unasked)
    if names:
        text = f"{len(names)} have cards by annotation that they do not ask: {finding.some(names)}"
        do = "nothing is counted for them: find who wrote the annotations, and delete these pods"
        yield finding.problem(_CHECK, "pods", text, do)
