"""What a driver tells of a node's cards: what they are, how they are linked, what befalls them."""

from __future__ import annotations

import msgspec

from hami_admission.model.device import Profile


class Link(msgspec.Struct, frozen=True):
    """To another card of the node: ``nvlinks`` lines, and how near it is over PCIe.

    ``pcie`` is a level of ``PCIE``.
    """

    uuid: str
    nvlinks: int = 0
    pcie: str = "cross-cpu"


PCIE = {
    "cross-cpu": 10,
    "same-cpu": 20,
    "host-bridge": 30,
    "multi-switch": 40,
    "single-switch": 50,
    "same-board": 60,
}
"""Scores of the levels (facts/node.md 1.7)."""


class CardFacts(msgspec.Struct, frozen=True):
    """One card as the driver sees it.

    ``memory_mib`` is what it has, ``numa`` -1 where the machine does not say; ``paths`` are its
    device files. A card in MIG mode has the profiles that it can be cut into.
    """

    uuid: str
    index: int
    model: str
    memory_mib: int
    numa: int = -1
    bus_id: str = ""
    mig: bool = False
    profiles: tuple[Profile, ...] = ()
    links: tuple[Link, ...] = ()
    paths: tuple[str, ...] = ()


class CardEvent(msgspec.Struct, frozen=True):
    """Something that befell a card, or all (``uuid`` empty), at a unix second.

    ``kind`` is ``xid`` (with its number), ``ecc`` (a double-bit error), ``lost`` (the driver cannot
    reach the card) or ``found`` (it can again).
    """

    uuid: str
    kind: str
    code: int = 0
    at: float = 0.0


class CardUse(msgspec.Struct, frozen=True):
    """What the driver says is used of a card: bytes, and percent points of its time."""

    uuid: str
    memory_used: int = 0
    memory_total: int = 0
    utilization: int = 0
    memory_utilization: int = 0
