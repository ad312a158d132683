"""Vendor: the form that each accelerator family fills."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from hami_admission.model.card import Card
from hami_admission.model.device import Device
from hami_admission.model.grant import Grant, PodGrants, SlotGrants
from hami_admission.model.instance import Instance, Place
from hami_admission.model.pod import EnvVar
from hami_admission.model.request import Request
from hami_admission.model.verdict import Objection, Reason
from hami_admission.model.wishes import Selection, Wishes
from hami_admission.vendors.checks import COMMON, COMMON_OF_ANY, Check

if TYPE_CHECKING:
    from hami_admission.model.names import ResourceNames
    from hami_admission.model.pod import Container
    from hami_admission.vendors.inventory import Inventory
    from hami_admission.wire.nodes import NodeFacts


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """The annotations in which users of this family choose cards; empty where there is no such.

    Those that are ``older`` hold beside the others.
    """

    use_type: str = ""
    nouse_type: str = ""
    use_uuid: str = ""
    nouse_uuid: str = ""
    older_use_uuid: str = ""
    older_nouse_uuid: str = ""
    mode: str = ""
    numa_bind: str = ""

    @property
    def all(self) -> tuple[str, ...]:
        """Those that there are."""
        return tuple(filter(None, msgspec.structs.astuple(self)))


class About(msgspec.Struct, frozen=True):
    """What docs/vendors.md says of a family and its value cannot show: short texts.

    ``title`` is whose cards these are, the same for all values of one maker; ``sharing`` what a
    container can have of a card, ``plugin`` who gives it out on the node, ``topology`` which cards
    go together, ``memory`` and ``cores`` what 1 of each means where the names do not say it.
    """

    title: str = ""
    sharing: str = ""
    plugin: str = ""
    topology: str = ""
    memory: str = ""
    cores: str = ""


UNTOLD = About()


class Reading(msgspec.Struct, frozen=True):
    """What one container asks of this family.

    ``limits`` are the resource limits that it must have for that and has not, by name; ``env`` is
    the environment that it must have, ``notes`` are the annotations that its pod must have. A
    reading with objections has no request.
    """

    request: Request | None = None
    limits: dict[str, int] = {}
    priority: int | None = None
    objections: tuple[Objection, ...] = ()
    warnings: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    notes: dict[str, str] = {}

    def asking(self, **fields: Any) -> Reading:
        """The same, with these fields of its request; there is one."""
        assert self.request is not None
        request = msgspec.structs.replace(self.request, **fields)
        return msgspec.structs.replace(self, request=request)


NOTHING = Reading()


def no_environment(slot: int, reading: Reading) -> tuple[EnvVar, ...]:
    """For families whose node side sets the environment."""
    return ()


def no_company(container: Container) -> tuple[EnvVar, ...]:
    """For families that a container without a request cannot see."""
    return ()


def nothing_late(request: Request, grants: SlotGrants, made: Made) -> dict[str, str]:
    """For families that need nothing from the placement in the environment."""
    return {}


def never(count: int, wishes: Wishes) -> bool:
    """For families of which any cards go together."""
    return False


def several(count: int, wishes: Wishes) -> bool:
    """For families of which one card is as good as another, and not any two go together."""
    return count > 1


Parse = Callable[["Container", Mapping[str, str]], Reading]
"""What a container asks, in a pod with these annotations."""

Made = Mapping[Place, Instance]
"""The parts of cut cards that exist for a pod, by where they lie."""

Charge = Callable[[Card, Request], Grant | Reason]
"""What one unit of the request takes of this card, or why it has not that much."""

Able = tuple[Card, Grant]
"""A card that may serve and what it would give; in the state in which it would give it."""

Choose = Callable[[Sequence[Able], int, Wishes], Sequence[Able] | Reason]
"""Which n of the candidates, best first by policy; or why no n of them go together.

There are n candidates at least.
"""

Resolve = Callable[[Request, Sequence[Card]], Request | Reason]
"""What a request means on the cards of one node, where that depends on the cards."""


Score = Callable[[Sequence[Card], PodGrants, Wishes], float]
"""How well a pod's grants go with the cards of a node, before them; more is better.

It decides before the fullness of nodes does, and only between nodes of one family.
"""

Spoiled = Callable[[Sequence[Card], Selection], Mapping[str, Reason]]
"""The cards that cannot serve because of others of their node, by uuid, and why."""


class Assigned(msgspec.Struct, frozen=True):
    """What a pod got of this family, for those who read its annotations.

    ``requests`` and ``grants`` are by slot, ``devices`` by uuid; ``now`` is a unix second; ``made``
    are the instances that exist, none where nothing was bound; ``containers`` are names by slot.
    """

    node: str
    now: float
    requests: tuple[tuple[Request, ...], ...]
    grants: PodGrants
    devices: Mapping[str, Device]
    made: Made = {}
    containers: tuple[str, ...] = ()


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """The runtime that gives containers of this family their cards, by its handler's name.

    ``question`` is what to ask on a node to know whether it goes by the environment.
    """

    handler: str
    question: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One accelerator family: everything that is different about it.

    On nodes: ``inventory`` finds the cards, ``resolve`` says what a request means there (None: what
    it says), ``checks`` which cards may serve at all (``checks_of_any`` are those that matter to a
    pod without wishes), ``charge`` what one costs, ``repeats`` whether one request may take this
    card again, ``choose`` which of the candidates go together (None: the first), ``choosy`` whether
    it may refuse so many of them, ``spoiled`` which cards others of the node keep from serving,
    ``score`` how good a node is for it. ``same_cards``: all containers of a pod use the cards of
    the first that has some. ``single``: one container of a pod at most may have any.

    On pods: ``parse`` reads what a container asks, ``wanted`` gives the environment that a
    container with a request must have (by slot), ``bare`` what one without must have beside it;
    ``owned`` are the beginnings of names that users cannot set, ``reads`` the annotations that
    ``parse`` looks at. ``late`` gives the values that
    only the placement knows, by environment name; ``annotate`` and ``recall`` write and read what
    the pod holds; a text that is damaged reads as grants that are ``unread``.
    """

    word: str
    names: ResourceNames
    keys: Keys
    parse: Parse
    inventory: Callable[[NodeFacts], Inventory]
    charge: Charge
    annotate: Callable[[Assigned], dict[str, str]]
    recall: Callable[[Mapping[str, str]], PodGrants]
    checks: tuple[Check, ...] = COMMON
    checks_of_any: tuple[Check, ...] = COMMON_OF_ANY
    resolve: Resolve | None = None
    repeats: Callable[[Card], bool] | None = None
    choose: Choose | None = None
    choosy: Callable[[int, Wishes], bool] = never
    spoiled: Spoiled | None = None
    score: Score | None = None
    same_cards: bool = False
    single: bool = False
    reads: tuple[str, ...] = ()
    wanted: Callable[[int, Reading], tuple[EnvVar, ...]] = no_environment
    bare: Callable[[Container], tuple[EnvVar, ...]] = no_company
    owned: tuple[str, ...] = ()
    late: Callable[[Request, SlotGrants, Made], dict[str, str]] = nothing_late
    runtime_class: str = ""
    register: str = ""
    rivals: tuple[str, ...] = ()
    runtime: Runtime | None = None
    about: About = UNTOLD
