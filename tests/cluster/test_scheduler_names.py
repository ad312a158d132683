"""Our scheduler under other names than one: renamed while pods run, and with a second profile."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import SETTINGS, Product, manifests
from tests.cluster.test_placement import node, placed
from tests.cluster.test_quota import create, gpu_pod, known, shows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Json = dict[str, Any]

OURS = "hami-scheduler"


def policies(*names: str) -> list[Json]:
    """As the chart makes them of these names."""
    listed = ", ".join(f"'{name}'" for name in names)
    text = json.dumps(manifests("policy.yaml"))
    assert text.count(f"'{OURS}']") == 3
    policies: list[Json] = json.loads(text.replace(f"'{OURS}']", f"{listed}]"))
    return policies


@asynccontextmanager
async def renamed(
    product: Product, api: Api, settings: str, names: tuple[str, ...], profiles: tuple[str, ...]
) -> AsyncIterator[None]:
    """The product stopped, and started with these names of ours and profiles of kube-scheduler."""
    product.stop()
    try:
        await api.apply(*policies(*names))
        await product.start(told=SETTINGS + settings)
        made = [{"schedulerName": name} for name in profiles]
        await product.start_scheduler(api, profiles=made)
        yield
    finally:
        product.stop(quickly=True)
        await api.apply(*policies(OURS))


async def enters(api: Api, pod: Json) -> Json:
    """Once the API server has taken the policies in."""

    async def ask() -> Json:
        try:
            return await create(api, pod)
        except ApiFailure as failure:
            if "was not rewritten" not in failure.message:
                raise
            return {}

    return await wait(ask, "the policies know the name")


async def heard(api: Api, namespace: str, text: str) -> None:
    """An event says so."""

    async def ask() -> bool:
        events = await api.list(KINDS["Event"].path(namespace))
        return any(text in each["message"] for each in events)

    await wait(ask, text, 30)


@pytest.mark.probe(6)
async def test_pods_that_run_keep_cards_and_quota_when_the_scheduler_is_renamed(
    product: Product, api: Api, namespace: str
) -> None:
    await node(api, "n1", cards=1)
    await known(product, api, namespace, gpumem=100000)
    await create(api, gpu_pod(namespace, "runs", memory=50000))
    await placed(api, namespace, "runs")
    path = KINDS["Pod"].path(namespace)
    async with renamed(product, api, "schedulerName: now\n", ("now",), ("now",)):
        second = await enters(api, gpu_pod(namespace, "second", memory=20000))
        assert second["spec"]["schedulerName"] == "now"
        await placed(api, namespace, "second")
        await shows(api, namespace, gpumem=70000)
        await create(api, gpu_pod(namespace, "third", memory=20000))
        await heard(api, namespace, "1/1 CardInsufficientMemory")
        with pytest.raises(ApiFailure, match=r"used: limits.nvidia.com/gpumem=90000"):
            await create(api, gpu_pod(namespace, "fourth", memory=20000))
        await api.delete(f"{path}/runs", gracePeriodSeconds=0)
        await placed(api, namespace, "third")
        await shows(api, namespace, gpumem=40000)


@pytest.mark.probe(6)
async def test_a_second_profile_places_pods_where_we_know_of_it(
    product: Product, api: Api, namespace: str
) -> None:
    await node(api, "n1", cards=1)
    await known(product, api, namespace, gpumem=100000)
    path = KINDS["Pod"].path(namespace)
    settings = "moreSchedulerNames: [second]\n"
    async with renamed(product, api, settings, (OURS, "second"), (OURS, "second", "third")):
        foreign = gpu_pod(namespace, "foreign", memory=70000)
        foreign["spec"]["schedulerName"] = "third"
        await api.create(path, foreign)
        await heard(api, namespace, f"only pods of {OURS} or second are placed here")
        assert "nodeName" not in (await api.get(f"{path}/foreign"))["spec"]
        own = gpu_pod(namespace, "own", memory=50000)
        own["spec"]["schedulerName"] = "second"
        assert (await enters(api, own))["spec"]["schedulerName"] == "second"
        await placed(api, namespace, "own")
        await create(api, gpu_pod(namespace, "usual", memory=50000))
        await heard(api, namespace, "1/1 CardInsufficientMemory")
        await shows(api, namespace, gpumem=100000)
