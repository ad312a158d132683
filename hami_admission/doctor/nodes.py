"""Do the nodes offer what they have, and can what they say be read?"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from hami_admission.doctor import finding
from hami_admission.vendors import table
from hami_admission.wire import quantities
from hami_admission.wire.errors import Malformed
from hami_admission.wire.nodes import NodeFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hami_admission.doctor.finding import Finding
    from hami_admission.doctor.objects import Node
    from hami_admission.doctor.seen import Observed
    from hami_admission.model.device import Device
    from hami_admission.vendors.vendor import Vendor

LABEL = ("gpu", "on")
"""The label by which HAMi's chart and ours choose the nodes of the agent."""

_NODES, _RUNTIME = "nodes", "runtime"
_AGENT = "does the agent run there? kubectl get pods -A --field-selector spec.nodeName={}"


def check(observed: Observed) -> list[Finding]:
    """Each node that has cards, or should; the bad ones by name, the good ones as a number."""
    if observed.nodes.value is None:
        return [finding.unknown(_NODES, "nodes", observed.nodes.why)]
    vendors = table.build(observed.settings)
    bad, good = [], 0
    for node in observed.nodes.value:
        found = [each for vendor in vendors for each in _of_family(vendor, node)]
        found += _labelled(vendors, node)
        bad += found
        good += not found and any(_concerns(vendor, node) for vendor in vendors)
    bad += _twice(vendors, observed.nodes.value)
    if good:
        bad.append(finding.ok(_NODES, "nodes", f"{good} offer cards, and are read"))
    elif not bad:
        do = (
            f"label those that have: kubectl label node NAME {'='.join(LABEL)}; run the agent there"
        )
        bad.append(finding.warning(_NODES, "nodes", "none offers cards", do))
    return [*bad, *_runtimes(observed, vendors)]


def _offered(vendor: Vendor, amounts: Mapping[str, str | int | float] | None) -> int | None:
    """Of the count resource; None where the kubelet says nothing of it."""
    amount = (amounts or {}).get(vendor.names.count)
    try:
        return None if amount is None else quantities.floor(amount)
    except Malformed:
        return None


def _registered(vendor: Vendor, node: Node) -> str | None:
    return (node.metadata.annotations or {}).get(vendor.register) if vendor.register else None


def facts(node: Node) -> NodeFacts:
    """What its annotations say it has, whatever its kubelet offers of that."""
    annotations, labels = node.metadata.annotations or {}, node.metadata.labels or {}
    return NodeFacts(node.name, annotations, labels=labels)


def _concerns(vendor: Vendor, node: Node) -> bool:
    return bool(_offered(vendor, node.status.allocatable)) or _registered(vendor, node) is not None


def _labelled(vendors: tuple[Vendor, ...], node: Node) -> Iterator[Finding]:
    key, value = LABEL
    chosen = (node.metadata.labels or {}).get(key) == value
    if chosen and not any(_concerns(vendor, node) for vendor in vendors):
        text = f"has the label {key}={value}, and offers nothing"
        yield finding.problem(_NODES, f"node {node.name}", text, _AGENT.format(node.name))


def _of_family(vendor: Vendor, node: Node) -> Iterator[Finding]:
    if not vendor.register or not _concerns(vendor, node):
        return
    looked_at = f"node {node.name}"
    text = _registered(vendor, node)
    offered = _offered(vendor, node.status.allocatable)
    if text is None:
        said = f"its kubelet offers {offered} {vendor.names.count}, and nobody registered its cards"
        do = "another device plugin serves it, or the agent is new: " + _AGENT.format(node.name)
        yield finding.problem(_NODES, looked_at, said, do)
        return
    try:
        devices = vendor.inventory(facts(node)).devices
    except Malformed as error:
        do = f"kubectl annotate node {node.name} {vendor.register}- ; its agent writes it anew"
        yield finding.problem(_NODES, looked_at, str(error), do)
        return
    yield from _cards(vendor, node, devices, offered)


