"""Time that does not pass: a test that waits for seconds ends at once.

The clock of this loop stands while there is something to do, so that a machine that is busy with
other things makes nothing late. When there is nothing to do it jumps to the next timer. It is the
loop of tests that are marked ``virtual_time``, of their fixtures too; ``time.monotonic`` goes by
it there.

looptime of PyPI does alike, but in the bodies of tests only, while our fixtures start what waits;
and it leaves event loops unclosed, which ``filterwarnings`` makes failures.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

ARRIVAL_SECONDS = 0.003
"""What was sent to a socket of this machine has come by then, in real time."""


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = time.monotonic()

    def time(self) -> float:
        return self.now


CLOCK = Clock()
"""Of all loops of this process: it never goes back."""


class _Selector(selectors.DefaultSelector):
    """Waits for nothing but what comes from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if found or (timeout is not None and timeout <= 0):
            return found
        if timeout is None:
            return super().select()
        if self.threads:
            # How long a thread takes is of the real time.
            begun = _REAL()
            found = super().select(timeout)
            CLOCK.now += min(_REAL() - begun, timeout) if found else timeout
            return found
        # The first is the loop's own, by which threads wake it.
        if len(self.get_map()) > 1:
            found = super().select(min(ARRIVAL_SECONDS, timeout))
        if not found:
            CLOCK.now += timeout
        return found


_REAL = time.monotonic


class Loop(asyncio.SelectorEventLoop):
    """An event loop with this time."""

    def __init__(self) -> None:
        self._waits = _Selector()
        super().__init__(self._waits)

    def time(self) -> float:
        return CLOCK.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        self._waits.threads += 1
        found = super().run_in_executor(executor, func, *args)
        found.add_done_callback(self._back)
        return found

    def _back(self, _: asyncio.Future[Any]) -> None:
        self._waits.threads -= 1
