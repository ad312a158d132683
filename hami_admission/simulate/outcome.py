"""Outcome: what became of one pod, as design.md 13 names it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.grant import PodGrants
from hami_admission.model.verdict import sentence
from hami_admission.simulate.scenario import Document

if TYPE_CHECKING:
    from hami_admission.admission.admit import Decision
    from hami_admission.model.pod import Container, EnvVar, Pod
    from hami_admission.simulate.scenario import Step


class Placed(msgspec.Struct, frozen=True):
    """A placement and the annotations that the Binding would carry."""

    node: str
    score: float
    grants: PodGrants
    annotations: dict[str, str]


class Outcome(msgspec.Struct, frozen=True):
    """One pod: ``verdict`` is ``admitted``, ``denied`` or ``untouched``; ``reasons`` are by node.

    ``environment`` is what each container will see, by container name; only of a placed pod.
    """

    namespace: str
    name: str
    owner: str | None
    verdict: str
    message: str
    warnings: tuple[str, ...]
    scheduler: str
    patch: list[dict[str, object]]
    document: Document
    containers: tuple[str, ...] = ()
    placed: Placed | None = None
    reasons: dict[str, str] = {}
    summary: str = ""
    environment: dict[str, dict[str, str]] = {}

    @property
    def good(self) -> bool:
        """Is there nothing to do about it?"""
        return self.verdict == "untouched" or self.placed is not None


def of_decision(
    step: Step, decision: Decision, patch: list[dict[str, object]], document: Document
) -> Outcome:
    """The outcome as far as admission goes."""
    pod = step.pod
    if decision.objections:
        verdict, message = "denied", sentence(decision.objections)
    elif decision.untouched:
        verdict, message = "untouched", decision.untouched
    else:
        verdict, message = "admitted", ""
    spec = document.get("spec")
    scheduler = spec.get("schedulerName") if isinstance(spec, dict) else None
    return Outcome(
        namespace=pod.namespace,
        name=pod.name,
        owner=step.owner,
        verdict=verdict,
        message=message,
        warnings=decision.warnings,
        scheduler=str(scheduler or "default-scheduler"),
        patch=patch,
        document=document,
        containers=tuple(container.name for container in pod.containers),
        summary=f"{verdict}: {message}" if message else verdict,
    )


def of_waiting(pod: Pod) -> Outcome:
    """A pod that was admitted before."""
    return Outcome(
        namespace=pod.namespace,
        name=pod.name,
        owner=None,
        verdict="admitted",
        message="",
        warnings=(),
        scheduler=pod.scheduler_name,
        patch=[],
        document={},
        containers=tuple(container.name for container in pod.containers),
    )


def denied(admitted: Outcome, message: str) -> Outcome:
    """A pod that admission would let in, but not the namespace's quota."""
    return msgspec.structs.replace(
        admitted, verdict="denied", message=message, summary=f"denied: {message}", patch=[]
    )


def unplaced(admitted: Outcome, reasons: dict[str, str]) -> Outcome:
    """A pod that would wait, and why on each node."""
    counts = Counter(reasons.values())
    texts = ", ".join(f"{n} × {reason}" for reason, n in sorted(counts.items()))
    total = len(reasons)
    summary = f"no node fits (0/{total}): {texts}" if total else "no node has registered cards"
    return msgspec.structs.replace(admitted, reasons=reasons, summary=summary)


def placed(admitted: Outcome, bound: Pod, where: Placed, reasons: dict[str, str]) -> Outcome:
    """A pod that would run, with what its containers will see."""
    cards = [
        f"{grant.uuid} ({grant.memory_mib} MiB, {grant.cores} cores)"
        for slot in where.grants
        for grant in slot
    ]
    return msgspec.structs.replace(
        admitted,
        placed=where,
        reasons=reasons,
        summary=f"{where.node}: {', '.join(cards)}",
        environment={each.name: _environment(each, bound) for each in bound.containers},
    )


def _environment(container: Container, pod: Pod) -> dict[str, str]:
    """Literals, and what comes from the pod's own fields; the last entry of a name wins."""
    last = {env.name: _value(env, pod) for env in container.env or ()}
    return {name: value for name, value in last.items() if value is not None}


def _value(env: EnvVar, pod: Pod) -> str | None:
    if env.value_from is None:
        return env.value or ""
    if env.path is None:
        return None
    if env.path.startswith("metadata.annotations['"):
        return pod.annotations.get(env.path[len("metadata.annotations['") : -2], "")
    return {"metadata.name": pod.name, "metadata.namespace": pod.namespace}.get(env.path)