def _cards(
    vendor: Vendor, node: Node, devices: tuple[Device, ...], offered: int | None
) -> Iterator[Finding]:
    looked_at, do = f"node {node.name}", _AGENT.format(node.name)
    sick = [each.uuid for each in devices if not each.healthy]
    if not devices:
        log = "its agent's log says why; is the isolation library there?"
        yield finding.warning(_NODES, looked_at, "registers no card", log)
    elif len(sick) == len(devices):
        yield finding.warning(_NODES, looked_at, "all its cards are sick", _SICK.format(node.name))
    elif offered == 0:
        said = f"has cards, and its kubelet offers 0 {vendor.names.count}: its agent is gone"
        yield finding.problem(_NODES, looked_at, said, do)
    elif offered is None:
        said = f"has cards, and its kubelet knows no {vendor.names.count}: pods fail at the kubelet"
        yield finding.warning(_NODES, looked_at, said, do)
    elif sick:
        said = f"{len(sick)} of {len(devices)} cards are sick: {finding.some(sick)}"
        yield finding.warning(_NODES, looked_at, said, _SICK.format(node.name))


_SICK = "kubectl describe node {}: the events CardSick have the reason"


def _twice(vendors: table.Vendors, nodes: list[Node]) -> Iterator[Finding]:
    """A card is in one machine; there several families may offer it, each by its own names."""
    where: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        found = table.node(vendors, facts(node)).devices.values()
        for uuid in {device.uuid: None for devices in found for device in devices}:
            where[uuid].append(node.name)
    pairs = {tuple(names): uuid for uuid, names in where.items() if len(names) > 1}
    for names, uuid in pairs.items():
        yield finding.problem(
            _NODES,
            f"nodes {finding.some([*names])}",
            f"register the same card, {uuid}: it is given out more than once",
            f"which of them has it? kubectl delete node {names[-1]}, or a script gives both one id",
        )


def _runtimes(observed: Observed, vendors: tuple[Vendor, ...]) -> Iterator[Finding]:
    for vendor in vendors:
        concerned = [each for each in observed.nodes.value or () if _concerns(vendor, each)]
        if concerned and vendor.runtime is not None:
            yield from _classes(observed, vendor)
            names = {each.status.node_info.container_runtime_version for each in concerned}
            yield finding.unknown(
                _RUNTIME,
                f"the runtime of {len(concerned)} nodes",
                f"{finding.some(sorted(filter(None, names))) or 'of no known version'}: whether it"
                " goes by the container's environment cannot be seen from here",
                f"on a node of each kind: {vendor.runtime.question}",
            )


def _classes(observed: Observed, vendor: Vendor) -> Iterator[Finding]:
    looked_at = "runtimeclasses"
    if observed.runtime_classes.value is None or vendor.runtime is None:
        yield finding.unknown(_RUNTIME, looked_at, observed.runtime_classes.why)
        return
    known = {each.name: each.handler for each in observed.runtime_classes.value}
    handler, wanted = vendor.runtime.handler, vendor.runtime_class
    having = sorted(name for name, each in known.items() if each == handler)
    if wanted and wanted not in known:
        text = f"runtimeClassName is {wanted}, which is not there: accelerator pods are refused"
        do = f"make it with handler {handler}, or change the setting"
        yield finding.problem(_RUNTIME, looked_at, text, do)
    elif wanted:
        yield finding.ok(_RUNTIME, looked_at, f"{wanted} is there, and is put into pods")
    elif having:
        text = f"{having[0]} is there; pods that name no class run with the default of their node"
        yield finding.ok(_RUNTIME, looked_at, text)
    else:
        text = f"none with handler {handler}: it must be the default runtime of every node"
        do = "if it is not, make a RuntimeClass and set runtimeClassName to its name"
        yield finding.warning(_RUNTIME, looked_at, text, do)
