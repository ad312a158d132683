"""Card: a device with what is taken of it."""

from __future__ import annotations

import msgspec

from hami_admission.model.device import Device


class Card(msgspec.Struct, frozen=True):
    """A device and its use: containers on it, MiB and percent points given out."""

    device: Device
    slots: int = 0
    memory_mib: int = 0
    cores: int = 0
