"""Room for the bodies of requests: who finds none waits, in the order of arrival."""

from __future__ import annotations

import asyncio


class Full(Exception):
    """No room came free in time."""


class Room:
    """For ``most`` bytes at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()
        self.taken = 0

    async def take(self, size: int, seconds: float) -> None:
        """So many bytes are the caller's until it gives them back; raises Full after so long.

        Who needs none waits for nobody.
        """
        if not size:
            return
        try:
            async with asyncio.timeout(seconds), self._turn:
                while self.taken + size > self._most:
                    self._freed.clear()
                    await self._freed.wait()
                self.taken += size
        except TimeoutError as error:
            raise Full from error

    def give_back(self, size: int) -> None:
        """Others may have it."""
        self.taken -= size
        self._freed.set()
