"""Results as data (design.md 13) and as tables that a person likes to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from hami_admission.simulate.cell import Cell
from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from hami_admission.cluster.explain import Explanation, NodeView, QuotaView
    from hami_admission.model.quota import Quota
    from hami_admission.simulate.outcome import Outcome, Placed
    from hami_admission.simulate.run import Result


_COLOURS = {"admitted": "green", "denied": "red", "untouched": "dim"}


def of_check(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """The answer of ``check``: per pod the verdict and the patch."""
    return {"pods": [_admission(each) for each in outcomes]}


def of_simulation(result: Result) -> dict[str, object]:
    """The answer of ``simulate``: pods, quotas and nodes; pairs are [used, total]."""
    return {
        "pods": [
            {
                **_admission(each),
                "placement": _placement(each.placed, each.containers) if each.placed else None,
                "reasons": each.reasons,
                "summary": each.summary,
                "environment": each.environment,
            }
            for each in result.outcomes
        ],
        "quotas": [_quota(quota) for quota in result.quotas],
        "nodes": _nodes(result),
    }


def check_tables(outcomes: Sequence[Outcome]) -> list[RenderableType]:
    """Verdicts, and for each rewritten pod what changes."""
    verdicts = _table("Admission", "Pod", "Verdict", "Why")
    for each in outcomes:
        verdicts.add_row(_name(each), _verdict(each), Cell(each.message))
    return [verdicts, *_patches(outcomes), *_warnings(outcomes)]


def tables(result: Result) -> list[RenderableType]:
    """What was rewritten, charged, placed, and why not."""
    pods = _table("Pods", "Pod", "Verdict", "What became of it")
    for each in result.outcomes:
        pods.add_row(_name(each), _verdict(each), Cell(each.message or each.summary))
    shown: list[RenderableType] = [*_patches(result.outcomes), pods]
    shown += _environments(result.outcomes)
    shown += _quota_table(result.quotas)
    shown.append(_card_table(result))
    return [*shown, *_warnings(result.outcomes)]


def explained(found: Explanation) -> list[RenderableType]:
    """Why a pod is where it is: what it asks, its quotas, the nodes by reason, what would do."""
    where = f" on {found.node}" if found.node else ""
    shown: list[RenderableType] = [Text(f"{found.pod}: {found.state}{where}", style="bold")]
    shares = _table(
        "Holds" if found.holds else "Asks", "Slot", "Family", "Cards", "Memory", "Cores"
    )
    for each in found.holds or found.asks:
        cards = each.uuid or str(each.count)
        shares.add_row(str(each.slot), each.vendor, Cell(cards), each.memory, str(each.cores))
    shown.append(shares)
    shown += [Text(each, style="bold red") for each in found.warnings]
    if found.quotas:
        shown.append(_quota_views(found.quotas))
    if found.nodes:
        shown += [_by_reason(found.nodes), _card_views(found.nodes)]
    if found.changes:
        changes = _table("Would fit with one of", "Change", "Now", "To", "Node")
        for change in found.changes:
            changes.add_row(*map(Cell, (change.what, change.asked, change.enough, change.node)))
        shown.append(changes)
    return shown


def _quota_views(quotas: Sequence[QuotaView]) -> Table:
    table = _table("Quotas", "Quota", "Resource", "Used", "Hard", "Of that the pod", "May have")
    for each in quotas:
        numbers = (each.used, each.hard, each.own, each.left)
        table.add_row(Cell(each.quota), Cell(keys.QUOTA_PREFIX + each.resource), *map(str, numbers))
    return table


def _by_reason(nodes: Sequence[NodeView]) -> Table:
    named: dict[str, list[str]] = {}
    for node in nodes:
        named.setdefault(node.reason or "fits", []).append(node.name)
    table = _table("Nodes", "Count", "Why", "Such as")
    for reason, names in sorted(named.items(), key=lambda each: (-len(each[1]), each[0])):
        some = ", ".join(names[:_SOME]) + ", …" * (len(names) > _SOME)
        table.add_row(str(len(names)), Cell(reason), Cell(some))
    return table


def _card_views(nodes: Sequence[NodeView]) -> Table:
    title = (
        "Cards" if len(nodes) <= _MOST else f"Cards of {_MOST} of {len(nodes)} nodes (-o json: all)"
    )
    table = _table(title, "Node", "Card", "Slot", "Free: places", "MiB", "Cores", "Why not")
    for node in nodes[:_MOST]:
        for card in node.cards:
            free = (card.slot, card.free_slots, card.free_memory_mib, card.free_cores)
            table.add_row(Cell(node.name), Cell(card.uuid), *map(str, free), Cell(card.reason))
    return table


_SOME = 5
"""Names of nodes that stand for all of one reason."""

_MOST = 20
"""Nodes whose cards a person may want to see."""


def _admission(each: Outcome) -> dict[str, object]:
    return {
        "namespace": each.namespace,
        "name": each.name,
        "owner": each.owner,
        "verdict": each.verdict,
        "message": each.message,
        "warnings": list(each.warnings),
        "schedulerName": each.scheduler,
        "patch": each.patch,
    }


def _placement(placed: Placed, containers: Sequence[str]) -> dict[str, object]:
    return {
        "node": placed.node,
        "score": placed.score,
        "cards": [
            {
                "container": name,
                "vendor": grant.vendor,
                "uuid": grant.uuid,
                "memory_mib": grant.memory_mib,
                "cores": grant.cores,
            }
            for name, slot in zip(containers, placed.grants, strict=True)
            for grant in slot
        ],
        "annotations": placed.annotations,
    }


def _quota(quota: Quota) -> dict[str, object]:
    return {
        "namespace": quota.namespace,
        "name": quota.name,
        "hard": {f"{keys.QUOTA_PREFIX}{name}": value for name, value in quota.hard.items()},
        "used": {f"{keys.QUOTA_PREFIX}{name}": quota.used.get(name, 0) for name in quota.hard},
    }


def _nodes(result: Result) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "cards": [
                {
                    "uuid": card.device.uuid,
                    "vendor": word,
                    "type": card.device.type,
                    "slots": [card.slots, card.device.slots],
                    "memory_mib": [card.memory_mib, card.device.memory_mib],
                    "cores": [card.cores, card.device.cores],
                    "health": card.device.healthy,
                }
                for word, cards in node.cards.items()
                for card in cards
            ],
        }
        for name, node in result.cluster.usage().items()
    ]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _name(each: Outcome) -> Cell:
    return Cell(f"{each.namespace}/{each.name}")


def _verdict(each: Outcome) -> Cell:
    waiting = (
        each.verdict == "admitted" and each.placed is None and bool(each.summary != "admitted")
    )
    if waiting:
        return Cell("waiting", style="yellow")
    return Cell(each.verdict, style=_COLOURS[each.verdict])


def _patches(outcomes: Sequence[Outcome]) -> list[RenderableType]:
    """One table per distinct patch: the replicas of a workload are changed alike."""
    shown: list[RenderableType] = []
    seen: set[str] = set()
    for each in outcomes:
        title = each.owner or f"Pod/{each.name}"
        if each.patch and title not in seen:
            seen.add(title)
            table = _table(f"Rewritten: {each.namespace} {title}", "Field", "Becomes")
            for operation in each.patch:
                table.add_row(Cell(str(operation["path"])), Cell(_value(operation)))
            shown.append(table)
    return shown


def _value(operation: dict[str, object]) -> str:
    value = operation.get("value")
    if operation["op"] == "remove":
        return "(removed)"
    if isinstance(value, list):
        return "\n".join(_value({"op": "add", "value": each}) for each in value)
    if isinstance(value, dict) and "name" in value:
        source = value.get("valueFrom")
        path = source["fieldRef"]["fieldPath"] if isinstance(source, dict) else None
        return f"{value['name']} = {path or value.get('value')}"
    return str(value)


def _environments(outcomes: Sequence[Outcome]) -> list[RenderableType]:
    table = _table("What containers will see", "Pod", "Container", "Variable", "Value")
    for each in outcomes:
        for container, variable, value in _seen(each):
            table.add_row(_name(each), Cell(container), Cell(variable), Cell(value))
    return [table] if table.row_count else []


def _seen(each: Outcome) -> Iterator[tuple[str, str, str]]:
    """Container, name and value of the variables that are ours."""
    carried = each.placed.annotations if each.placed else {}
    for slot, (container, values) in enumerate(each.environment.items()):
        for variable, value in values.items():
            if keys.env_annotation(slot, variable) in carried or variable.startswith("CUDA_"):
                yield container, variable, value


def _quota_table(quotas: Sequence[Quota]) -> list[RenderableType]:
    table = _table("Quotas", "Quota", "Resource", "Used", "Hard")
    for quota in quotas:
        for name, hard in quota.hard.items():
            row = (f"{quota.namespace}/{quota.name}", keys.QUOTA_PREFIX + name)
            table.add_row(*map(Cell, row), str(quota.used.get(name, 0)), str(hard))
    return [table] if table.row_count else []


def _card_table(result: Result) -> Table:
    table = _table("Cards in use", "Node", "Card", "Containers", "MiB", "Cores")
    for name, node in result.cluster.usage().items():
        cards = [card for each in node.cards.values() for card in each]
        for card in cards:
            if card.slots:
                pairs = (
                    (card.slots, card.device.slots),
                    (card.memory_mib, card.device.memory_mib),
                    (card.cores, card.device.cores),
                )
                texts = [f"{used}/{whole}" for used, whole in pairs]
                table.add_row(Cell(name), Cell(card.device.uuid), *texts)
        idle = sum(not card.slots for card in cards)
        if idle:
            table.add_row(Cell(name), Cell(f"{idle} idle", style="dim"))
    return table


def _warnings(outcomes: Sequence[Outcome]) -> list[RenderableType]:
    lines = dict.fromkeys(
        f"Warning: {each.owner or each.name}: {warning}"
        for each in outcomes
        for warning in each.warnings
    )
    return [Text(line, style="yellow") for line in lines]
