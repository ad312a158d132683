"""ResourceNames: in which words users ask for one family of cards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, kw_only=True)
class ResourceNames:
    """The extended resources in which users ask; empty where the family has no such word."""

    count: str
    memory: str = ""
    percent: str = ""
    cores: str = ""
    priority: str = ""
    unit_mib: int = 1
    """MiB that 1 of the memory's name means."""
    whole_cores: int = 100
    """The cores of a whole card."""
    places: bool = False
    """Does 1 of the count's name mean a place of one card, not a card?"""

    @cached_property
    def asking(self) -> tuple[str, ...]:
        """The names whose presence makes a pod ours."""
        return tuple(filter(None, (self.count, self.memory, self.percent, self.cores)))

    @cached_property
    def all(self) -> tuple[str, ...]:
        """Those, and the priority."""
        return (*self.asking, self.priority) if self.priority else self.asking

    @cached_property
    def counted(self) -> tuple[str, ...]:
        """The names that a quota can limit; a percentage is counted as the memory that it is."""
        return tuple(filter(None, (self.count, self.memory, self.cores)))

    def in_units(self, mib: int) -> int:
        """MiB as users and quotas write them; what is left of a unit counts as one."""
        return -(-mib // self.unit_mib)
