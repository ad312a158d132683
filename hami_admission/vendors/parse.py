"""A container's resource names and amounts to what it asks, with every mistake named."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.names import ResourceNames
from hami_admission.model.pod import Container
from hami_admission.model.request import Request
from hami_admission.model.verdict import Objection
from hami_admission.vendors.vendor import NOTHING, Reading
from hami_admission.wire import admitted, keys, quantities
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hami_admission.model.pod import Kind, Quantity
    from hami_admission.vendors.vendor import Parse

    _Asked = tuple[Quantity | None, ...]

MAX_CARDS = 64
"""Cards of one container: more than any machine holds, few enough to name each in variables."""

MAX_MEMORY_MIB = 4 * 1024 * 1024
"""4 TiB on one card; more is a number that was meant in bytes."""

_MIB = 1024 * 1024
_NONE: dict[str, Quantity] = {}
_LONGEST = 32

KEPT = 512
"""Readings of each family: 0.7 KiB each, of which a user may make as many as he likes."""


class Defaults(msgspec.Struct, frozen=True):
    """What is meant when a container leaves something out, and the fewest cores that it may ask.

    ``most`` is the highest count, and ``counted`` what it counts.
    ``exclusive``: a card whose memory is not divided and whose cores are not named is taken whole,
    with all its cores. ``bytes_too``: an amount of memory with a suffix (``4Gi``) means bytes, and
    so much is given, rounded up to MiB. ``percent_first``: where memory and percentage are given,
    the percentage decides. ``apart``: how resources begin that another device plugin gives out, and
    that do not go with ours in one container. ``adjustable``: memory and cores are settings, and a
    pod notes which it was admitted with.
    """

    count: int = 1
    memory_mib: int = 0
    cores: int = 0
    exclusive: bool = False
    least_cores: int = 0
    bytes_too: bool = False
    percent_first: bool = False
    apart: str = ""
    most: int = MAX_CARDS
    counted: str = "cards of one container"
    adjustable: bool = False

    def admitted(self, note: str) -> Defaults:
        """Those that a pod was admitted with; these, where it does not say it in our words."""
        try:
            memory_mib, cores = admitted.decode_defaults(note)
        except Malformed:
            return self
        return msgspec.structs.replace(self, memory_mib=memory_mib, cores=cores)


def reader(*, vendor: str, names: ResourceNames, defaults: Defaults) -> Parse:
    """How containers ask by these names; the same amounts in the same place are read once.

    Pods of one workload ask alike, and nothing but the amounts of our names (and the container's
    place, which stands in messages) decides the answer. Longer texts than amounts are not kept.
    """

    nothing = (None,) * (2 * len(names.all))
    noted = keys.ADMITTED_DEFAULTS + vendor if defaults.adjustable else ""

    @lru_cache(maxsize=KEPT)
    def known(kind: Kind, index: int, mine: Defaults, asked: _Asked) -> Reading:
        return _by_names(Container("", kind, index), vendor, names, mine, asked)

    def read(container: Container, annotations: Mapping[str, str]) -> Reading:
        limits, requests = container.limits or _NONE, container.requests or _NONE
        asked = (*map(limits.get, names.all), *map(requests.get, names.all))
        if asked == nothing:
            return NOTHING
        note = annotations.get(noted)
        mine = defaults if note is None else defaults.admitted(note)
        if any(isinstance(each, str) and len(each) > _LONGEST for each in asked):
            reading = _by_names(container, vendor, names, mine, asked)
        else:
            reading = known(container.kind, container.index, mine, asked)
        if not defaults.apart or reading.request is None:
            return reading
        return _alone(container, names, defaults.apart) or reading

    return read


def whole_cards(
    read: Parse, names: ResourceNames, whole: Mapping[str, int], unless: str = ""
) -> Parse:
    """Like ``read``, but several cards are taken whole, and their amounts are those of all.

    ``whole`` is what one card has, by name. One card is taken whole as well where ``unless`` is
    given, and not named. What is read again has these amounts already, and is left as it is.
    """

    def parsed(container: Container, annotations: Mapping[str, str]) -> Reading:
        found = read(_without(container, whole), annotations)
        found = read(container, annotations) if found is NOTHING else found
        request = found.request
        if request is None:
            return found
        both = container.limits or _NONE, container.requests or _NONE
        if request.count == 1 and (not unless or any(unless in each for each in both)):
            return read(container, annotations)
        limits, warnings = dict(found.limits), list(found.warnings)
        for name, one in whole.items():
            total = request.count * one
            wrong = [each[name] for each in both if name in each and not _equals(each[name], total)]
            if wrong or name not in both[0]:
                limits[name] = total
            if wrong:
                warnings.append(
                    f"{container.path}: {name}: {wrong[0]} is not {request.count} whole cards,"
                    f" so it is made {total}"
                )
        memory = whole[names.memory] * names.unit_mib if names.memory in whole else None
        request = msgspec.structs.replace(
            request,
            memory_mib=memory or request.memory_mib,
            cores=whole.get(names.cores, request.cores),
        )
        return msgspec.structs.replace(
            found, request=request, limits=limits, warnings=tuple(warnings)
        )

    return parsed


def _without(container: Container, names: Iterable[str]) -> Container:
    """The container as if these were not asked."""
    limits, requests = (
        None if given is None else {name: given[name] for name in given if name not in names}
        for given in (container.limits, container.requests)
    )
    return msgspec.structs.replace(container, limits=limits, requests=requests)


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
    extended resource. The count is defaulted when only sizes are given.
    """
    limits = dict(zip(names.all, asked[: len(names.all)], strict=True))
    requests = dict(zip(names.all, asked[len(names.all) :], strict=True))
    objections: list[Objection] = []
    values = {
        name: _read(
            container, name, limits[name], requests[name], _Bounds(names, defaults), objections
        )
        for name in names.all
        if limits[name] is not None or requests[name] is not None
    }
    if objections:
        return Reading(objections=tuple(objections))
    if not any(map(values.get, names.asking)):
        return _asks_nothing(container, names, values)
    reading = _asks(container, vendor, names, defaults, values)
    exact = _bytes(limits.get(names.memory)) if defaults.bytes_too else 0
    if exact:
        reading = reading.asking(memory_mib=-(-exact // _MIB))
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
        whole = whole and defaults.exclusive
        cores = names.whole_cores if whole else defaults.cores
        if whole:
            wanted[names.cores] = names.whole_cores
    mib = 0 if defaults.percent_first and percent else (memory or 0) * names.unit_mib
    guessed = not mib and not percent
    mib = defaults.memory_mib if guessed else mib
    relies = defaults.adjustable and (guessed or values.get(names.cores) is None)
    note = admitted.encode_defaults(defaults.memory_mib, defaults.cores)
    return Reading(
        request=Request(vendor, count, mib or None, percent or 100, cores),
        limits=wanted,
        priority=values.get(names.priority),
        warnings=_guessed(container, names, defaults, values),
        notes={keys.ADMITTED_DEFAULTS + vendor: note} if relies else {},
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
    if values.get(names.cores) == names.whole_cores and _divided(names, values):
        warnings.append(
            f"{container.path}: {names.cores}: {names.whole_cores} keeps the card to this container"
            " alone, though it asks for a part of the memory; write less, or 0 for no limit, to"
            " share the card"
        )
    if values.get(names.memory) and names.percent not in values:
        return tuple(warnings)
    if defaults.memory_mib:
        whole = f"{defaults.memory_mib} MiB, the cluster's default"
    else:
        whole = "the whole memory of the card"
    if values.get(names.memory) and values.get(names.percent):
        decides = names.percent if defaults.percent_first else names.memory
        warnings.append(
            f"{container.path}: both {names.memory} and {names.percent} are given;"
            f" {decides} decides"
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
    bounds: _Bounds,
    objections: list[Objection],
) -> int:
    """The amount, or 0 and an objection."""
    raw = request if limit is None else limit
    assert raw is not None, "asked only for names that are given"
    low, high = bounds.of(name)
    try:
        value = bounds.value(name, raw)
    except Malformed as error:
        where = _path(container, name, limit)
        objections.append(Objection(where, str(raw)[:60], f"{error}; write a whole number"))
        return 0
    if value is None or not low <= value <= high:
        where = _path(container, name, limit)
        objections.append(Objection(where, str(raw), _advice(bounds, name, raw)))
        return 0
    if bounds.bytes_of(name, raw) and (limit is None or _bytes(raw) < _MIB):
        advice = "bytes, by its suffix: must be a limit, of 1Mi or more"
        objections.append(Objection(_path(container, name, raw), str(raw), advice))
    if request is not None and request != raw and not _equals(request, raw):
        where = _path(container, name, None)
        advice = f"differs from the limit {raw}; make both equal, or leave the request out"
        objections.append(Objection(where, str(request)[:60], advice))
    return value


def _bytes(raw: Quantity | None) -> int:
    """What an amount with a suffix is in bytes; 0 for one without."""
    return 0 if raw is None or str(raw)[-1:].isdigit() else quantities.floor(raw)


def _path(container: Container, name: str, limit: Quantity | None) -> str:
    return f"{container.path}.resources.{'requests' if limit is None else 'limits'}[{name}]"


def _equals(request: Quantity, raw: Quantity) -> bool:
    try:
        return quantities.parse(request) == quantities.parse(raw)
    except Malformed:
        return False


class _Bounds(msgspec.Struct, frozen=True):
    """What the amounts of a family may be."""

    names: ResourceNames
    defaults: Defaults

    def of(self, name: str) -> tuple[int, int]:
        """The lowest and the highest."""
        names = self.names
        if name == names.memory:
            return 0, MAX_MEMORY_MIB // names.unit_mib
        if name == names.count:
            return 0, self.defaults.most
        if name == names.cores:
            return self.defaults.least_cores, names.whole_cores
        return 0, 1 if name == names.priority else 100

    def bytes_of(self, name: str, raw: Quantity) -> int:
        """The bytes that are meant, where memory is given so; 0 for anything else."""
        return _bytes(raw) if self.defaults.bytes_too and name == self.names.memory else 0

    def value(self, name: str, raw: Quantity) -> int | None:
        """The whole number that is meant; bytes are none, unless the family takes them.

        Raises Malformed.
        """
        if name != self.names.memory:
            return quantities.integer(raw)
        if self.defaults.bytes_too and not str(raw)[-1:].isdigit():
            return self.names.in_units(-(-_bytes(raw) // _MIB))
        return None if quantities.binary(raw) else quantities.integer(raw)


def _advice(bounds: _Bounds, name: str, raw: Quantity) -> str:
    """What to write instead, from the value where it can be told."""
    names, (low, high) = bounds.names, bounds.of(name)
    if name == names.memory:
        units = quantities.floor(raw) // (_MIB * names.unit_mib)
        hint = f"; for {raw} bytes write {units}" if 0 < units <= high else ""
        unit = "MiB" if names.unit_mib == 1 else f"{names.unit_mib} MiB"
        return f"the unit is {unit} already, per card: a whole number from 0 to {high}{hint}"
    if name == names.priority:
        return "must be 0 (high) or 1 (low)"
    unit = bounds.defaults.counted if name == names.count else "percent of one card"
    if name == names.count and names.places:
        unit = "places of one card"
    if name == names.cores and names.whole_cores != 100:
        unit = "cores of one card"
    return f"must be a whole number from {low} to {high} ({unit})"
