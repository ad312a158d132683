"""Kubernetes objects from files to a scenario: pods in order, nodes, quotas."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

import msgspec

from hami_admission.model.pod import Pod
from hami_admission.model.quota import Quota
from hami_admission.simulate.errors import BadInput
from hami_admission.wire import keys, nodes, pods, quotas
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


Document = dict[str, object]
T = TypeVar("T")

MAX_PODS = 100_000
"""Pods of one scenario; more is a replica count that was mistyped."""

MAX_LISTS = 8
"""Lists within lists; a YAML alias may make one that contains itself."""

_ONE_PER_NODE = "DaemonSet"
_COUNTED = {
    "Deployment": "replicas",
    "ReplicaSet": "replicas",
    "ReplicationController": "replicas",
    "StatefulSet": "replicas",
    "Job": "completions",
}


class Step(msgspec.Struct, frozen=True):
    """One pod to be created: its JSON, where it comes from, and its node if it is bound to one.

    ``workload`` is the ``spec`` of the workload that makes it, if one does.
    """

    document: Document
    pod: Pod
    owner: str | None = None
    only_node: str | None = None
    workload: Document | None = None


class Scenario(msgspec.Struct):
    """What the files hold; ``ignored`` counts objects of other kinds."""

    steps: list[Step] = []
    nodes: list[nodes.NodeFacts] = []
    quotas: list[Quota] = []
    exempt: set[str] = set()
    ignored: Counter[str] = msgspec.field(default_factory=Counter)


def build(
    documents: Iterable[tuple[str, object]],
    *,
    templates_only: bool = False,
    known: Sequence[str] = (),
) -> Scenario:
    """The scenario of documents, each with the place it was read from (``file.yaml, document 2``).

    ``templates_only`` takes each workload's pod once, whatever its replicas; ``known`` are nodes
    that are there already. Raises BadInput.
    """
    found = Scenario()
    workloads: list[tuple[str, Document]] = []
    for place, document in _flat(documents):
        kind = _text(document, "kind", place)
        if kind == "Node":
            found.nodes.append(_decoded(nodes.decode, document, place))
        elif kind == "ResourceQuota":
            found.quotas.append(_decoded(quotas.decode, _with_namespace(document), place))
        elif kind in {"Pod", "CronJob", _ONE_PER_NODE, *_COUNTED}:
            workloads.append((place, document))
        else:
            found.ignored[kind] += 1
            _note_namespace(found, kind, document)
    names = [*known, *(node.name for node in found.nodes)] or ["node-1", "node-2"]
    for place, document in workloads:
        found.steps += _steps(place, document, names, templates_only=templates_only)
        if len(found.steps) > MAX_PODS:
            raise BadInput(f"{place}: more than {MAX_PODS} pods; lower the replicas")
    return found


def _flat(documents: Iterable[tuple[str, object]]) -> Iterator[tuple[str, Document]]:
    for place, document in documents:
        if document is None:
            continue
        if not isinstance(document, dict):
            raise BadInput(f"{place}: not a Kubernetes object but {type(document).__name__}")
        items = document.get("items")
        if str(document.get("kind", "")).endswith("List") and isinstance(items, list):
            if place.count(", item ") >= MAX_LISTS:
                raise BadInput(f"{place[:200]}: lists in lists, more than {MAX_LISTS} deep")
            yield from _flat((f"{place}, item {n}", item) for n, item in enumerate(items, 1))
        else:
            yield place, document


def _steps(
    place: str, document: Document, node_names: list[str], *, templates_only: bool
) -> Iterator[Step]:
    kind = _text(document, "kind", place)
    metadata = _mapping(document, "metadata", place)
    name = _text(metadata, "name", f"{place}: metadata", or_else=metadata.get("generateName"))
    if kind == "Pod":
        yield _step(place, document, name, None)
        return
    workload = document
    if kind == "CronJob":
        workload = _mapping(_mapping(document, "spec", place), "jobTemplate", f"{place}: spec")
    spec = _mapping(workload, "spec", place)
    template = _mapping(spec, "template", f"{place}: spec")
    namespace = metadata.get("namespace")
    owner = f"{kind}/{name}"
    if kind == _ONE_PER_NODE:
        for node in node_names[:1] if templates_only else node_names:
            made = _pod_of(template, f"{name}-{node}", namespace)
            step = _step(place, made, name, owner, None if templates_only else node)
            yield msgspec.structs.replace(step, workload=spec)
        return
    for index in range(1 if templates_only else _replicas(kind, spec, place)):
        step = _step(place, _pod_of(template, f"{name}-{index}", namespace), name, owner)
        yield msgspec.structs.replace(step, workload=spec)


def _replicas(kind: str, spec: Document, place: str) -> int:
    field = _COUNTED.get(kind, "completions")
    if field == "completions" and spec.get(field) is None:
        field = "parallelism"
    value = spec.get(field)
    if value is None:
        return 1
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_PODS:
        raise BadInput(f"{place}: spec.{field}: {value!r} is not a count from 0 to {MAX_PODS}")
    return value


def _pod_of(template: Document, name: str, namespace: object) -> Document:
    metadata = template.get("metadata")
    kept = dict(metadata) if isinstance(metadata, dict) else {}
    kept["name"] = name
    if namespace is not None:
        kept["namespace"] = namespace
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": kept,
        "spec": template.get("spec"),
    }


def _step(
    place: str, document: Document, name: str, owner: str | None, only_node: str | None = None
) -> Step:
    metadata = {"name": name, **_mapping(document, "metadata", place)}
    placed = _with_namespace({**document, "metadata": metadata})
    _mapping(placed, "spec", place)
    return Step(placed, _decoded(pods.decode, placed, place), owner, only_node)


def _with_namespace(document: Document) -> Document:
    found = document.get("metadata")
    kept = dict(found) if isinstance(found, dict) else {}
    kept["namespace"] = kept.get("namespace") or "default"
    return {**document, "metadata": kept}


def _note_namespace(found: Scenario, kind: str, document: Document) -> None:
    metadata = document.get("metadata")
    if kind == "Namespace" and isinstance(metadata, dict):
        labels = metadata.get("labels")
        opted = isinstance(labels, dict) and labels.get(keys.OPT_OUT_LABEL) == keys.OPT_OUT_VALUE
        if opted:
            found.exempt.add(str(metadata.get("name")))


def _decoded(decode: Callable[[bytes], T], document: Document, place: str) -> T:
    try:
        return decode(msgspec.json.encode(document))
    except (Malformed, TypeError, OverflowError, RecursionError) as error:
        raise BadInput(f"{place}: {error}") from error


def _mapping(parent: Document, field: str, place: str) -> Document:
    value = parent.get(field)
    if not isinstance(value, dict):
        raise BadInput(f"{place}: {field}: a mapping is wanted, got {value!r:.60}")
    return value


def _text(parent: Document, field: str, place: str, or_else: object = None) -> str:
    value = parent.get(field, or_else)
    if not isinstance(value, str) or not value:
        raise BadInput(f"{place}: {field}: a text is wanted, got {value!r:.60}")
    return value
