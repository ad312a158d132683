"""What a workload's own fields and commands do to its accelerator pods, which no single pod shows.

Advice, never a refusal: each caution names the field and the fix.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from hami_admission.admission.changes import SetLimits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hami_admission.admission.admit import Decision
    from hami_admission.model.pod import Container
    from hami_admission.simulate.scenario import Document, Step

_DEFAULT = "25%"
"""Of maxSurge and maxUnavailable, as Kubernetes has them."""

_PARALLEL = ("--tensor-parallel-size", "-tp")
_NO_CUSTOM = "--disable-custom-all-reduce"
_SUPERVISOR = "xinference-supervisor"


def cautions(step: Step, decision: Decision) -> tuple[str, ...]:
    """Of a pod that is admitted and comes from a workload; each is one sentence with its field."""
    if step.workload is None or not decision.readings:
        return ()
    kind = (step.owner or "").partition("/")[0]
    found = [*_requests_only(kind, decision), *_programs(step, decision)]
    if kind == "Deployment":
        found += _rollout(step.workload)
    return tuple(found)


def _requests_only(kind: str, decision: Decision) -> Iterator[str]:
    """In a pod we copy it to the limits; a template is checked when nobody has copied anything."""
    for change in decision.changes:
        if not isinstance(change, SetLimits):
            continue
        for name in change.limits:
            if name in (change.container.requests or {}):
                where = f"spec.template.{change.container.path}.resources"
                yield (
                    f"{where}.requests[{name}]: there is no limit beside it, and the API server"
                    f" refuses a {kind} like that; write the same under {where}.limits"
                )


class _Strategy(msgspec.Struct, rename="camel"):
    max_surge: str | int = _DEFAULT
    max_unavailable: str | int = _DEFAULT


def _rollout(spec: Mapping[str, object]) -> Iterator[str]:
    """An update that starts new pods before it stops old ones needs the cards, and quota, twice."""
    strategy, replicas = spec.get("strategy"), spec.get("replicas", 1)
    given = strategy if isinstance(strategy, dict) else {}
    if given.get("type") == "Recreate" or not isinstance(replicas, int) or replicas < 1:
        return
    try:
        rolling = msgspec.convert(given.get("rollingUpdate") or {}, _Strategy)
        surge = _share(rolling.max_surge, replicas, up=True)
        away = _share(rolling.max_unavailable, replicas, up=False)
    except (msgspec.ValidationError, ValueError):
        return
    if surge and not away:
        yield (
            f"spec.strategy: an update starts {surge} more before it stops one of {replicas}"
            f" (maxSurge {rolling.max_surge}, maxUnavailable {rolling.max_unavailable}); where"
            " cards or quota have no room for that it never ends; write type: Recreate, or"
            " maxUnavailable: 1"
        )


def _share(value: str | int, replicas: int, *, up: bool) -> int:
    """Kubernetes rounds a percentage of maxSurge up, and of maxUnavailable down."""
    if isinstance(value, int):
        return value
    hundredths = int(value.removesuffix("%")) * replicas
    return -(-hundredths // 100) if up else hundredths // 100


def _programs(step: Step, decision: Decision) -> Iterator[str]:
    """Programs that we know by their command, and what they do with a card."""
    for slot, container in enumerate(step.pod.containers):
        readings = [slots[slot] for slots in decision.readings.values()]
        asked = [each.request for each in readings if each.request is not None]
        if not asked:
            continue
        words = _words(step.document, container)
        if words and words[0].rpartition("/")[2] == _SUPERVISOR:
            yield (
                f"{container.path}: a supervisor runs no model, and would keep its card from"
                " others; take the accelerators out of its resources (null in values of Helm)"
            )
        shared = any(each.cores < 100 or each.memory_mib or each.percent < 100 for each in asked)
        if shared and _parallel(words) and _NO_CUSTOM not in words:
            yield (
                f"{container.path}: {_PARALLEL[0]} without {_NO_CUSTOM}: the isolation library has"
                " no CUDA IPC, which the custom all-reduce of vLLM needs; add the flag"
            )


def _words(document: Document, container: Container) -> list[str]:
    """Command and arguments, as words; a command line within ``sh -c`` is taken apart too."""
    spec = document.get("spec")
    found: object = spec
    for part in container.pointer.removeprefix("/spec/").split("/"):
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list):
            found = found[int(part)]
    if not isinstance(found, dict):
        return []
    lines = [*(found.get("command") or ()), *(found.get("args") or ())]
    return [word for line in lines for word in str(line).split()]


def _parallel(words: list[str]) -> bool:
    """Is there more than one card to a model?"""
    for word, following in pairwise([*words, ""]):
        name, _, value = word.partition("=")
        if name in _PARALLEL and (value or following) not in {"", "1"}:
            return True
    return False
