"""The register annotation of a node, both ways (facts/scheduling.md 4.4 and 11.3).

Newer agents write a JSON array whose zero and false values are absent; older ones the text form
``id,count,devmem,devcore,type,numa,health[,index,mode]:`` per card.
"""

from __future__ import annotations

import msgspec

from hami_admission.model.device import Device
from hami_admission.wire.errors import Malformed

MAX_CARDS = 256
"""Cards of one vendor on one node; more is taken for a damaged annotation."""

DEFAULT_MODE = "hami-core"


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


_DECODER = msgspec.json.Decoder(list[_Card])


def encode(devices: tuple[Device, ...]) -> str:
    """The JSON form, cards in the order given."""
    return msgspec.json.encode([_to_wire(device) for device in devices]).decode()


def decode(text: str) -> tuple[Device, ...]:
    """The cards in either form, sorted by index then id; raises Malformed."""
    form = text.strip()
    cards = _from_json(form) if form.startswith("[") else _from_text(form)
    if len(cards) > MAX_CARDS:
        raise Malformed(f"register annotation: {len(cards)} cards, more than {MAX_CARDS}")
    if len({card.uuid for card in cards}) != len(cards):
        raise Malformed("register annotation: the same card id twice")
    return tuple(sorted(cards, key=lambda card: (card.index, card.uuid)))


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
    if not card.id:
        raise Malformed("register annotation: a card without an id")
    if min(card.index, card.count, card.devmem, card.devcore) < 0:
        raise Malformed(f"register annotation: card {card.id[:80]!r} has a negative number")
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
    )


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
    )
