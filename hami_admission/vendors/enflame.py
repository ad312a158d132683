"""Enflame: whole GCUs, and parts of one by profile, which its device plugin cuts (DRS).

Facts/devices.md 6. A profile ``3g.20gb`` takes three slices of the card. What a request means in
profiles is decided on each node. Slices are the places of a card: they are kept on the pod, and no
more are given out than there are (upstream forgets them when it restarts).
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.device import Device, Profile
from hami_admission.model.request import Request
from hami_admission.model.verdict import Reason
from hami_admission.options import CardSize, Family
from hami_admission.vendors import charges, checks, holdings, parse, refine
from hami_admission.vendors.plain import Cards, plain
from hami_admission.vendors.vendor import About
from hami_admission.wire import documents, keys, registers
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hami_admission.model.card import Card
    from hami_admission.model.grant import Grant, PodGrants
    from hami_admission.options import EnflameOptions
    from hami_admission.vendors.vendor import Assigned, Reading, Vendor

WORD = "Enflame"

_PROFILE = re.compile(r"([1-9]\d{0,3})g\.([1-9]\d{0,5})gb", re.ASCII | re.IGNORECASE)
_GIB = 1024


class _Card(msgspec.Struct):
    index: int
    capacity: int
    minor: str | int = ""


class _Node(msgspec.Struct):
    """The plugin's annotation; profiles are names and numbers for the driver."""

    devices: list[_Card]
    profiles: dict[str, str | int]


class _Share(msgspec.Struct, rename="camel"):
    """What the plugin has to make for one container."""

    allocated: bool = False
    request: int = 1
    profile_id: str = msgspec.field(name="profileID", default="")
    profile_name: str = ""


def enflame(options: EnflameOptions) -> tuple[Vendor, ...]:
    """The values of whole cards (``GCU``) and of parts (``Enflame``)."""
    whole = plain(
        Family(
            word="GCU",
            resource_count_name=options.resource_name_gcu,
            charge="whole",
            card=CardSize(memory=100),
            to_allocate=keys.GCU_TO_ALLOCATE,
            allocated=keys.GCU_ALLOCATED,
            lock="none",
        )
    )
    parts = plain(
        Family(
            word=WORD,
            resource_count_name=options.resource_name_drs,
            resource_memory_name=options.resource_name_memory,
            resource_core_name=options.resource_name_core,
            register=keys.DRS_CAPACITY,
            to_allocate=keys.DRS_ALLOCATED,
            allocated=keys.DRS_ALLOCATED,
            use_uuid=keys.DRS_USE_UUID,
            no_use_uuid=keys.DRS_NOUSE_UUID,
            lock="none",
        ),
        parse.Defaults(least_cores=1),
        Cards(decode=_cards, ids="enflame-drs"),
        places=True,
    )
    used = (checks.health, checks.cordon)  # ``whole`` says it of used cards
    about = partial(About, "Enflame", plugin="Enflame's")
    return (
        replace(whole, about=about("whole cards"), checks=used, checks_of_any=used),
        replace(
            parts,
            about=about(
                "parts by the node's profiles: so many slices, or with as much memory and cores",
                memory="GiB of a part (MiB, if no two cards had that); quotas count MiB",
            ),
            parse=refine.then(parts.parse, parts.names, _reading),
            resolve=_resolve,
            charge=_charge,
            checks=(*checks.COMMON, checks.same),
            same_cards=True,
            annotate=partial(_annotate, parts),
            recall=partial(_recall, parts),
        ),
    )


def _reading(asked: refine.Asked) -> Reading:
    """Slices of one card; or memory, cores or both of one card, of which a profile has enough."""
    names, reading, given = asked.names, asked.reading, asked.given
    if names.count in given:
        ignored = tuple(
            f"{asked.container.path}: {name} is not looked at beside {names.count}, which names the"
            " profile"
            for name in (names.memory, names.cores)
            if name in given
        )
        slices = Request(WORD, 1, None, 0, 0, asked.request.count)
        return msgspec.structs.replace(reading, request=slices, warnings=ignored)
    if names.memory in given and asked.request.memory_mib is None:
        advice = f"must be 1 or more; remove it to ask by {names.cores} alone"
        return refine.refused(asked.wrong(names.memory, advice))
    limits = {name: value for name, value in reading.limits.items() if name != names.count}
    return msgspec.structs.replace(reading.asking(percent=0), limits=limits)


