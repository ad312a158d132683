"""Device: one card as a node offers it."""

from __future__ import annotations

import msgspec


class Device(msgspec.Struct, frozen=True):
    """One accelerator card, as its node registered it.

    ``slots`` is how many containers may share it, ``memory_mib`` and ``cores`` (percent points, 100
    is one whole card) what it offers after any scaling by the node.
    """

    uuid: str
    index: int
    type: str
    slots: int
    memory_mib: int
    cores: int
    numa: int = 0
    mode: str = "hami-core"
    healthy: bool = True
