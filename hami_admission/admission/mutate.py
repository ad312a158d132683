"""Pod to changes, container by container, vendor by vendor: only what is not as it must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.admission.changes import (
    Change,
    SetEnv,
    SetLimits,
    SetRuntimeClass,
    SetScheduler,
    set_notes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        found += _container(
            slot, container, [(vendor, readings[slot]) for vendor, readings in asked]
        )
    # Where containers differ the last one says it, also when the pod has it already.
    wanted = {
        name: value
        for _, readings in asked
        for reading in readings
        for name, value in reading.notes.items()
    }
    found += set_notes(wanted, pod)
    if pod.scheduler_name not in settings.scheduler_names:
        found.append(SetScheduler(settings.scheduler_name))
    runtime = next((vendor.runtime_class for vendor, _ in asked if vendor.runtime_class), "")
    if runtime and not pod.runtime_class:
        found.append(SetRuntimeClass(runtime))
    return found


def overruled(found: list[Change]) -> list[str]:
    """Warnings about variables that the user set and we set otherwise."""
    return [
        f"{change.container.path}.env[{index}]: {change.container.env[index].name} is set by the"
        " scheduler; the value given is not used"
        for change in found
        if isinstance(change, SetEnv) and change.container.env is not None
        for index in sorted((*change.removed, *(index for index, _ in change.replaced)))
    ]


def _container(
    slot: int, container: Container, asked: list[tuple[Vendor, Reading]]
) -> Iterator[Change]:
    """One change of each kind: entries go by position, and the first one adds the whole list."""
    limits: dict[str, int] = {}
    wanted: list[EnvVar] = []
    bare: list[EnvVar] = []
    owned: tuple[str, ...] = ()
    for vendor, reading in asked:
        if reading.request is None:
            bare += vendor.bare(container)
        else:
            limits |= reading.limits
            wanted += vendor.wanted(slot, reading) + reading.env
            owned += vendor.owned
    if limits:
        yield SetLimits(container, limits)
    # What one family hides, another that the container does ask may have to show.
    hidden = [env for env in bare if not env.name.startswith(owned)]
    change = _env(container, {env.name: env for env in (*hidden, *wanted)}, owned)
    if change is not None:
        yield change


def _env(container: Container, wanted: dict[str, EnvVar], owned: tuple[str, ...]) -> SetEnv | None:
    """Each wanted variable once and as wanted; of those that are owned (by prefix) no other.

    The last entry of a name wins on the node, so a second one is removed wherever it stands.
    """
    missing = dict(wanted)
    replaced: list[tuple[int, EnvVar]] = []
    removed: list[int] = []
    for index, env in enumerate(container.env or ()):
        if env.name in wanted:
            right = missing.pop(env.name, None)
            if right is None:
                removed.append(index)
            elif env != right:
                replaced.append((index, right))
        elif env.name.startswith(owned):
            removed.append(index)
    if not (missing or replaced or removed):
        return None
    return SetEnv(container, tuple(missing.values()), tuple(replaced), tuple(removed))
