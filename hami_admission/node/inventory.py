"""What a node offers: the cards of its driver, as its options say (facts/node.md 1.7)."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.device import Device, Profile
from hami_admission.node import links
from hami_admission.node.facts import CardFacts
from hami_admission.wire import keys, registers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hami_admission.node.facts import ProfileFacts
    from hami_admission.node.options import Options

MAKER = "NVIDIA"
MIG = "mig"


class Inventory(msgspec.Struct, frozen=True):
    """The cards of a node as it offers them.

    ``cards`` and ``devices`` belong together by position. ``sick`` says for each uuid that is not
    healthy why; ``left_out`` for each card that is not offered at all.
    """

    cards: tuple[CardFacts, ...]
    devices: tuple[Device, ...]
    sick: dict[str, str]
    left_out: dict[str, str]


def build(cards: Sequence[CardFacts], options: Options, sick: Mapping[str, str]) -> Inventory:
    """What to offer, by index and uuid; the same for any order of ``cards``.

    ``sick`` has a reason for each uuid that is not healthy now. A card that is not in the mode of
    its node is not healthy either: no container could use it.
    """
    left_out: dict[str, str] = {}
    reasons: dict[str, str] = {}
    offered: list[tuple[CardFacts, Device]] = []
    for card in sorted(cards, key=lambda each: (each.index, each.uuid)):
        why = _left_out(card, options)
        if why:
            left_out[card.uuid] = why
            continue
        reason = sick.get(card.uuid) or _wrong_mode(card, options)
        if reason:
            reasons[card.uuid] = reason
        offered.append((card, _device(card, options, healthy=not reason)))
    return Inventory(
        tuple(card for card, _ in offered),
        tuple(device for _, device in offered),
        reasons,
        left_out,
    )


def published(inventory: Inventory, options: Options) -> dict[str, str | None]:
    """The annotations of the node that are ours; None: there is not to be such a one."""
    scores = None
    if options.topology_scores and inventory.devices:
        uuids = tuple(device.uuid for device in inventory.devices)
        scores = registers.encode_scores(uuids, links.scores(inventory.cards).rows)
    return {
        keys.NVIDIA_REGISTER: registers.encode(inventory.devices),
        keys.NVIDIA_SCORES: scores,
        # Where HAMi's plugin was before: with this, pods would be handed to it.
        keys.NVIDIA_HANDSHAKE: None,
    }


def numa_nodes(inventory: Inventory, options: Options) -> dict[str, int]:
    """The NUMA nodes that the kubelet is told, by uuid of the card; none unless that is set."""
    return {
        card.uuid: card.numa
        for card in inventory.cards
        if options.numa_topology and card.numa is not None
    }


def _left_out(card: CardFacts, options: Options) -> str:
    if card.uuid in options.hidden_uuids or card.index in options.hidden_indexes:
        return "hidden by filterdevices"
    if _memory(card, options) == 0:
        return "the driver cannot tell its memory; set preConfiguredDeviceMemory"
    return ""


def _wrong_mode(card: CardFacts, options: Options) -> str:
    if card.mig == (options.mode == MIG):
        return ""
    is_, wanted = ("on", "does not ask for it") if card.mig else ("off", "asks for it")
    return f"MIG is {is_}, and operatingmode {options.mode} {wanted}"


def _device(card: CardFacts, options: Options, *, healthy: bool) -> Device:
    offer = _in_instances if options.mode == MIG else _shared
    return msgspec.structs.replace(offer(card, options), healthy=healthy)


def _shared(card: CardFacts, options: Options) -> Device:
    return Device(
        uuid=card.uuid,
        index=card.index,
        type=_type(card),
        slots=options.split_count,
        memory_mib=_scaled(_memory(card, options), options.memory_scaling),
        cores=_scaled(100, options.core_scaling),
        numa=card.numa or 0,
        mode=options.mode,
    )


def _in_instances(card: CardFacts, options: Options) -> Device:
    """Nothing of it is scaled: an instance has what the hardware gives it."""
    allowed = [each for each in card.profiles if _allowed(card, each, options)]
    whole = max((each.multiprocessors for each in card.profiles), default=0)
    profiles = tuple(_profile(each, whole) for each in sorted(allowed, key=_order))
    places = (place for each in profiles for place in each.places)
    return Device(
        uuid=card.uuid,
        index=card.index,
        type=_type(card),
        slots=max((each.instances for each in allowed), default=0),
        memory_mib=_memory(card, options),
        cores=100,
        numa=card.numa or 0,
        mode=MIG,
        units=max((start + size for start, size in places), default=0),
        profiles=profiles,
    )


def _allowed(card: CardFacts, profile: ProfileFacts, options: Options) -> bool:
    """Upstream's rule: an entry counts for the models that contain one of its texts."""
    if options.mig_profiles is None:
        return "+" not in profile.name
    return any(
        profile.name in each.profiles and any(model in card.name for model in each.models)
        for each in options.mig_profiles
    )


def _order(profile: ProfileFacts) -> tuple[int, int, str]:
    return profile.memory_mib, profile.slices, profile.name


def _profile(found: ProfileFacts, whole: int) -> Profile:
    """``whole`` multiprocessors are those of the largest profile: some belong to no instance."""
    return Profile(
        name=found.name,
        memory_mib=found.memory_mib,
        cores=ceil(found.multiprocessors * 100 / whole) if whole else 0,
        slices=found.slices,
        places=tuple(sorted(found.places)),
    )


def _memory(card: CardFacts, options: Options) -> int:
    return options.preconfigured_memory_mib if card.memory_mib is None else card.memory_mib


def _scaled(amount: int, factor: float) -> int:
    """Whole, rounded down; 100 × 1.15 is 115 and not the 114.99… of floating point."""
    return int(round(amount * factor, 6))


def _type(card: CardFacts) -> str:
    return card.name if card.name.startswith(MAKER) else f"{MAKER}-{card.name}"
