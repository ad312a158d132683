"""Three replicas: one ledger, webhooks from all, placement from one after the other."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import a_quota, node_annotations
from tests.cluster.replicas import Replicas
from tests.cluster.test_quota import create, gpu_pod, shows
from tests.faults import invariants

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.cluster.product import Product
    from tests.cluster.replicas import Replica

Json = dict[str, Any]
PASSING = ("failed calling webhook", "try again", "connection refused", "EOF")
"""What a client hears when a replica ends under its creation; it asks again."""


@pytest_asyncio.fixture
async def replicas(product: Product, api: Api) -> AsyncIterator[Replicas]:
    """Three, with their kube-schedulers."""
    made = Replicas(product)
    try:
        await made.start(api)
        yield made
    finally:
        await made.stop()


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


@pytest.mark.parametrize("turn", range(3))
async def test_five_hundred_at_once_with_room_for_a_hundred(
    replicas: Replicas, api: Api, namespace: str, turn: int
) -> None:
    """One replica is killed in the middle; what it charged and did not answer comes free again."""
    await api.apply(a_quota(namespace, gpu=100, gpumem=200_000))
    await shows(api, namespace, gpu=0, gpumem=0)
    waiting = {f"p-{number}" for number in range(500)}

    async def attempts() -> None:
        names = sorted(waiting)
        pods = [gpu_pod(namespace, name, memory=2000) for name in names]
        results = await asyncio.gather(*(admitted(api, pod) for pod in pods))
        waiting.difference_update(name for name, ok in zip(names, results, strict=True) if ok)

    async def strike() -> None:
        await asyncio.sleep(0.5)
        control = replicas.all[turn].control
        assert control is not None
        control.kill()

    await asyncio.gather(attempts(), strike())
    begun = time.monotonic()
    while len(waiting) > 400 and time.monotonic() - begun < 60:
        found = await invariants.view(api)
        assert not invariants.wrong(found)
        await asyncio.sleep(2)
        await attempts()
    assert len(waiting) == 400
    await shows(api, namespace, gpu=100, gpumem=200_000)
    assert len(await api.list(KINDS["Pod"].path(namespace))) == 100


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


def bind_gap(pods: list[Json]) -> float:
    """The longest time in which no pod was bound, to a whole second."""
    times = sorted(int(each["metadata"]["annotations"]["hami.io/vgpu-time"]) for each in pods)
    return max(after - before for before, after in itertools.pairwise(times))


async def lost_scheduler(replica: Replica) -> None:
    assert replica.scheduler is not None
    replica.scheduler.kill()


async def ended_in_order(replica: Replica) -> None:
    assert replica.scheduler is not None
    assert replica.control is not None
    await asyncio.gather(
        asyncio.to_thread(replica.scheduler.stop), asyncio.to_thread(replica.control.stop)
    )


async def frozen(replica: Replica) -> None:
    assert replica.scheduler is not None
    replica.scheduler.pause()


async def cut_off(replica: Replica) -> None:
    assert replica.pipe is not None
    replica.pipe.pause()


STRIKES: dict[str, Callable[[Replica], Any]] = {
    "killed": lost_scheduler,
    "SIGTERM": ended_in_order,
    "frozen": frozen,
    "cut off": cut_off,
}


@pytest.mark.parametrize("strike", STRIKES.values(), ids=STRIKES.keys())
async def test_fail_over_under_fifty_creations_a_second(
    replicas: Replicas, api: Api, namespace: str, strike: Callable[[Replica], Any]
) -> None:
    for number in range(4):
        notes = node_annotations(f"n{number}", 8, slots=100)
        await api.add_node(f"n{number}", annotations=notes, extra={"nvidia.com/gpu": "800"})
        path = f"{KINDS['Node'].path(name=f'n{number}')}/status"
        await api.patch(path, {"status": {"allocatable": {"pods": "2000"}}})
    await api.apply(a_quota(namespace, gpu=5000))
    await shows(api, namespace, gpu=0)
    load = Load(api, namespace)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(4)
    leading = replicas.leading()
    await strike(leading)
    await asyncio.sleep(14)
    load.over = True
    await running

    async def all_bound() -> bool:
        found = await api.list(KINDS["Pod"].path(namespace))
        return all(each["spec"].get("nodeName") for each in found)

    await wait(all_bound, "all bound", 60)
    found = await invariants.view(api)
    assert not invariants.wrong(found)
    assert Counter(load.failures) == {}
    assert len(found.pods) == load.admitted == load.created
    assert bind_gap(found.pods) <= 15
    await shows(api, namespace, gpu=load.admitted, seconds=60)
