"""Limits as environment variables, for families whose library in the container reads them.

Facts/node.md 1.10. What is known when the pod is admitted is literal; the downward API gives the
rest, from annotations that the Binding sets.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.pod import EnvVar, from_field
from hami_admission.wire import keys, reservations

if TYPE_CHECKING:
    from hami_admission.model.grant import Grant, SlotGrants
    from hami_admission.model.pod import Container
    from hami_admission.model.request import Request
    from hami_admission.vendors.vendor import Made, Reading


KEPT = 512
"""Sets of variables: 22 KiB each for 64 cards, of which a user may make as many as he likes."""


class Variables(msgspec.Struct, frozen=True, kw_only=True):
    """The names: the cards that are seen, MiB and cores of each, the priority.

    ``more`` are variables that every container with a request has.
    """

    visible: str
    memory: str
    cores: str
    priority: str
    more: tuple[EnvVar, ...] = ()

    @property
    def owned(self) -> tuple[str, ...]:
        """Those that decide what a container sees or may use of a card."""
        return self.visible, self.memory, self.cores

    def memory_limits(self, count: int) -> list[str]:
        """One for each card."""
        return [f"{self.memory}_{index}" for index in range(count)]


def wanted(names: Variables, slot: int, reading: Reading) -> tuple[EnvVar, ...]:
    """What a container with a request must have."""
    assert reading.request is not None, "asked only for containers with a request"
    return _wanted(names, slot, reading.request, reading.priority)


@lru_cache(maxsize=KEPT)
def _wanted(
    names: Variables, slot: int, request: Request, priority: int | None
) -> tuple[EnvVar, ...]:
    memory, cores = request.memory_mib, str(request.cores)
    late = partial(_placed, slot)
    found = [
        late(names.visible),
        *(
            late(name) if memory is None else EnvVar(name, f"{memory}m")
            for name in names.memory_limits(request.count)
        ),
        EnvVar(names.cores, cores),
    ]
    if request.count > 1:  # upstream gives the first card's to all (facts/node.md 1.10)
        found += [EnvVar(f"{names.cores}_{index}", cores) for index in range(request.count)]
    if priority is not None:
        found.append(EnvVar(names.priority, str(priority)))
    return (*found, *names.more)


def bare(names: Variables, container: Container, *, always: bool) -> tuple[EnvVar, ...]:
    """A container without a request sees no card, whatever it says; ``always``: or its image."""
    named = container.env_from or any(env.name == names.visible for env in container.env or ())
    return (EnvVar(names.visible, "none"),) if named or always else ()


def late(names: Variables, request: Request, grants: SlotGrants, made: Made) -> dict[str, str]:
    """The cards, and how much of them where that was open."""
    values = {names.visible: ",".join(_seen(grant, made) for grant in grants)}
    if request.memory_mib is None:
        limits = names.memory_limits(request.count)
        values |= {name: f"{grant.memory_mib}m" for name, grant in zip(limits, grants, strict=True)}
    return values


def _seen(grant: Grant, made: Made) -> str:
    """The instance and not the card, where it has one."""
    instance = made.get(reservations.place(grant)) if grant.profile else None
    return grant.uuid if instance is None else instance.uuid


def _placed(slot: int, name: str) -> EnvVar:
    """A variable that the placement decides."""
    return from_field(name, keys.annotation_path(keys.env_annotation(slot, name)))
