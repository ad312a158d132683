"""A user of one namespace who does his worst to the memory of the process, with ``edit`` alone."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests import build
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import node_annotations
from tests.cluster.test_flood import Watched
from tests.cluster.test_quota import known, shows
from tests.faults import invariants

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from tests.cluster.product import Product

Json = dict[str, Any]

pytestmark = pytest.mark.alone

MOST_MIB = 100
"""By which he moves it."""

LEFT_MIB = 60
"""What stays for a while: free lists, and caches that have a bound."""

WISHES = ",".join(f"GPU-{number:036d}" for number in range(99))
"""As long as they may be."""

LONG = "c" * 59


def asking(name: str, containers: int, cards: int = 1, **fields: Any) -> Json:
    """Containers with long names that ask what no other pod asks; on no card is room."""
    own = 90_000 + 256 * int(name.rpartition("-")[2])
    return build.pod_json(
        *(
            build.container(
                f"{number:03d}-{LONG}",
                build.gpu(cards, memory=own + number, cores=1 + number % 99),
            )
            for number in range(containers)
        ),
        name=name,
        **fields,
    )


def variables(name: str, count: int, **fields: Any) -> Json:
    """The most objects that a pod can be made of. With ten times as many the API server itself
    needs half a minute for each, and gives up."""
    env = [{"name": f"A{number}"} for number in range(count)]
    amounts = build.gpu(1, memory=90000)
    return build.pod_json(build.container(limits=amounts, env=env), name=name, **fields)


def worst(namespace: str) -> Iterable[Json]:
    """A few hundred pods that wait."""
    for number in range(220):
        notes = {"nvidia.com/use-gpuuuid": WISHES, "note": "x" * 20_000}
        yield asking(f"wishes-{number}", 2, namespace=namespace, annotations=notes)
    for number in range(8):
        yield asking(f"containers-{number}", 100, namespace=namespace)
    for number in range(10):
        yield variables(f"variables-{number}", 4_000, namespace=namespace)


async def all_of(work: Iterable[Awaitable[object]], at_once: int = 8) -> None:
    """Some at a time; what is refused is his affair."""
    gate = asyncio.Semaphore(at_once)

    async def one(each: Awaitable[object]) -> None:
        async with gate:
            await each

    await asyncio.gather(*map(one, work))


async def less_than(process: Callable[[], int], most: int) -> None:
    """The process is as small again."""

    async def ask() -> bool:
        return process() < most

    await wait(ask, "memory is given back", 20)


@pytest.mark.timeout(120)
@pytest.mark.probe(3)
async def test_what_a_user_can_make_large_is_not_kept(
    product: Product, api: Api, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await api.add_node("n1", annotations=node_annotations("n1"), extra={"nvidia.com/gpu": "80"})
    await known(product, api, namespace, gpu=100_000)
    path = KINDS["Pod"].path(namespace)
    async with Api(product.plane.url, product.plane.ca_file, product.plane.token("user")) as alice:

        async def create(pod: Json, **query: Any) -> None:
            try:
                await alice.create(path, pod, **query)
            except ApiFailure as failure:
                refusals.append(failure.message)

        refusals: list[str] = []
        await wait(lambda: alice.get(f"{path}?limit=1"), "alice may")
        await create(asking("first-0", 1, namespace=namespace))
        assert product.process is not None
        base = invariants.resident(product.process)
        watched = Watched(product.process)
        watching = asyncio.create_task(watched.run())
        # A dry run fills what is kept of requests, and costs no quota.
        many = (asking(f"dry-{n}", 60, 64 - n, namespace=namespace) for n in range(6))
        await all_of(create(pod, dryRun="All") for pod in many)
        await all_of(map(create, worst(namespace)))
        waiting = len(await api.list(path))
        await asyncio.sleep(2)  # kube-scheduler asks about them
        watching.cancel()
        first = watched.most - base
        product.kill()
        await product.start()
        again = invariants.high_water(product.process) - base
        await alice.delete(path, gracePeriodSeconds=0)
        await shows(api, namespace, seconds=40, gpu=0)
        with capsys.disabled():
            told = f"[{waiting} wait, {first} MiB, {again} MiB after a restart, {refusals[:1]}] "
            sys.stdout.write(told)
        assert waiting > 200
        assert first < MOST_MIB
        assert again < MOST_MIB
        process = product.process
        await less_than(lambda: invariants.resident(process), base + LEFT_MIB)
