"""Node: name and cards."""

from __future__ import annotations

import math

import msgspec

from hami_admission.model.device import Device


class Node(msgspec.Struct, frozen=True):
    """One node that may carry accelerators.

    ``devices`` are by the vendor's word, in index order; ``mistakes`` says, by vendor, why a
    register annotation could not be read: such a node offers nothing of that vendor, and says so.
    After unix second ``until`` nobody serves the cards any more.
    """

    name: str
    devices: dict[str, tuple[Device, ...]] = {}
    mistakes: dict[str, str] = {}
    until: float = math.inf
