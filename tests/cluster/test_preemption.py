"""Pods of higher priority on full nodes, at the real API server and kube-scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests import build
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.test_placement import gpu_pod, node, placed
from tests.cluster.test_waiting import refused, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Json = dict[str, Any]
WHOLE = build.gpu(1)
CLASSES = {"lowest": 10, "low": 20, "high": 1000}


@pytest_asyncio.fixture(autouse=True)
async def classes(api: Api) -> AsyncIterator[None]:
    """PriorityClasses, and one whose pods wait."""
    path = KINDS["PriorityClass"]
    for name, value in CLASSES.items():
        await api.apply(priority_class(name, value))
    await api.apply({**priority_class("patient", 1000), "preemptionPolicy": "Never"})
    yield
    for name in (*CLASSES, "patient"):
        await api.delete(path.path(name=name))


def priority_class(name: str, value: int) -> Json:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
    }


async def create(api: Api, namespace: str, name: str, of: str, grace: int = 0) -> None:
    """A pod of that class with a whole card."""
    pod = gpu_pod(
        name, namespace=namespace, amounts=WHOLE, priorityClassName=of, labels={"app": name},
        terminationGracePeriodSeconds=grace,
    )  # fmt: skip
    await api.create(KINDS["Pod"].path(namespace), pod)


async def runs(api: Api, namespace: str, name: str, of: str, grace: int = 0) -> None:
    """Such a pod, bound and ready."""
    await create(api, namespace, name, of, grace)
    await placed(api, namespace, name)
    ready = {"type": "Ready", "status": "True"}
    status = {"status": {"phase": "Running", "conditions": [ready]}}
    await api.patch(f"{KINDS['Pod'].path(namespace, name)}/status", status)


async def gone(api: Api, namespace: str, name: str) -> bool:
    try:
        await api.get(KINDS["Pod"].path(namespace, name))
    except ApiFailure as failure:
        return failure.status == 404
    return False


async def protect(api: Api, namespace: str, name: str) -> None:
    """A budget that lets nobody of that app go, as its controller has counted it."""
    await api.apply({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": name}}},
    })
    path = KINDS["PodDisruptionBudget"].path(namespace, name)

    async def counted() -> bool:
        return bool((await api.get(path)).get("status", {}).get("currentHealthy"))

    await wait(counted, "the budget counted")


@pytest.mark.pain(15)
@pytest.mark.usefixtures("product")
async def test_the_lowest_is_evicted_for_a_pod_of_higher_priority(api: Api, namespace: str) -> None:
    await node(api, "n1", cards=2)
    await runs(api, namespace, "first", "low")
    await runs(api, namespace, "second", "lowest")
    await create(api, namespace, "urgent", "high")
    await placed(api, namespace, "urgent")
    assert await gone(api, namespace, "second")
    assert not await gone(api, namespace, "first")
    (event,) = await wait(lambda: told(api, namespace, "Preempted", "second"), "victim told")
    assert event["message"].endswith("on node n1")
    assert await wait(lambda: told(api, namespace, "Preempting", "urgent"), "pod told")


@pytest.mark.pain(15)
@pytest.mark.usefixtures("product")
async def test_a_budget_is_kept_and_another_goes(api: Api, namespace: str) -> None:
    await node(api, "n1", cards=2)
    await runs(api, namespace, "first", "low")
    await runs(api, namespace, "second", "lowest")
    await protect(api, namespace, "second")
    await create(api, namespace, "urgent", "high")
    await placed(api, namespace, "urgent")
    assert await gone(api, namespace, "first")
    assert not await gone(api, namespace, "second")
    await create(api, namespace, "urgent-too", "high")
    await refused(api, namespace, "urgent-too")
    await wait(lambda: told(api, namespace, "FilteringFailed", "urgent-too"), "told")
    assert not await gone(api, namespace, "second")
    await api.delete(KINDS["PodDisruptionBudget"].path(namespace, "second"))
    # Anything that has kube-scheduler ask again; by itself it does so within five minutes.
    await api.patch(KINDS["Node"].path(name="n1"), {"metadata": {"annotations": {"note": "x"}}})
    await placed(api, namespace, "urgent-too")
    assert await gone(api, namespace, "second")


@pytest.mark.pain(15)
@pytest.mark.usefixtures("product")
async def test_the_place_of_a_victim_that_takes_its_time_is_kept(api: Api, namespace: str) -> None:
    """Without a kubelet nobody ends the victim; the test does it when others have come."""
    await node(api, "n1", cards=1)
    await runs(api, namespace, "victim", "lowest", grace=60)
    await create(api, namespace, "urgent", "high")

    async def leaving() -> bool:
        pod = await api.get(KINDS["Pod"].path(namespace, "victim"))
        return "deletionTimestamp" in pod["metadata"]

    await wait(leaving, "the victim leaves")
    await create(api, namespace, "comes-by", "low")
    await refused(api, namespace, "comes-by")
    await api.delete(KINDS["Pod"].path(namespace, "victim"), gracePeriodSeconds=0)
    await placed(api, namespace, "urgent")
    pod = await api.get(KINDS["Pod"].path(namespace, "comes-by"))
    assert "nodeName" not in pod["spec"]


@pytest.mark.pain(15)
@pytest.mark.usefixtures("product")
async def test_who_never_preempts_waits(api: Api, namespace: str) -> None:
    await node(api, "n1", cards=1)
    await runs(api, namespace, "first", "lowest")
    await create(api, namespace, "urgent", "patient")
    await refused(api, namespace, "urgent")
    await wait(lambda: told(api, namespace, "FilteringFailed", "urgent"), "told")
    assert not await gone(api, namespace, "first")
    await api.delete(KINDS["Pod"].path(namespace, "first"), gracePeriodSeconds=0)
    await placed(api, namespace, "urgent")
