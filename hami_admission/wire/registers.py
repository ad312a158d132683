"""The register annotation of a node, both ways (facts/scheduling.md 4.4 and 11.3).

Newer agents write a JSON array whose zero and false values are absent; older ones the text form
``id,count,devmem,devcore,type,numa,health[,index,mode]:`` per card.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.device import Device, Profile, Rows
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_CARDS = 256
"""Cards of one vendor on one node; more is taken for a damaged annotation."""

MAX_SCORE = 10_000
"""Pair score; 18 NVLinks and the closest PCIe path make 1,860."""

MAX_UNITS = 64
"""Units of a card that an instance may lie on; the largest known have eight."""

MAX_AMOUNT = 9_999_999_999
"""MiB, cores or places of one card: what annotations of pods can hold (``wire/grants.py``)."""

SEPARATORS = frozenset(",:;")
"""What stands between the parts of a pod's device annotation, so no card id may have it. No plugin
of upstream's writes such ids (facts/devices.md, by family)."""

_NAMED = " ".join(sorted(SEPARATORS))

DEFAULT_MODE = "hami-core"


class _Place(msgspec.Struct):
    start: int
    size: int


class _Profile(msgspec.Struct, omit_defaults=True, rename="camel"):
    """One MIG profile, with upstream's key names (facts/devices.md 3.1)."""

    name: str
    memory_mib: int = msgspec.field(name="memoryMB", default=0)
    core: int = 0
    slice_count: int = 0
    placements: tuple[_Place, ...] = ()


class _Card(msgspec.Struct, omit_defaults=True):
    """One element of the JSON form, with upstream's key names."""

    id: str = ""
    index: int = 0
    count: int = 0
    devmem: int = 0
    devcore: int = 0
    type: str = ""
    numa: int = 0
    mode: str = ""
    health: bool = False
    profiles: tuple[_Profile, ...] = msgspec.field(name="migProfiles", default=())
    facts: dict[str, object] = msgspec.field(name="custominfo", default={})


class _Pairs(msgspec.Struct):
    """One element of the pair scores (facts/scheduling.md 8.1)."""

    uuid: str
    score: dict[str, int] = {}


_PAIRS = msgspec.json.Decoder(list[_Pairs])
_DECODER = msgspec.json.Decoder(list[_Card])


def encode(devices: tuple[Device, ...]) -> str:
    """The JSON form, the same bytes for the same cards: sorted by index then id."""
    return msgspec.json.encode([_to_wire(device) for device in _in_order(devices)]).decode()


@lru_cache(maxsize=8192)
def decode(text: str) -> tuple[Device, ...]:
    """The cards in either form, sorted by index then id; raises Malformed.

    Nodes report themselves again and again, mostly unchanged: what was read is kept.
    """
    form = text.strip()
    return checked(_from_json(form) if form.startswith("[") else _from_text(form))


def checked(devices: list[Device], what: str = "register annotation") -> tuple[Device, ...]:
    """The cards of a node in order; raises Malformed for what no node can have, in ``what``."""
    for card in devices:
        if not card.uuid:
            raise Malformed(f"{what}: a card without an id")
        if SEPARATORS & set(card.uuid) or card.uuid != card.uuid.strip():
            raise Malformed(f"{what}: card id {card.uuid[:80]!r} has one of {_NAMED}, or spaces")
        if max(card.slots, card.memory_mib, card.cores) > MAX_AMOUNT:
            raise Malformed(
                f"{what}: card {card.uuid[:80]!r} has more than {MAX_AMOUNT} of something"
            )
        if min(card.index, card.slots, card.memory_mib, card.cores) < 0:
            raise Malformed(f"{what}: card {card.uuid[:80]!r} has a negative number")
    if len(devices) > MAX_CARDS:
        raise Malformed(f"{what}: {len(devices)} cards, more than {MAX_CARDS}")
    if len({card.uuid for card in devices}) != len(devices):
        raise Malformed(f"{what}: the same card id twice")
    return _in_order(devices)


