"""What a family makes of what was read, and what it says where that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from hami_admission.model.verdict import Objection
from hami_admission.vendors.vendor import Reading
from hami_admission.wire import quantities

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.model.names import ResourceNames
    from hami_admission.model.pod import Container, Quantity
    from hami_admission.model.request import Request
    from hami_admission.vendors.vendor import Parse


class Asked(NamedTuple):
    """What was read of a container, and all that decides what becomes of it."""

    container: Container
    annotations: Mapping[str, str]
    names: ResourceNames
    reading: Reading
    request: Request

    @property
    def given(self) -> dict[str, Quantity]:
        """Its amounts, by limit or else by request."""
        return {**(self.container.requests or {}), **(self.container.limits or {})}

    def note(self, name: str) -> str:
        """An annotation of the pod; empty where there is none."""
        return self.annotations.get(name, "")

    def lacking(self, wanted: Mapping[str, int]) -> dict[str, int]:
        """Those limits that the container has not, or not so; what was read of it has been said."""
        there = self.container.limits or {}
        return {
            name: value
            for name, value in {**self.reading.limits, **wanted}.items()
            if name and (name not in there or quantities.integer(there[name]) != value)
        }

    def wrong(self, name: str, right: str) -> Objection:
        """An amount that cannot be, and what would be right."""
        return wrong_amount(self.container, name, right)

    def wrong_note(self, name: str, right: str) -> Objection:
        """An annotation of the pod that cannot be."""
        return Objection(f"metadata.annotations[{name}]", repr(self.note(name)[:60]), right)


Refine = Callable[[Asked], Reading]


def then(read: Parse, names: ResourceNames, refine: Refine) -> Parse:
    """Like ``read``, by ``names``; where that is a request, what ``refine`` makes of it."""

    def parsed(container: Container, annotations: Mapping[str, str]) -> Reading:
        reading = read(container, annotations)
        if reading.request is None:
            return reading
        return refine(Asked(container, annotations, names, reading, reading.request))

    return parsed


def refused(*objections: Objection) -> Reading:
    """What cannot be had."""
    return Reading(objections=objections)


def wrong_amount(container: Container, name: str, right: str) -> Objection:
    """An amount that cannot be, at the place where it stands."""
    limits, requests = container.limits or {}, container.requests or {}
    where, given = ("requests", requests) if name not in limits else ("limits", limits)
    value = str(given.get(name, "absent"))[:60]
    return Objection(f"{container.path}.resources.{where}[{name}]", value, right)
