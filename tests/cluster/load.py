"""Creations as users make them: at a steady pace, or all at once and asked again."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from tests.cluster.api import ApiFailure
from tests.cluster.test_quota import create, gpu_pod

if TYPE_CHECKING:
    from tests.cluster.api import Api

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


class Load:
    """Creations at a steady pace; keeps what failed, and when pods were bound."""

    def __init__(self, api: Api, namespace: str, per_second: float = 50) -> None:
        self._api = api
        self._namespace = namespace
        self._pause = 1 / per_second
        self.failures: list[str] = []
        self.created = 0
        self.admitted = 0
        self.over = False

    async def run(self) -> None:
        """Until ``over`` is set."""
        pending: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while not self.over:
            task = asyncio.create_task(self._one(self.created))
            self.created += 1
            pending.add(task)
            task.add_done_callback(pending.discard)
            due += self._pause
            await asyncio.sleep(max(due - time.monotonic(), 0))
        await asyncio.gather(*pending)

    async def _one(self, number: int) -> None:
        pod = gpu_pod(self._namespace, f"p-{number}", memory=100)
        try:
            made = await create(self._api, pod)
        except ApiFailure as failure:
            self.failures.append(failure.message)
        else:
            assert made["spec"]["schedulerName"] == "hami-scheduler"
            self.admitted += 1