@lru_cache(maxsize=8192)
def decode_scores(text: str, uuids: tuple[str, ...]) -> Rows:
    """The pair scores of these cards by position; what is missing or beyond bounds counts 0.

    Where the two directions differ the lower one counts. Raises Malformed.
    """
    try:
        found = {each.uuid: each.score for each in _PAIRS.decode(text)}
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed(f"score annotation: {error}") from error
    none: dict[str, int] = {}
    rows = [[found.get(one, none).get(other, 0) for other in uuids] for one in uuids]
    return _same(
        tuple(
            tuple(max(min(rows[a][b], rows[b][a], MAX_SCORE), 0) for b in range(len(uuids)))
            for a in range(len(uuids))
        )
    )


def encode_scores(uuids: tuple[str, ...], rows: Rows) -> str:
    """The annotation of these pair scores, cards in the order given."""
    return msgspec.json.encode([
        _Pairs(one, {other: rows[a][b] for b, other in enumerate(uuids) if a != b})
        for a, one in enumerate(uuids)
    ]).decode()


def _in_order(devices: Iterable[Device]) -> tuple[Device, ...]:
    return tuple(sorted(devices, key=lambda device: (device.index, device.uuid)))


@lru_cache(maxsize=256)
def _same(rows: Rows) -> Rows:
    """One value for all nodes that are wired alike."""
    return rows


def _from_json(text: str) -> list[Device]:
    try:
        return [_to_device(card) for card in _DECODER.decode(text)]
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed(f"register annotation: {error}") from error


def _from_text(text: str) -> list[Device]:
    if ":" not in text:
        raise Malformed("register annotation: neither a JSON array nor 'id,count,…:' text")
    return [_to_device(_from_fields(part)) for part in text.split(":") if part.strip()]


def _from_fields(text: str) -> _Card:
    fields = [field.strip() for field in text.split(",")]
    if len(fields) not in {7, 9}:
        raise Malformed(f"register annotation: {text[:80]!r} has {len(fields)} fields, not 7 or 9")
    uuid, count, memory, cores, kind, numa, health, *rest = fields
    index, mode = rest or ("0", DEFAULT_MODE)
    try:
        numbers = [int(field) for field in (index, count, memory, cores, numa)]
    except ValueError as error:
        raise Malformed(f"register annotation: {text[:80]!r}: {error}") from error
    index_, count_, memory_, cores_, numa_ = numbers
    return _Card(uuid, index_, count_, memory_, cores_, kind, numa_, mode, health == "true")


def _to_device(card: _Card) -> Device:
    profiles = tuple(_to_profile(card.id, each) for each in card.profiles)
    return Device(
        uuid=card.id,
        index=card.index,
        type=card.type,
        slots=card.count,
        memory_mib=card.devmem,
        cores=card.devcore,
        numa=card.numa,
        mode=card.mode or DEFAULT_MODE,
        healthy=card.health,
        units=max((start + size for each in profiles for start, size in each.places), default=0),
        profiles=profiles,
        facts=_to_facts(card.facts),
    )


def _to_facts(wire: dict[str, object]) -> tuple[tuple[str, str], ...]:
    """Texts and numbers by name; what is neither no family reads."""
    return tuple(
        (name, str(value))
        for name, value in sorted(wire.items())
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    )


def _to_profile(card: str, wire: _Profile) -> Profile:
    places = tuple((place.start, place.size) for place in wire.placements)
    if min(wire.memory_mib, wire.core, wire.slice_count) < 0 or any(
        start < 0 or size < 1 or start + size > MAX_UNITS for start, size in places
    ):
        raise Malformed(f"register annotation: card {card[:80]!r}: MIG profile {wire.name[:80]!r}")
    return _known(Profile(wire.name, wire.memory_mib, wire.core, wire.slice_count, places))


@lru_cache(maxsize=1024)
def _known(profile: Profile) -> Profile:
    """One value for all cards of a model."""
    return profile


def _to_wire(device: Device) -> _Card:
    return _Card(
        id=device.uuid,
        index=device.index,
        count=device.slots,
        devmem=device.memory_mib,
        devcore=device.cores,
        type=device.type,
        numa=device.numa,
        mode=device.mode,
        health=device.healthy,
        profiles=tuple(
            _Profile(
                each.name,
                each.memory_mib,
                each.cores,
                each.slices,
                tuple(_Place(start, size) for start, size in each.places),
            )
            for each in device.profiles
        ),
        facts=dict(device.facts),
    )
