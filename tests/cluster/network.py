"""A network namespace of its own for each process of tests.

The addresses and ports of the rig are fixed: those of the Service, of the replicas, of the node's
link. In a namespace of its own each worker has them all, and nobody else on this machine does.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.cluster.node_machine import ip

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_NEWNET = 0x40000000
"""linux/sched.h."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_LEFT: list[int] = []
"""The namespace that was left, as an open file; empty before."""


def enter() -> None:
    """Leave the machine's network for an empty one with a loopback.

    Threads and processes that are started from now on follow, those that run already do not.

    Raises:
        PermissionError: not root.
    """
    if _LEFT:
        return
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    _checked(_LIBC.unshare(CLONE_NEWNET), "a network namespace of their own wants root")
    _LEFT.append(before)
    ip("link", "set", "lo", "up")


@contextmanager
def outside() -> Iterator[None]:
    """In the machine's network again, for what is downloaded once and kept."""
    if not _LEFT:
        yield
        return
    inside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(_LIBC.setns(_LEFT[0], CLONE_NEWNET), "back to the machine's network")
        yield
    finally:
        _checked(_LIBC.setns(inside, CLONE_NEWNET), "back to the tests' network")
        os.close(inside)


def _checked(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
