"""Pods that come and go while a quota has no more to give, and what is seen of it meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.cluster.api import ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import charged
from tests.cluster.test_quota import create, gpu_pod
from tests.faults import invariants

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from tests.cluster.api import Api
    from tests.cluster.audit import Audit

Json = dict[str, Any]

LATE = ("could not be written in time; try again", "context deadline exceeded")
"""What a client hears, and asks again, where the machine does much else."""

AT_ONCE = 4
"""Creations that wait for an answer: a machine that is slow already is not asked for more."""

LIVES = 3.0
"""Seconds after which a pod may go: by then it is bound, or nobody binds."""


def small(namespace: str, name: str) -> Json:
    """A pod that takes little of a card."""
    return gpu_pod(namespace, name, memory=100)


class Churn:
    """Twice as many creations as deletions: a quota is at its limit after a while, and stays so."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        per_second: float = 8,
        pod: Callable[[str, str], Json] = small,
    ) -> None:
        self._api = api
        self._pod = pod
        self._namespace = namespace
        self._pause = 1 / per_second
        self._live: deque[tuple[float, str]] = deque()
        self._pending: set[asyncio.Task[None]] = set()
        self.created = 0
        self.admitted = 0
        self.over_quota = 0
        self.late = 0
        self.failures: list[str] = []
        """What was refused for another reason than the quota."""

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self._start(self._create(f"churn-{self.created}"))
            self.created += 1
            if self.created % 2 and self._live and self._live[0][0] + LIVES < time.monotonic():
                self._start(self._delete(self._live.popleft()[1]))
            await asyncio.sleep(self._pause)
            if len(self._pending) >= AT_ONCE:
                await asyncio.wait(self._pending, return_when=asyncio.FIRST_COMPLETED)

    async def rest(self) -> None:
        """What is on its way is answered."""
        await asyncio.gather(*self._pending)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _create(self, name: str) -> None:
        try:
            await create(self._api, self._pod(self._namespace, name))
        except ApiFailure as failure:
            if "exceeded quota" in failure.message:
                self.over_quota += 1
            elif any(text in failure.message for text in LATE):
                self.late += 1
            else:
                self.failures.append(failure.message)
        else:
            self.admitted += 1
            self._live.append((time.monotonic(), name))

    async def _delete(self, name: str) -> None:
        await self._api.delete(KINDS["Pod"].path(self._namespace, name), gracePeriodSeconds=0)


class Watch:
    """Each state that the API server had of a quota, and each second what is wrong with cards."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self.seen: list[dict[str, int]] = []
        self.wrong: list[str] = []
        self.held = 0
        """States that had charges of pods which were not seen yet."""

    async def quota(self) -> None:
        """Until it is cancelled."""
        async for change in self._api.watch(KINDS["ResourceQuota"].path(self._namespace)):
            self.seen.append(charged(change["object"]))
            notes = change["object"]["metadata"].get("annotations", {})
            self.held += "hami.io/quota-holds" in notes

    async def cards(self) -> None:
        """Until it is cancelled."""
        while True:
            self.wrong += invariants.wrong(await invariants.view(self._api))
            await asyncio.sleep(1)


@asynccontextmanager
async def running(*works: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """All of them beside what is done within; none of them may fail."""
    tasks = [asyncio.create_task(each()) for each in works]
    try:
        yield
        failed = [task for task in tasks if task.done()]
        assert failed == []
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def version(host: str) -> str:
    """Of what serves there, by its own metrics."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{host}:9395/metrics") as answer,
    ):
        text = await answer.text()
    (line,) = (line for line in text.splitlines() if line.startswith("hami_build_info{"))
    return line.partition('version="')[2].partition('"')[0]


async def settled(api: Api, namespace: str) -> invariants.View:
    """What there is in the namespace once it is quiet: all counted, nothing given twice."""
    found: invariants.View

    async def ask() -> bool:
        nonlocal found
        found = await invariants.view(api)
        for part in (found.pods, found.quotas):
            part[:] = [each for each in part if each["metadata"]["namespace"] == namespace]
        return not invariants.unsettled(found)

    try:
        await wait(ask, "all is counted", 40)
    except AssertionError as error:
        error.add_note("\n".join(invariants.unsettled(found)))
        raise
    return found


def bindings(audit: Audit, namespace: str) -> Counter[str]:
    """How often each pod was bound."""
    found = audit.requests(verb="create", subresource="binding", namespace=namespace)
    return Counter(
        each["objectRef"]["name"] for each in found if each["responseStatus"]["code"] == 201
    )
