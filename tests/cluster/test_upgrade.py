"""Replicas are rolled from the release to this tree and back while pods come, wait and run."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio

from tests.cluster.api import wait
from tests.cluster.churn import Churn, Watch, bindings, running, settled, version
from tests.cluster.kinds import KINDS
from tests.cluster.product import SETTINGS, a_quota, node_annotations
from tests.cluster.replicas import Replicas
from tests.cluster.test_quota import create, gpu_pod, shows
from tests.packaging import released

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.cluster.api import Api
    from tests.cluster.product import Product
    from tests.cluster.replicas import Replica

Json = dict[str, Any]

pytestmark = pytest.mark.timeout(300)

TREE: dict[str, str] = {}
MOST = 24
"""Cards of the quota."""


async def versions(replicas: Replicas) -> list[str]:
    """Of each."""
    return [await version(each.host) for each in replicas.all]


async def holder(api: Api, namespace: str, name: str) -> str:
    """The node of a pod, or nothing."""
    pod = await api.get(KINDS["Pod"].path(namespace, name))
    return str(pod["spec"].get("nodeName", ""))


def explained(env: Mapping[str, str], pod: str, file: Path) -> Json:
    """What the command line of a version makes of a snapshot."""
    words = ["-m", "hami_admission", "explain", pod, "--snapshot", str(file), "-o", "json"]
    done = subprocess.run(
        [sys.executable, *words], env={**os.environ, **env}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    found: Json = json.loads(done.stdout)
    return found


async def each_explains_the_other(replicas: list[Replica], pod: str, folder: Path) -> None:
    """Of each replica a snapshot, read by the commands of both versions."""
    for replica in replicas:
        context = aiohttp.TCPConnector(ssl=False)
        async with (
            aiohttp.ClientSession(connector=context) as session,
            session.get(f"https://{replica.host}:443/snapshot") as answer,
        ):
            file = folder / f"{replica.number}.json"
            file.write_bytes(await answer.read())
        one, other = await asyncio.gather(
            *(
                asyncio.to_thread(explained, env, pod, file)
                for env in (TREE, released.environment())
            )
        )
        assert one == other
        assert "CardInsufficientMemory" in json.dumps(one)


async def waiting(api: Api, namespace: str, wanted: int | None = None) -> set[str]:
    """The pods that were not to find a place at first, and have none; as many as wanted."""
    found: set[str]

    async def ask() -> bool:
        nonlocal found
        names = [f"waits-{number}" for number in range(2)]
        found = {name for name in names if not await holder(api, namespace, name)}
        return wanted in {None, len(found)}

    await wait(ask, f"{wanted} pods wait", 30)
    return found


@pytest_asyncio.fixture
async def old_replicas(product: Product, api: Api) -> AsyncIterator[Replicas]:
    """Three of the release, with their kube-schedulers."""
    made = Replicas(product, 3, SETTINGS)
    for each in made.all:
        each.env = released.environment()
    try:
        await made.start(api)
        yield made
    finally:
        await made.stop()


async def roll(
    replicas: Replicas, api: Api, namespace: str, env: Mapping[str, str], folder: Path
) -> None:
    """One after the other becomes the other version; what one writes down the other explains."""
    before = {*await versions(replicas)}
    for number, each in enumerate(replicas.all):
        await each.become(api, env)
        await wait(replicas.served, "the Service")
        if not number:
            both = {*await versions(replicas)}
            assert (len(before), len(both)) == (1, 2)
            name = next(iter(await waiting(api, namespace)))
            await each_explains_the_other(replicas.all[:2], f"{namespace}/{name}", folder)
    assert {*await versions(replicas)} == both - before


async def test_replicas_are_rolled_there_and_back_under_creations(
    old_replicas: Replicas, product: Product, api: Api, namespace: str, tmp_path: Path
) -> None:
    """Two pods run and two wait for cards; others come and go, and the quota is at ``hard``.

    What a percentage is charged while it waits the old version keeps in a hold, the new one on the
    pod: each is read by the other.
    """
    churn, watch = Churn(api, namespace), Watch(api, namespace)
    audit = product.plane.audit(from_now=True)
    notes = node_annotations("n", 2, slots=100)
    await api.add_node("n", annotations=notes, extra={"nvidia.com/gpu": "200"})
    await api.apply(a_quota(namespace, gpu=MOST, gpumem=400_000))
    await shows(api, namespace, gpu=0, gpumem=0)
    for number in range(2):
        await create(api, gpu_pod(namespace, f"runs-{number}", memory=50_000))
        await wait(partial(holder, api, namespace, f"runs-{number}"), "it runs")
    await create(api, gpu_pod(namespace, "waits-0", memory=50_000))
    await create(api, gpu_pod(namespace, "waits-1", percent=60))
    assert await versions(old_replicas) == [released.VERSION] * 3
    async with running(churn.run, watch.quota, watch.cards):
        for number, env in enumerate((TREE, released.environment())):
            await roll(old_replicas, api, namespace, env, tmp_path)
            if not number:
                gated = gpu_pod(namespace, "gated", percent=10)
                gated["spec"]["schedulingGates"] = [{"name": "example.com/later"}]
                await wait(partial(create, api, gated), "it enters, when another has gone")
            # Room comes, and who waited all the time is placed by the other version.
            path = KINDS["Pod"].path(namespace, f"runs-{number}")
            await api.delete(path, gracePeriodSeconds=0)
            await waiting(api, namespace, 1 - number)
    await churn.rest()
    path = KINDS["Pod"].path(namespace, "gated")
    await api.patch(path, {"spec": {"schedulingGates": None}})
    await wait(partial(holder, api, namespace, "gated"), "the version before has placed it")
    found = await settled(api, namespace)
    assert Counter(churn.failures) == {}
    assert churn.late <= churn.created / 50
    assert churn.over_quota > 20
    assert watch.wrong == []
    assert max(each["gpu"] for each in watch.seen) == MOST
    assert watch.held
    assert all(each["spec"].get("nodeName") for each in found.pods)
    assert {name for name, count in bindings(audit, namespace).items() if count > 1} == set()
