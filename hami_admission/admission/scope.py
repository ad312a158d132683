"""Is this pod ours? Opt-outs, namespaces, and other schedulers' pods (facts/scheduling.md 2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.model.verdict import Objection
from hami_admission.wire import keys

if TYPE_CHECKING:
    from hami_admission.model.pod import Pod
    from hami_admission.settings import Settings

DEFAULT_SCHEDULER = "default-scheduler"


def outside(pod: Pod, settings: Settings) -> str | None:
    """Why the pod is left alone, or None when it is ours if it asks for an accelerator."""
    return _exempt(pod, settings) or _of_another_scheduler(pod.scheduler_name, settings)


def objection(pod: Pod, settings: Settings) -> Objection | None:
    """Why the pod, which is left alone, may not name the scheduler that it names, if so."""
    allowed, name = settings.other_schedulers, pod.scheduler_name
    if allowed is None or name in {*allowed, DEFAULT_SCHEDULER} or _exempt(pod, settings):
        return None
    choice = " or ".join((*settings.scheduler_names, *allowed))
    return Objection(
        "spec.schedulerName", name, f"accelerators are given out by {choice} here; remove it"
    )


def _exempt(pod: Pod, settings: Settings) -> str | None:
    if pod.namespace in settings.exempt_namespaces:
        return f"namespace {pod.namespace} is exempt"
    if keys.MIRROR in pod.annotations:
        return "it mirrors a static manifest, which its kubelet runs by itself"
    if pod.labels.get(keys.OPT_OUT_LABEL) == keys.OPT_OUT_VALUE:
        return f"label {keys.OPT_OUT_LABEL}: {keys.OPT_OUT_VALUE}"
    return None


def _of_another_scheduler(name: str, settings: Settings) -> str | None:
    if name in {"", *settings.scheduler_names}:
        return None
    if name == DEFAULT_SCHEDULER and settings.force_overwrite_default_scheduler:
        return None
    return (
        f"spec.schedulerName is {name}: its accelerators are neither placed nor counted by"
        f" {settings.scheduler_name}"
    )