@lru_cache(maxsize=8192)
def _cards(text: str) -> tuple[Device, ...]:
    """The cards, whose ids are their indices; raises Malformed."""
    found = documents.decode(text, _Node, keys.DRS_CAPACITY, strict=False)
    profiles = _profiles(found.profiles)
    if not profiles or any(each.capacity < 1 for each in found.devices):
        raise Malformed(f"{keys.DRS_CAPACITY}: no profile, or a card without places")
    ids = tuple((name.strip(), str(number)) for name, number in found.profiles.items())
    devices = [
        Device(
            uuid=str(each.index),
            index=each.index,
            type=WORD,
            slots=each.capacity,
            memory_mib=max(profile.memory_mib for profile in profiles),
            cores=100,
            mode="",
            profiles=profiles,
            facts=(("minor", str(each.minor).strip() or str(each.index)), *ids),
        )
        for each in found.devices
    ]
    return registers.checked(devices, keys.DRS_CAPACITY)


def _profiles(names: Iterable[str]) -> tuple[Profile, ...]:
    """Those whose names say what they are, the smallest first; cores are rounded up."""
    known = [(name.strip(), _PROFILE.fullmatch(name.strip())) for name in names]
    sizes = sorted((int(found[1]), int(found[2]), name) for name, found in known if found)
    return tuple(
        Profile(name, memory * _GIB, -(-100 * slices // sizes[-1][0]), slices, ())
        for slices, memory, name in sizes
    )


def _resolve(request: Request, cards: Sequence[Card]) -> Request | Reason:
    """The first profile of so many slices, or with as much memory and cores.

    Memory is in GiB, unless that were more than twice what the largest profile has; then in MiB.
    ``percent`` are the cores as users count them, ``cores`` what all parts of a card share out
    exactly: upstream rounds up there too, and so has no room for the last of six slices.
    """
    profiles = cards[0].device.profiles
    if request.units:
        fitting = [each for each in profiles if each.slices == request.units]
    else:
        memory = request.memory_mib or 0
        if memory > 2 * max(each.memory_mib for each in profiles) // _GIB:
            memory = -(-memory // _GIB)
        fitting = [
            each
            for each in profiles
            if each.memory_mib >= memory * _GIB and each.cores >= request.cores
        ]
    if not fitting:
        return Reason.MODE_NOT_FIT
    chosen = fitting[0]
    cores = 100 * chosen.slices // profiles[-1].slices
    return Request(WORD, 1, chosen.memory_mib, chosen.cores, cores, chosen.slices)


def _charge(card: Card, request: Request) -> Grant | Reason:
    """The slices of the profile, with its memory and cores."""
    if card.slots + request.units > card.device.slots:
        return Reason.CARD_SLOTS_EXHAUSTED
    grant = charges.fluid(card, request)
    if isinstance(grant, Reason):
        return grant
    return msgspec.structs.replace(grant, slots=request.units, percent=request.percent)


def _annotate(parts: Vendor, assigned: Assigned) -> dict[str, str]:
    """Which card, and which profile for each container; there is room for one card."""
    shares = {}
    held = [(slot, grants[0]) for slot, grants in enumerate(assigned.grants) if grants]
    for slot, grant in held:
        device = assigned.devices[grant.uuid]
        names = {(each.slices, each.memory_mib): each.name for each in device.profiles}
        name = names.get((grant.slots, grant.memory_mib), "")
        container = assigned.containers[slot] if assigned.containers else f"container-{slot}"
        shares[container] = _Share(False, grant.slots, device.fact(name), name)
    first = held[0][1]
    device = assigned.devices[first.uuid]
    return {
        **parts.annotate(assigned),
        keys.DRS_ASSIGNED: "false",
        keys.DRS_TIME: str(int(assigned.now * 1_000_000_000)),
        keys.DRS_INDEX: str(device.index),
        keys.DRS_ID: str(device.index),
        keys.DRS_MINOR: device.fact("minor"),
        keys.DRS_SIZE: str(first.slots),
        keys.DRS_CONTAINERS: msgspec.json.encode(shares).decode(),
    }


def _recall(parts: Vendor, notes: Mapping[str, str]) -> PodGrants:
    """What HAMi wrote has no percent, and as slices those of the profile with that memory."""
    found = parts.recall(notes)
    if any(grant.percent for slot in found for grant in slot):
        return found
    try:
        text = notes.get(keys.DRS_CONTAINERS, "{}")
        shares = documents.decode(text, dict[str, _Share], keys.DRS_CONTAINERS)
    except Malformed:
        return holdings.unread(found)
    slices = {
        each.memory_mib: each.slices
        for each in _profiles({share.profile_name for share in shares.values()})
    }
    return holdings.each(
        found, lambda each: msgspec.structs.replace(each, slots=slices.get(each.memory_mib, 1))
    )
