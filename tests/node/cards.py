"""Cards as a driver would describe them."""

from __future__ import annotations

from typing import Any

from hami_admission.model.instance import Instance, Place
from hami_admission.node.facts import CardFacts, Level, ProfileFacts

SEVENTH = ProfileFacts(
    name="1g.5gb", memory_mib=4864, multiprocessors=14, slices=1, instances=7,
    places=tuple((start, 1) for start in range(7)),
)  # fmt: skip
HALF = ProfileFacts(
    name="3g.20gb", memory_mib=19968, multiprocessors=42, slices=3, instances=2,
    places=((4, 4), (0, 4)),
)  # fmt: skip
WHOLE = ProfileFacts(
    name="7g.40gb", memory_mib=40192, multiprocessors=98, slices=7, instances=1,
    places=((0, 8),),
)  # fmt: skip
MEDIA = ProfileFacts(
    name="1g.5gb+me", memory_mib=4864, multiprocessors=14, slices=1, instances=1,
    places=SEVENTH.places,
)  # fmt: skip
PROFILES = (WHOLE, MEDIA, HALF, SEVENTH)
"""Of an A100 with 40 GB, in no order."""


def uuid(index: int) -> str:
    """As long as real ones."""
    return f"GPU-0a1b2c3d-0000-4000-8000-{index:012d}"


def bus(index: int) -> str:
    """As NVML writes it."""
    return f"00000000:{index + 0x1A:02X}:00.0"


def card(index: int = 0, **fields: Any) -> CardFacts:
    """An A100 with 40 GB, unless the fields say otherwise."""
    values: dict[str, Any] = {
        "uuid": uuid(index),
        "index": index,
        "name": "NVIDIA A100-SXM4-40GB",
        "memory_mib": 40960,
        "bus_id": bus(index),
        "numa": index // 4,
        "paths": (f"/dev/nvidia{index}",),
    }
    return CardFacts(**{**values, **fields})


def instance(uuid: str, start: int = 0) -> Instance:
    """A seventh of card 0."""
    return Instance(Place("GPU-0", SEVENTH.name, start, 1), uuid, 1, 0)


def linked(*counts: int, level: Level = Level.SAME_CPU) -> CardFacts:
    """Card 0 with so many NVLinks to the cards 1, 2, …"""
    return card(
        0,
        levels=tuple((uuid(n), level) for n, _ in enumerate(counts, 1)),
        nvlinks=tuple(bus(n) for n, count in enumerate(counts, 1) for _ in range(count)),
    )
