"""Three replicas: one ledger, webhooks from all, placement from one after the other."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests import build
from tests.cluster.api import wait
from tests.cluster.kinds import KINDS
from tests.cluster.load import Load, admitted, unexcused
from tests.cluster.product import a_quota, node_annotations
from tests.cluster.replicas import Replicas
from tests.cluster.test_quota import create, gpu_pod, shows
from tests.faults import invariants

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.api import Api
    from tests.cluster.processes import Process
    from tests.cluster.product import Product
    from tests.cluster.replicas import Replica

Json = dict[str, Any]

pytestmark = [pytest.mark.timeout(300), pytest.mark.alone]
"""They take half a minute each; on a machine that does much else, several times that."""

IN_FLIGHT = 10
"""Reviews that a process can have at fifty creations a second: two for each, for milliseconds. If
more creations were waiting when it was struck, as many as those."""

UNTIL_KNOWN = 100
"""Those that a frozen process is sent until its readiness probe fails: two seconds at a third of
the creations, each with two reviews; and on connections that the API server still has."""


@pytest.mark.pain(4)
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

    async def plain() -> None:
        """Pods of the same namespace that ask for no accelerator hear of none of it."""
        document = build.pod_json(build.container(), namespace=namespace)
        for number in range(20):
            document["metadata"]["name"] = f"plain-{number}"
            await create(api, document)

    await asyncio.gather(attempts(), strike(), plain())
    begun = time.monotonic()
    while len(waiting) > 400 and time.monotonic() - begun < 120:
        found = await invariants.view(api)
        assert not invariants.wrong(found)
        await asyncio.sleep(2)
        await attempts()
    assert len(waiting) == 400
    await shows(api, namespace, gpu=100, gpumem=200_000)
    assert len(await api.list(KINDS["Pod"].path(namespace))) == 100 + 20


async def nodes_with_room(api: Api) -> None:
    """For some thousand pods."""
    for number in range(4):
        notes = node_annotations(f"n{number}", 8, slots=100)
        await api.add_node(f"n{number}", annotations=notes, extra={"nvidia.com/gpu": "800"})
        path = f"{KINDS['Node'].path(name=f'n{number}')}/status"
        await api.patch(path, {"status": {"allocatable": {"pods": "2000"}}})


async def all_bound(api: Api, namespace: str) -> invariants.View:
    """Everything once all pods have a node; nothing is wrong with it."""

    async def ask() -> bool:
        found = await api.list(KINDS["Pod"].path(namespace))
        return all(each["spec"].get("nodeName") for each in found)

    await wait(ask, "all bound", 60)
    found = await invariants.view(api)
    assert not invariants.wrong(found)
    return found


async def test_a_rolling_update_under_twenty_creations_a_second(
    product: Product, api: Api, namespace: str
) -> None:
    """Two replicas, one after the other ended and started anew: nothing is refused."""
    replicas = Replicas(product, 2)
    try:
        await replicas.start(api)
        await nodes_with_room(api)
        await api.apply(a_quota(namespace, gpu=5000))
        await shows(api, namespace, gpu=0)
        load = Load(api, namespace, per_second=20)
        running = asyncio.create_task(load.run())
        await asyncio.sleep(2)
        for replica in replicas.all:
            await replica.restart(api)
            await wait(replicas.served, "the Service")
        await asyncio.sleep(2)
        load.over = True
        await running
        assert Counter(load.failures) == {}
        late = [*load.late, *load.unanswered]
        assert unexcused(late, product.plane.audit(), namespace) == []
        found = (await all_bound(api, namespace)).pods
        assert len(found) == load.admitted == load.created - len(late)
        await shows(api, namespace, gpu=load.admitted, seconds=60)
    finally:
        await replicas.stop()


def bind_gap(pods: list[Json]) -> float:
    """The longest time in which no pod was bound, to a whole second."""
    times = sorted(int(each["metadata"]["annotations"]["hami.io/vgpu-time"]) for each in pods)
    return max(after - before for before, after in itertools.pairwise(times))


def both(replica: Replica) -> tuple[Process, Process]:
    """The kube-scheduler and the control process."""
    assert replica.scheduler is not None
    assert replica.control is not None
    return replica.scheduler, replica.control


async def scheduler_killed(replica: Replica) -> None:
    both(replica)[0].kill()


async def scheduler_frozen(replica: Replica) -> None:
    both(replica)[0].pause()


async def ended_in_order(replica: Replica) -> None:
    await asyncio.gather(*(asyncio.to_thread(each.stop) for each in both(replica)))


async def cut_off(replica: Replica) -> None:
    assert replica.pipe is not None
    replica.pipe.pause()


async def killed(replica: Replica) -> None:
    for each in both(replica):
        each.kill()


async def frozen(replica: Replica) -> None:
    for each in both(replica):
        each.pause()


STRIKES: dict[str, tuple[Callable[[Replica], Any], int]] = {
    "kube-scheduler killed": (scheduler_killed, 0),
    "kube-scheduler frozen": (scheduler_frozen, 0),
    "both ended by SIGTERM": (ended_in_order, 0),
    "both cut off": (cut_off, 0),
    "both killed": (killed, IN_FLIGHT),
    "both frozen": (frozen, UNTIL_KNOWN),
}


@pytest.mark.pain(13)
@pytest.mark.parametrize(("strike", "lost"), STRIKES.values(), ids=STRIKES.keys())
async def test_fail_over_under_fifty_creations_a_second(
    replicas: Replicas, api: Api, namespace: str, strike: Callable[[Replica], Any], lost: int
) -> None:
    """No webhook fails but the reviews that the lost process had, or was still sent."""
    await nodes_with_room(api)
    await api.apply(a_quota(namespace, gpu=5000))
    await shows(api, namespace, gpu=0)
    load = Load(api, namespace)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(4)
    lost = lost and max(lost, load.waiting)
    await strike(replicas.leading())
    await asyncio.sleep(14)
    load.over = True
    await running
    found = await all_bound(api, namespace)
    heard = Counter(load.failures)
    assert {each for each in heard if "failed calling webhook" not in each} == set(), heard
    audit = replicas.product.plane.audit()
    unanswered = unexcused(load.unanswered, audit, namespace)
    assert heard.total() + len(unanswered) <= lost, (heard, unanswered)
    assert unexcused(load.late, audit, namespace) == []
    failed = len(load.failures) + len(load.unanswered) + len(load.late)
    assert len(found.pods) == load.admitted == load.created - failed
    assert bind_gap(found.pods) <= 15
    await shows(api, namespace, gpu=load.admitted, seconds=60)
