"""Creations as users make them: at a steady pace, or all at once and asked again."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hami_admission.settings import Settings
from tests.cluster.api import ApiFailure
from tests.cluster.test_quota import create, gpu_pod

if TYPE_CHECKING:
    from tests.cluster.api import Api
    from tests.cluster.audit import Audit

Json = dict[str, Any]

PASSING = ("failed calling webhook", "try again", "connection refused", "EOF")
"""What a client hears when a replica ends under its creation; it asks again."""


async def admitted(api: Api, pod: Json) -> bool:
    """Was it created? Asked again while a replica is lost, as controllers do."""
    while True:
        try:
            await create(api, pod)
        except ApiFailure as failure:
            if "exceeded quota" in failure.message:
                return False
            assert any(text in failure.message for text in PASSING), failure
            await asyncio.sleep(0.5)
        else:
            return True


LATE = "could not be written in time; try again"
"""What a review answers, in its own time, where the API server is too slow to write the quota."""

UNANSWERED = "context deadline exceeded"
"""What the API server says of a webhook whose time is over."""

SLOW_SECONDS = 0.25
"""For one write of a quota: on a machine that carries the load it takes a twentieth of that."""


def slow_writes(audit: Audit, namespace: str) -> list[tuple[datetime, datetime]]:
    """When the API server took so long for a write of a quota, by its own log: from and until."""
    times = [
        (_time(each["requestReceivedTimestamp"]), _time(each["stageTimestamp"]))
        for each in audit.requests(
            verb="patch", resource="resourcequotas", subresource="status", namespace=namespace
        )
    ]
    return [each for each in times if (each[1] - each[0]).total_seconds() >= SLOW_SECONDS]


def unexcused(late: list[datetime], audit: Audit, namespace: str) -> list[datetime]:
    """Those before which the API server was not slow, while the review waited."""
    slow = slow_writes(audit, namespace)
    review = timedelta(seconds=Settings().review_seconds + 1)
    return [at for at in late if not any(begun <= at and end >= at - review for begun, end in slow)]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


AT_ONCE = 30
"""Creations that wait for an answer: on a machine that carries fifty a second only a replica that
does not answer makes them as many; on one that does not, all would be too late in the end."""


class Load:
    """Creations at a steady pace, as long as they are answered; keeps what failed.

    ``late`` is when it was answered that the quota could not be written in time, ``unanswered``
    when the API server had waited as long as it does: no fault of ours where it was slow itself,
    see ``unexcused``.

    ``gated``: pods that no scheduler looks at. Those that are looked at and find no node are told
    of in events, by each new leader of them all at once, and that is what is measured then.
    """

    def __init__(
        self, api: Api, namespace: str, per_second: float = 50, *, gated: bool = False
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._pause = 1 / per_second
        self._gates = [{"name": "example.com/later"}] if gated else []
        self._pending: set[asyncio.Task[None]] = set()
        self.failures: list[str] = []
        self.late: list[datetime] = []
        self.unanswered: list[datetime] = []
        self.created = 0
        self.admitted = 0
        self.over = False

    @property
    def waiting(self) -> int:
        """Creations without an answer yet."""
        return len(self._pending)

    async def run(self) -> None:
        """Until ``over`` is set."""
        due = time.monotonic()
        while not self.over:
            if self.waiting >= AT_ONCE:
                await asyncio.wait(self._pending, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._one(self.created))
            self.created += 1
            self._pending.add(task)
            task.add_done_callback(self._pending.discard)
            now = time.monotonic()
            due = max(due + self._pause, now)
            await asyncio.sleep(due - now)
        await asyncio.gather(*self._pending)

    async def _one(self, number: int) -> None:
        pod = gpu_pod(self._namespace, f"p-{number}", memory=100)
        pod["spec"]["schedulingGates"] = self._gates
        try:
            made = await create(self._api, pod)
        except ApiFailure as failure:
            if LATE in failure.message:
                self.late.append(datetime.now(UTC))
            elif UNANSWERED in failure.message:
                self.unanswered.append(datetime.now(UTC))
            else:
                self.failures.append(failure.message)
        else:
            assert made["spec"]["schedulerName"] == "hami-scheduler"
            self.admitted += 1
