"""Card: a device with what is taken of it."""

from __future__ import annotations

import msgspec

from hami_admission.model.device import Device


class Card(msgspec.Struct, frozen=True, gc=False):
    """A device and its use: containers on it, MiB and percent points given out.

    ``units`` says how often each unit of the card is given out, as far as any is; ``instances``
    how many of the containers hold an instance of the card.
    """

    device: Device
    slots: int = 0
    memory_mib: int = 0
    cores: int = 0
    units: tuple[int, ...] = ()
    instances: int = 0

    @property
    def free_units(self) -> tuple[int, ...]:
        """The units that nobody holds, ascending."""
        taken = self.units
        return tuple(n for n in range(self.device.units) if n >= len(taken) or not taken[n])
