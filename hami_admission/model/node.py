"""Node: name and cards."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.device import Device

if TYPE_CHECKING:
    from collections.abc import Iterable


class Handover(msgspec.Struct, frozen=True):
    """How a device plugin of others finds the pod that its container belongs to.

    ``lock`` is the annotation of the node that keeps it to one pod at a time, empty where it needs
    none; after ``patience`` seconds a lock is no longer believed. ``nameless``: it does not say for
    whom it was taken.
    """

    lock: str = ""
    patience: int = 300
    nameless: bool = False


class Node(msgspec.Struct, frozen=True):
    """One node that may carry accelerators.

    ``devices`` are by the vendor's word, in index order; ``mistakes`` says, by vendor, why a
    register annotation could not be read: such a node offers nothing of that vendor, and says so.
    After unix second ``until`` nobody serves the cards any more. ``handovers`` says, by vendor, how
    pods are handed to a device plugin of others; our own agent needs nothing of that. ``locks`` are
    those that are taken, by annotation.
    """

    name: str
    devices: dict[str, tuple[Device, ...]] = {}
    mistakes: dict[str, str] = {}
    until: float = math.inf
    handovers: dict[str, Handover] = {}
    locks: dict[str, str] = {}

    def handed(self, words: Iterable[str]) -> list[Handover]:
        """How a pod with cards of these vendors is handed over, where it has to be."""
        return [self.handovers[word] for word in sorted(words) if word in self.handovers]
