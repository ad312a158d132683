"""Vendor: the form that each accelerator family fills."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.card import Card
from hami_admission.model.grant import Grant, SlotGrants
from hami_admission.model.request import Request
from hami_admission.model.verdict import Objection, Reason
from hami_admission.model.wishes import Selection

if TYPE_CHECKING:
    from hami_admission.model.names import ResourceNames
    from hami_admission.model.pod import Container, EnvVar
    from hami_admission.vendors.inventory import Inventory
    from hami_admission.wire.nodes import NodeFacts


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """The annotations of this family: on nodes, written by us on pods, written by users on pods."""

    register: str
    to_allocate: str
    allocated: str
    use_type: str
    nouse_type: str
    use_uuid: str
    nouse_uuid: str


class Reading(msgspec.Struct, frozen=True):
    """What one container asks of this family.

    ``limits`` are the resource limits that it lacks for that, by name. A reading with objections
    has no request.
    """

    request: Request | None = None
    limits: dict[str, int] = {}
    priority: int | None = None
    objections: tuple[Objection, ...] = ()
    warnings: tuple[str, ...] = ()


NOTHING = Reading()

Check = Callable[[Card, Request, Selection], Reason | None]
"""Why this card cannot serve at all, or None."""

Charge = Callable[[Card, Request], Grant | Reason]
"""What one unit of the request takes of this card, or why it has not that much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One accelerator family: everything that is different about it.

    ``wanted`` gives the environment that a container with a request must have (by slot), ``bare``
    what one without must have beside it; ``owned`` are the beginnings of names that users
    cannot set.
    ``checks_of_any`` are those of ``checks`` that matter to a pod without lists of cards.
    ``late`` gives the values that only the placement knows, by environment name.
    """

    word: str
    names: ResourceNames
    keys: Keys
    parse: Callable[[Container], Reading]
    inventory: Callable[[NodeFacts], Inventory]
    checks: tuple[Check, ...]
    checks_of_any: tuple[Check, ...]
    charge: Charge
    wanted: Callable[[int, Reading], tuple[EnvVar, ...]]
    bare: Callable[[Container], tuple[EnvVar, ...]]
    owned: tuple[str, ...]
    late: Callable[[Request, SlotGrants], dict[str, str]]
    runtime_class: str = ""
