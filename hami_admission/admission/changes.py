"""The vocabulary of changes to a pod, and the JSON Patch that makes them.

A change says how one field must be; making it twice is making it once. The patch is written from
what the pod has, so that parents which are missing are added and positions stay right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jsonpatch
import msgspec

from hami_admission.model.pod import Container, EnvVar, Pod
from hami_admission.wire import quantities

if TYPE_CHECKING:
    from collections.abc import Iterable

Operation = dict[str, object]
"""One JSON Patch operation (RFC 6902): ``op``, ``path`` and, unless it removes, ``value``."""


class SetScheduler(msgspec.Struct, frozen=True):
    """``spec.schedulerName`` must be this."""

    name: str


class SetRuntimeClass(msgspec.Struct, frozen=True):
    """``spec.runtimeClassName`` must be this."""

    name: str


class SetLimits(msgspec.Struct, frozen=True):
    """These resource limits of a container must have these values.

    So must its requests of them, where it has some: of extended resources both must be equal.
    """

    container: Container
    limits: dict[str, int]


class SetNotes(msgspec.Struct, frozen=True):
    """The pod must have these annotations; ``first``: it has none at all yet.

    ``missing`` are those of them that it lacks; the others have another value.
    """

    notes: dict[str, str]
    first: bool
    missing: frozenset[str] = frozenset()


class SetEnv(msgspec.Struct, frozen=True):
    """Entries of a container's environment to be replaced, removed (by position) and appended."""

    container: Container
    appended: tuple[EnvVar, ...] = ()
    replaced: tuple[tuple[int, EnvVar], ...] = ()
    removed: tuple[int, ...] = ()


Change = SetScheduler | SetRuntimeClass | SetLimits | SetNotes | SetEnv


def about(change: Change) -> tuple[str, str]:
    """The field that a change is about, and what of it: names of resources, of variables."""
    if isinstance(change, SetScheduler):
        return "spec.schedulerName", f"not {change.name}"
    if isinstance(change, SetRuntimeClass):
        return "spec.runtimeClassName", f"not {change.name}"
    if isinstance(change, SetLimits):
        return f"{change.container.path}.resources.limits", ", ".join(change.limits)
    if isinstance(change, SetNotes):
        return "metadata.annotations", ", ".join(change.notes)
    present = change.container.env or ()
    names = [env.name for env in change.appended]
    names += [present[index].name for index in (*dict(change.replaced), *change.removed)]
    return f"{change.container.path}.env", ", ".join(dict.fromkeys(names))


def noting(changes: tuple[Change, ...], notes: dict[str, str], pod: Pod) -> tuple[Change, ...]:
    """The changes, and these annotations with them."""
    others = tuple(each for each in changes if not isinstance(each, SetNotes))
    for each in changes:
        if isinstance(each, SetNotes):
            notes = {**each.notes, **notes}
    return (*others, *set_notes(notes, pod))


def set_notes(wanted: dict[str, str], pod: Pod) -> list[SetNotes]:
    """The change that gives the pod these annotations; none where it has them all."""
    notes = {name: text for name, text in wanted.items() if pod.annotations.get(name) != text}
    missing = frozenset(notes.keys() - pod.annotations.keys())
    return [SetNotes(notes, not pod.annotations, missing)] if notes else []


def operations(changes: Iterable[Change]) -> list[Operation]:
    """The JSON Patch of all changes, in their order."""
    found: list[Operation] = []
    for change in changes:
        if isinstance(change, SetScheduler):
            found.append(_add("/spec/schedulerName", change.name))
        elif isinstance(change, SetRuntimeClass):
            found.append(_add("/spec/runtimeClassName", change.name))
        elif isinstance(change, SetLimits):
            found += _limits(change)
        elif isinstance(change, SetNotes):
            found += _notes(change)
        else:
            found += _env(change)
    return found


def apply(document: dict[str, object], patch: list[Operation]) -> dict[str, object]:
    """A copy of the pod's JSON with the patch applied, as the API server would."""
    patched: dict[str, object] = jsonpatch.apply_patch(document, patch)
    return patched


def escaped(name: str) -> str:
    """A key as a part of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _add(path: str, value: object) -> Operation:
    return {"op": "add", "path": path, "value": value}


def _limits(change: SetLimits) -> list[Operation]:
    container = change.container
    values = {name: str(value) for name, value in change.limits.items()}
    if not container.has_resources:
        return [_add(f"{container.pointer}/resources", {"limits": values})]
    limits, requests = (f"{container.pointer}/resources/{each}" for each in ("limits", "requests"))
    if container.limits is None:
        found = [_add(limits, values)]
    else:
        found = [_add(f"{limits}/{escaped(name)}", value) for name, value in values.items()]
    asked = container.requests or {}
    return found + [
        _add(f"{requests}/{escaped(name)}", values[name])
        for name, value in change.limits.items()
        if name in asked and quantities.parse(asked[name]) != value
    ]


def _notes(change: SetNotes) -> list[Operation]:
    base = "/metadata/annotations"
    if change.first:
        return [_add(base, change.notes)]
    return [_add(f"{base}/{escaped(name)}", value) for name, value in change.notes.items()]


def _env(change: SetEnv) -> list[Operation]:
    """Entries are replaced where they stand, then removed from the end, then appended."""
    base = f"{change.container.pointer}/env"
    if change.container.env is None:
        return [_add(base, [_entry(env) for env in change.appended])]
    replaced: list[Operation] = [
        {"op": "replace", "path": f"{base}/{index}", "value": _entry(env)}
        for index, env in change.replaced
    ]
    removed: list[Operation] = [
        {"op": "remove", "path": f"{base}/{index}"}
        for index in sorted(change.removed, reverse=True)
    ]
    return [*replaced, *removed, *(_add(f"{base}/-", _entry(env)) for env in change.appended)]


def _entry(env: EnvVar) -> dict[str, object]:
    path = env.path
    if path is not None:
        source = {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}
        return {"name": env.name, "valueFrom": source}
    return {"name": env.name, "value": env.value}
