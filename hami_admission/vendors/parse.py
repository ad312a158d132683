"""A container's resource names and amounts to what it asks, with every mistake named."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.pod import Container
from hami_admission.model.request import Request
from hami_admission.model.verdict import Objection
from hami_admission.vendors.vendor import NOTHING, Reading
from hami_admission.wire import quantities
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from hami_admission.model.names import ResourceNames
    from hami_admission.model.pod import Kind, Quantity

    _Asked = tuple[Quantity | None, ...]

MAX_CARDS = 64
"""Cards of one container: more than any machine holds, few enough to name each in variables."""

MAX_MEMORY_MIB = 4 * 1024 * 1024
"""4 TiB on one card; more is a number that was meant in bytes."""

_MIB = 1024 * 1024
_NONE: dict[str, Quantity] = {}
_LONGEST = 32


class Defaults(msgspec.Struct, frozen=True):
    """What is meant when a container leaves something out."""

    count: int
    memory_mib: int
    cores: int


def reader(
    *, vendor: str, names: ResourceNames, defaults: Defaults, apart: str = ""
) -> Callable[[Container], Reading]:
    """How containers ask by these names; the same amounts in the same place are read once.

    Pods of one workload ask alike, and nothing but the amounts of our names (and the container's
    place, which stands in messages) decides the answer. Longer texts than amounts are not kept.
    ``apart``: how resources begin that another device plugin gives out, and that do not go with
    ours in one container.
    """

    nothing = (None,) * (2 * len(names.all))

    @lru_cache(maxsize=4096)
    def known(kind: Kind, index: int, asked: _Asked) -> Reading:
        return _by_names(Container("", kind, index), vendor, names, defaults, asked)

    def read(container: Container) -> Reading:
        limits, requests = container.limits or _NONE, container.requests or _NONE
        asked = (*map(limits.get, names.all), *map(requests.get, names.all))
        if asked == nothing:
            return NOTHING
        if any(isinstance(each, str) and len(each) > _LONGEST for each in asked):
            reading = _by_names(container, vendor, names, defaults, asked)
        else:
            reading = known(container.kind, container.index, asked)
        if not apart or reading.request is None:
            return reading
        return _alone(container, names, apart) or reading

    return read


def _alone(container: Container, names: ResourceNames, apart: str) -> Reading | None:
    """An objection where something of another device plugin is asked beside our share."""
    limits, requests = container.limits or _NONE, container.requests or _NONE
    given = {**requests, **limits}
    others = sorted(name for name in given if name.startswith(apart))
    if not others:
        return None
    own = ", ".join(name for name in names.all if name in given)
    advice = (
        f"is given out by another device plugin, and {own} by this one; a container gets its cards"
        f" from one of them: remove {own}, or {', '.join(others)}"
    )
    return Reading(
        objections=tuple(
            Objection(_path(container, name, limits.get(name)), str(given[name])[:60], advice)
            for name in others
        )
    )


def _by_names(
    container: Container, vendor: str, names: ResourceNames, defaults: Defaults, asked: _Asked
) -> Reading:
    """Count, memory, percentage, cores and priority (facts/scheduling.md 2.4 and 6.1).

    ``asked`` are limits and requests in the order of ``names.all``. Limits win, requests serve
    where a limit is absent and are copied to it, because Kubernetes wants a limit for each
    extended resource. The count is defaulted when only sizes are given. A card whose memory is not
    divided and whose cores are not named is taken whole: 100 cores.
    """
    limits = dict(zip(names.all, asked[: len(names.all)], strict=True))
    requests = dict(zip(names.all, asked[len(names.all) :], strict=True))
    objections: list[Objection] = []
    values = {
        name: _read(container, name, limits[name], requests[name], names, objections)
        for name in names.all
        if limits[name] is not None or requests[name] is not None
    }
    if objections:
        return Reading(objections=tuple(objections))
    if not any(map(values.get, names.asking)):
        return _asks_nothing(container, names, values)
    reading = _asks(container, vendor, names, defaults, values)
    lacking = {name: value for name, value in reading.limits.items() if limits[name] is None}
    return msgspec.structs.replace(reading, limits=lacking)


def _asks(
    container: Container,
    vendor: str,
    names: ResourceNames,
    defaults: Defaults,
    values: dict[str, int],
) -> Reading:
    count = values.get(names.count, defaults.count)
    if count == 0:
        return Reading(objections=(_no_count(container, names, values),))
    memory, percent = values.get(names.memory), values.get(names.percent)
    wanted = {**values, names.count: count}
    cores = values.get(names.cores)
    if cores is None:
        whole = percent == 100 if percent is not None else memory is None
        cores = 100 if whole else defaults.cores
        if whole:
            wanted[names.cores] = 100
    if not memory and not percent and defaults.memory_mib:
        memory = defaults.memory_mib
    return Reading(
        request=Request(vendor, count, memory or None, percent or 100, cores),
        limits=wanted,
        priority=values.get(names.priority),
        warnings=_guessed(container, names, defaults, values),
    )


def _asks_nothing(container: Container, names: ResourceNames, values: dict[str, int]) -> Reading:
    """Zeros ask for nothing, as they do for native resources; a lone priority is a mistake."""
    if names.priority not in values or any(name in values for name in names.asking):
        return NOTHING
    return Reading(
        objections=(
            Objection(
                f"{container.path}.resources.limits[{names.priority}]",
                str(values[names.priority]),
                f"a priority without cards; add {names.count}, or remove it",
            ),
        )
    )


def _no_count(container: Container, names: ResourceNames, values: dict[str, int]) -> Objection:
    sizes = ", ".join(name for name in names.asking if values.get(name))
    return Objection(
        f"{container.path}.resources.limits[{names.count}]",
        str(values.get(names.count, "absent")),
        f"no card, but a size ({sizes}); write 1 or more, or remove the size",
    )


def _guessed(
    container: Container,
    names: ResourceNames,
    defaults: Defaults,
    values: dict[str, int],
) -> tuple[str, ...]:
    """What we made of a request that can be read in two ways."""
    warnings = []
    if values.get(names.cores) == 100 and _divided(names, values):
        warnings.append(
            f"{container.path}: {names.cores}: 100 keeps the card to this container alone, though"
            f" it asks for a part of the memory; write less, or 0 for no limit, to share the card"
        )
    if values.get(names.memory) and names.percent not in values:
        return tuple(warnings)
    if defaults.memory_mib:
        whole = f"{defaults.memory_mib} MiB, the cluster's default"
    else:
        whole = "the whole memory of the card"
    if values.get(names.memory) and values.get(names.percent):
        warnings.append(
            f"{container.path}: both {names.memory} and {names.percent} are given;"
            f" {names.memory} decides"
        )
    if not (values.get(names.memory) or values.get(names.percent)):
        warnings += [
            f"{container.path}: {name}: 0 means {whole}"
            for name in (names.memory, names.percent)
            if values.get(name) == 0
        ]
    return tuple(warnings)


def _divided(names: ResourceNames, values: dict[str, int]) -> bool:
    """Is it a part of the memory that is asked for?"""
    return bool(values.get(names.memory)) or 0 < values.get(names.percent, 0) < 100


def _read(
    container: Container,
    name: str,
    limit: Quantity | None,
    request: Quantity | None,
    names: ResourceNames,
    objections: list[Objection],
) -> int:
    """The amount, or 0 and an objection."""
    raw = request if limit is None else limit
    assert raw is not None, "asked only for names that are given"
    high = _highest(name, names)
    try:
        value = quantities.integer(raw)
    except Malformed as error:
        where = _path(container, name, limit)
        objections.append(Objection(where, str(raw)[:60], f"{error}; write a whole number"))
        return 0
    if value is None or not 0 <= value <= high or _meant_bytes(name, raw, names):
        where = _path(container, name, limit)
        objections.append(Objection(where, str(raw), _advice(name, raw, high, names)))
        return 0
    if request is not None and request != raw and not _equals(request, value):
        where = _path(container, name, None)
        advice = f"differs from the limit {raw}; make both equal, or leave the request out"
        objections.append(Objection(where, str(request)[:60], advice))
    return value


def _path(container: Container, name: str, limit: Quantity | None) -> str:
    return f"{container.path}.resources.{'requests' if limit is None else 'limits'}[{name}]"


def _highest(name: str, names: ResourceNames) -> int:
    if name == names.memory:
        return MAX_MEMORY_MIB
    if name == names.count:
        return MAX_CARDS
    return 1 if name == names.priority else 100


def _equals(request: Quantity, value: int) -> bool:
    try:
        return quantities.integer(request) == value
    except Malformed:
        return False


def _meant_bytes(name: str, raw: Quantity, names: ResourceNames) -> bool:
    return name == names.memory and quantities.binary(raw)


def _advice(name: str, raw: Quantity, high: int, names: ResourceNames) -> str:
    """What to write instead, from the value where it can be told."""
    if name == names.memory:
        mib = quantities.floor(raw) // _MIB
        hint = f"; for {raw} bytes write {mib}" if 0 < mib <= high else ""
        return f"the unit is MiB already, per card: a whole number from 0 to {high}{hint}"
    if name == names.priority:
        return "must be 0 (high) or 1 (low)"
    unit = "cards of one container" if name == names.count else "percent of one card"
    return f"must be a whole number from 0 to {high} ({unit})"
