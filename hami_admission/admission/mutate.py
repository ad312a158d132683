"""Pod to changes, container by container, vendor by vendor: only what is not as it must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.admission.changes import (
    Change,
    SetEnv,
    SetLimits,
    SetRuntimeClass,
    SetScheduler,
)
from hami_admission.wire import quantities

if TYPE_CHECKING:
    from hami_admission.model.pod import Container, EnvVar, Pod
    from hami_admission.settings import Settings
    from hami_admission.vendors.vendor import Reading, Vendor


def changes(
    pod: Pod, asked: list[tuple[Vendor, tuple[Reading, ...]]], settings: Settings
) -> list[Change]:
    """What has to change so that the pod asks, is scheduled and is isolated as it must.

    ``asked`` are the vendors that some container asks, each with its reading of every slot.
    """
    found: list[Change] = []
    for slot, container in enumerate(pod.containers):
        for vendor, readings in asked:
            found += _container(slot, container, vendor, readings[slot])
    if pod.scheduler_name != settings.scheduler_name:
        found.append(SetScheduler(settings.scheduler_name))
    runtime = next((vendor.runtime_class for vendor, _ in asked if vendor.runtime_class), "")
    if runtime and not pod.runtime_class:
        found.append(SetRuntimeClass(runtime))
    return found


def overruled(pod: Pod, found: list[Change]) -> list[str]:
    """Warnings about variables that the user set and we set otherwise."""
    warnings = []
    for change in found:
        if isinstance(change, SetEnv):
            present = change.container.env or ()
            wanted = {env.name: env for env in change.wanted}
            warnings += [
                f"{change.container.path}.env[{index}]: {env.name} is set by the scheduler;"
                " the value given is not used"
                for index, env in enumerate(present)
                if index in change.unwanted or wanted.get(env.name, env) != env
            ]
    return warnings


def _container(slot: int, container: Container, vendor: Vendor, reading: Reading) -> list[Change]:
    if reading.request is None:
        return _env(container, vendor.bare(container), vendor, bare=True)
    limits = {
        name: value for name, value in reading.limits.items() if _limit(container, name) != value
    }
    found: list[Change] = [SetLimits(container, limits)] if limits else []
    return found + _env(container, vendor.wanted(slot, reading), vendor, bare=False)


def _limit(container: Container, name: str) -> int | None:
    raw = (container.limits or {}).get(name)
    return None if raw is None else quantities.integer(raw)


def _env(
    container: Container, wanted: tuple[EnvVar, ...], vendor: Vendor, *, bare: bool
) -> list[Change]:
    """Each wanted variable once and as wanted; of the vendor's own no other.

    The last entry of a name wins on the node, so a second one is removed wherever it stands.
    """
    present = container.env or ()
    by_name = {env.name: env for env in wanted}
    met: set[str] = set()
    unwanted, right = [], 0
    for index, env in enumerate(present):
        if env.name in by_name:
            if env.name in met:
                unwanted.append(index)
            elif env == by_name[env.name]:
                right += 1
            met.add(env.name)
        elif not bare and vendor.owned(env.name):
            unwanted.append(index)
    if right == len(wanted) and not unwanted:
        return []
    return [SetEnv(container, wanted, tuple(unwanted))]
