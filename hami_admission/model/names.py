"""ResourceNames: in which words users ask for one family of cards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, kw_only=True)
class ResourceNames:
    """The extended resources in which users ask."""

    count: str
    memory: str
    percent: str
    cores: str
    priority: str

    @cached_property
    def asking(self) -> tuple[str, ...]:
        """The names whose presence makes a pod ours."""
        return (self.count, self.memory, self.percent, self.cores)

    @cached_property
    def all(self) -> tuple[str, ...]:
        """Those, and the priority."""
        return (*self.asking, self.priority)
