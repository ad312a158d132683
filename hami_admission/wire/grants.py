"""The pod device string of upstream, both ways (facts/scheduling.md 11.2).

``UUID,vendor,MiB,cores:`` per card, the cards of a container one after another, ``;`` after each
container, init containers first; a container without cards has an empty entry, because the
position is the container. Each card ends with ``:``, so that a text that was cut shows it.
"""

from __future__ import annotations

from hami_admission.model.grant import Grant, PodGrants, SlotGrants
from hami_admission.wire.errors import Malformed

MAX_LENGTH = 256 * 1024
"""Bytes; Kubernetes allows no more in all annotations of an object together."""

MAX_UUID = 253
"""Characters of a card's id that are kept of an entry that cannot be read."""

LOST = Grant("", "", 0, 0, unread=True)
"""A share of some card."""


def encode(grants: PodGrants) -> str:
    """``;;UUID,vendor,3000,20:;`` for a pod whose third container has a card."""
    return "".join(f"{''.join(map(_card, slot))};" for slot in grants)


def decode(text: str) -> PodGrants:
    """The grants by container; raises Malformed for anything else than that form."""
    if len(text) > MAX_LENGTH:
        raise Malformed("device annotation: longer than Kubernetes allows")
    return tuple(_slot(slot) for slot in _slots(text))


def salvage(text: str) -> PodGrants:
    """The same of a text that somebody may have damaged, as far as it can be read; never nothing.

    A card whose sizes cannot be read is ``unread``. What does not name a card, or names it at an
    end where it may be cut, is ``LOST``, and so is a text without cards: nobody writes such.
    """
    found = tuple(_salvaged(slot) for slot in _slots(text))
    return found if any(found) else ((LOST,),)


def _slots(text: str) -> list[str]:
    slots = text.split(";")
    if not slots[-1].strip():
        slots.pop()
    return slots


def _card(grant: Grant) -> str:
    return f"{grant.uuid},{grant.vendor},{grant.memory_mib},{grant.cores}:"


def _slot(text: str) -> SlotGrants:
    return tuple(_grant(part) for part in text.split(":") if part.strip())


def _salvaged(text: str) -> SlotGrants:
    *whole, rest = text.split(":")
    found = [_grant_or_unread(part) for part in whole if part.strip()]
    return (*found, _unread(rest)) if rest.strip() else tuple(found)


def _grant_or_unread(text: str) -> Grant:
    try:
        return _grant(text)
    except Malformed:
        return _unread(text)


def _unread(text: str) -> Grant:
    uuid, comma, _ = text.partition(",")
    uuid = uuid.strip()
    return Grant(uuid, "", 0, 0, unread=True) if comma and 0 < len(uuid) <= MAX_UUID else LOST


def _grant(text: str) -> Grant:
    fields = text.split(",")
    if len(fields) < 4:
        raise Malformed(f"device annotation: {text[:80]!r} wants UUID,type,memory,cores")
    uuid, vendor, memory, cores = (field.strip() for field in fields[:4])
    if not uuid or not _is_number(memory) or not _is_number(cores):
        raise Malformed(f"device annotation: {text[:80]!r} wants a UUID and two whole numbers")
    return Grant(uuid, vendor, int(memory), int(cores))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10
