"""Card: a device with what is taken of it."""

from __future__ import annotations

import msgspec

from hami_admission.model.device import Device


class Card(msgspec.Struct, frozen=True, gc=False):
    """A device and its use: containers on it, MiB and percent points given out.

    ``units`` says how often each unit of the card is given out, as far as any is; ``instances``
    how many of the containers hold an instance of the card. ``traits`` counts the containers by how
    they use it, as far as they say, sorted. ``unread`` counts those of which nobody knows how
    much of it they hold.
    """

    device: Device
    slots: int = 0
    memory_mib: int = 0
    cores: int = 0
    units: tuple[int, ...] = ()
    instances: int = 0
    traits: tuple[tuple[str, int], ...] = ()
    unread: int = 0

    def with_trait(self, trait: str) -> int:
        """How many containers use it so."""
        return next((count for name, count in self.traits if name == trait), 0)

    @property
    def free_units(self) -> tuple[int, ...]:
        """The units that nobody holds, ascending."""
        taken = self.units
        return tuple(n for n in range(self.device.units) if n >= len(taken) or not taken[n])

    @property
    def exceeded(self) -> bool:
        """Is more given out than there is?

        Where parts have units of the card these tell, for the cores of a part are rounded up: the
        seven instances that fill an A100 have 15 percent each (facts/devices.md 3.4).
        """
        device = self.device
        return (
            self.slots > device.slots
            or self.memory_mib > device.memory_mib
            or (max(self.units) > 1 if self.units else self.cores > device.cores)
        )

    @property
    def excess(self) -> str:
        """What more is given out than there is: ``11 of 10 places, 90000 of 81920 MiB``."""
        device = self.device
        pairs = (
            (self.slots, device.slots, "places"),
            (self.memory_mib, device.memory_mib, "MiB"),
            (0 if self.units else self.cores, device.cores, "cores"),
        )
        over = [f"{taken} of {there} {what}" for taken, there, what in pairs if taken > there]
        twice = [str(number) for number, count in enumerate(self.units) if count > 1]
        return ", ".join([*over, *([f"units {' '.join(twice)} twice"] if twice else [])])
