"""Runs a reflector for ever: connect, list, watch, go on; back off when it fails."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

import msgspec

from hami_admission.kube import errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hami_admission.kube.client import Client
    from hami_admission.kube.reflector import Reflector, Signal

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds between attempts: doubled at each failure, a random part of it waited."""

RESTART_AFTER = 5
"""Answered with an error so often in a row, the list is begun anew: a version that the API server
does not know any more (etcd restored from a backup), or a page's mark that it does not take."""

SILENCE = 90.0
"""Seconds without a byte after which a watch is taken for dead; bookmarks come every minute."""


async def signals(client: Client, following: Reflector) -> AsyncIterator[Signal]:
    """Every change, and where lists begin and end; ends only when it is cancelled.

    After an interruption it is asked first whether time went on: an API server whose etcd was
    restored has restarted, and so interrupted us.
    """
    pause = FIRST_PAUSE
    failures = 0
    while True:
        try:
            if failures and not following.listing:
                following.probed(
                    await client.request("GET", following.path, query=following.probe())
                )
            async for signal in _once(client, following):
                pause, failures = FIRST_PAUSE, 0
                yield signal
        except errors.TooLong:
            following.shorten()
        except errors.Gone as error:
            log.warning("list begins anew", extra={"path": following.path, "error": str(error)})
            following.restart()
        except (errors.ApiError, msgspec.DecodeError) as error:
            failures += 1
            if failures % RESTART_AFTER == 0 and not isinstance(error, errors.Unreachable):
                following.restart()
            log.warning("watch interrupted", extra={"path": following.path, "error": str(error)})
            await asyncio.sleep(pause * (0.5 + random.random() / 2))
            pause = min(pause * 2, LONGEST_PAUSE)


async def _once(client: Client, following: Reflector) -> AsyncIterator[Signal]:
    """One page, or one watch until it ends."""
    query = following.query()
    if following.listing:
        page = await client.page(following.path, query=query, most=following.most)
        for signal in following.page(page):
            yield signal
        return
    async with client.lines(following.path, query=query, silence=SILENCE) as lines:
        async for line in lines:
            if line.strip():
                yield following.line(line)
