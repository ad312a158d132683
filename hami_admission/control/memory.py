"""Memory that is free again, and that the system has not got back."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Let the C library give back what it keeps for later: milliseconds, once after a crowd.

    Hundreds of connections with large bodies leave 200 MiB that are free in pieces. Where the
    library has no such call (musl), it keeps none.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
