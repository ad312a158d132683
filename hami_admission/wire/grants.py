"""The pod device string of upstream, both ways (facts/scheduling.md 11.2).

``UUID,vendor,MiB,cores:`` per card, the cards of a container one after another, ``;`` after each
container, init containers first; a container without cards has an empty entry, because the
position is the container.
"""

from __future__ import annotations

from hami_admission.model.grant import Grant, PodGrants, SlotGrants
from hami_admission.wire.errors import Malformed

MAX_LENGTH = 256 * 1024
"""Bytes; Kubernetes allows no more in all annotations of an object together."""


def encode(grants: PodGrants) -> str:
    """``;;UUID,vendor,3000,20:;`` for a pod whose third container has a card."""
    return "".join(f"{''.join(map(_card, slot))};" for slot in grants)


def decode(text: str) -> PodGrants:
    """The grants by container; raises Malformed for anything else than that form."""
    if len(text) > MAX_LENGTH:
        raise Malformed("device annotation: longer than Kubernetes allows")
    slots = text.split(";")
    if slots and not slots[-1].strip():
        slots.pop()
    return tuple(_slot(slot) for slot in slots)


def _card(grant: Grant) -> str:
    return f"{grant.uuid},{grant.vendor},{grant.memory_mib},{grant.cores}:"


def _slot(text: str) -> SlotGrants:
    return tuple(_grant(part) for part in text.split(":") if part.strip())


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
