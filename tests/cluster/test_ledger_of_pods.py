"""The ledger over the whole life of pods: counted from their creation to their end, once each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from hami_admission.wire import keys
from tests import build
from tests.cluster import neighbours
from tests.cluster.api import Api, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import a_quota
from tests.cluster.test_ledger import (
    WHOLE,
    a_node,
    bound,
    classes,
    gone,
    hard,
    on,
    refused,
    running,
    waiting,
)
from tests.cluster.test_quota import create, gpu_pod, known, shows, used
from tests.cluster.test_waiting import told

if TYPE_CHECKING:
    from tests.cluster.product import Product

Json = dict[str, Any]


async def without_holds(api: Api, namespace: str) -> None:
    """Wait until the quota holds nothing for pods not yet seen."""

    async def ask() -> bool:
        quota = await api.get(KINDS["ResourceQuota"].path(namespace, "quota"))
        return keys.QUOTA_HOLDS not in quota["metadata"].get("annotations", {})

    await wait(ask, "no holds", 40)


async def test_a_whole_card_is_settled_at_the_card_that_it_gets(
    product: Product, api: Api, namespace: str
) -> None:
    await a_node(api, "small", 1, memory_mib=16384, type="NVIDIA small")
    await a_node(api, "large", 1)
    await known(product, api, namespace, gpu=3, gpumem=WHOLE + 16384, gpucores=300)
    large = {"kubernetes.io/hostname": "large"}
    await create(api, on(gpu_pod(namespace, "chosen", count=1), nodeSelector=large))
    await shows(api, namespace, gpu=1, gpumem=WHOLE, gpucores=100)
    await create(api, gpu_pod(namespace, "any", count=1))
    assert await bound(api, namespace, "any") == "small"
    await shows(api, namespace, gpu=2, gpumem=WHOLE + 16384, gpucores=200)
    await refused(api, gpu_pod(namespace, "none", count=1), "gpumem=16384, used")
    await gone(api, namespace, "chosen")
    await shows(api, namespace, gpu=1, gpumem=16384, gpucores=100)


async def test_whole_cards_of_which_nothing_is_known_wait_until_the_limit_allows_them(
    product: Product, api: Api, namespace: str
) -> None:
    """They are sure to take no memory that is known; what they take is settled one by one."""
    await api.add_node("without-cards")
    await known(product, api, namespace, gpu=3, gpumem=50_000)
    for name in ("one", "other"):
        await create(api, gpu_pod(namespace, name, count=1))
    await shows(api, namespace, gpu=2, gpumem=0)
    await a_node(api)
    await wait(lambda: said(api, namespace, "ResourceQuotaNotFit"), "the reason is told")
    assert await used(api, namespace) == {"gpu": 2, "gpumem": 0}
    await hard(api, namespace, gpumem=WHOLE + 1000)
    await shows(api, namespace, gpu=2, gpumem=WHOLE)
    await running(api, gpu_pod(namespace, "small", memory=1000))
    pods = await api.list(KINDS["Pod"].path(namespace))
    assert sum("nodeName" in pod["spec"] for pod in pods) == 2
    assert await used(api, namespace) == {"gpu": 3, "gpumem": WHOLE + 1000}
    for name in ("one", "other", "small"):
        await gone(api, namespace, name)
    await shows(api, namespace, gpu=0, gpumem=0)


async def said(api: Api, namespace: str, words: str) -> bool:
    """Does an event of the namespace say so?"""
    events = await api.list(KINDS["Event"].path(namespace))
    return any(words in event.get("message", "") for event in events)


ENDS: dict[str, Json] = {
    "succeeded": {"phase": "Succeeded"},
    "evicted": {"phase": "Failed", "reason": "Evicted"},
    "never-admitted": {"phase": "Failed", "reason": "UnexpectedAdmissionError"},
}


async def test_every_end_of_a_pod_gives_its_charge_back(
    product: Product, api: Api, namespace: str
) -> None:
    """Also of one that never started or never had a place; while it terminates it counts."""
    await a_node(api)
    await known(product, api, namespace, gpu=10, gpumem=1_000_000)
    for name in (*ENDS, "eviction", "deleted"):
        await running(api, gpu_pod(namespace, name, memory=1000))
    await create(api, waiting(gpu_pod(namespace, "waits", memory=1000)))
    await create(api, waiting(gpu_pod(namespace, "half", percent=50)))
    await shows(api, namespace, gpu=7, gpumem=6000 + WHOLE // 2)
    for left, (name, status) in zip((6, 5, 4), ENDS.items(), strict=True):
        await api.patch(f"{KINDS['Pod'].path(namespace, name)}/status", {"status": status})
        await shows(api, namespace, gpu=left, gpumem=1000 * (left - 1) + WHOLE // 2)
    path = KINDS["Pod"].path(namespace, "eviction")
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "eviction", "namespace": namespace},
        "deleteOptions": {"gracePeriodSeconds": 0},
    }
    await api.create(f"{path}/eviction", eviction)
    await shows(api, namespace, gpu=3, gpumem=2000 + WHOLE // 2)
    await api.delete(KINDS["Pod"].path(namespace, "deleted"), gracePeriodSeconds=30)
    # The next charge counts all pods anew.
    await create(api, waiting(gpu_pod(namespace, "next", memory=1)))
    await shows(api, namespace, gpu=4, gpumem=2001 + WHOLE // 2)
    await gone(api, namespace, "deleted")
    await shows(api, namespace, gpu=3, gpumem=1001 + WHOLE // 2)
    for name, rest in (("half", (2, 1001)), ("waits", (1, 1)), ("next", (0, 0))):
        await api.delete(KINDS["Pod"].path(namespace, name))
        await shows(api, namespace, gpu=rest[0], gpumem=rest[1])


async def test_a_preempted_pod_counts_until_it_is_gone(
    product: Product, api: Api, namespace: str
) -> None:
    await a_node(api)
    paths = await classes(api, namespace)
    await known(product, api, namespace, gpu=2, gpumem=10_000)
    limits = {"cpu": "40", **build.gpu(1, memory=1000)}
    victim = build.pod_json(build.container(limits=limits), name="low", namespace=namespace)
    limits = {"cpu": "40", **build.gpu(1, memory=200)}
    other = build.pod_json(build.container(limits=limits), name="high", namespace=namespace)
    await running(api, on(victim, priorityClassName=f"{namespace}-low"))
    await shows(api, namespace, gpu=1, gpumem=1000)
    await create(api, on(other, priorityClassName=f"{namespace}-high"))

    async def preempted() -> bool:
        pod = await api.get(KINDS["Pod"].path(namespace, "low"))
        return "deletionTimestamp" in pod["metadata"]

    await wait(preempted, "preempted")
    assert await used(api, namespace) == {"gpu": 2, "gpumem": 1200}
    await gone(api, namespace, "low")
    await bound(api, namespace, "high")
    await shows(api, namespace, gpu=1, gpumem=200)
    for path in paths:
        await api.delete(path)


async def test_a_job_counts_one_pod_after_the_other(
    product: Product, api: Api, namespace: str
) -> None:
    await a_node(api)
    await known(product, api, namespace, gpu=1, gpumem=1000)
    template = gpu_pod(namespace, memory=1000)["spec"] | {"restartPolicy": "Never"}
    await api.apply({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "job", "namespace": namespace},
        "spec": {"completions": 3, "template": {"spec": template}},
    })
    finished: set[str] = set()

    async def runs() -> str:
        pods = await api.list(KINDS["Pod"].path(namespace))
        return next((each["metadata"]["name"] for each in pods if is_new(each)), "")

    def is_new(pod: Json) -> bool:
        return pod["metadata"]["name"] not in finished and "nodeName" in pod["spec"]

    for _ in range(3):
        # There is room for the next only when the one before has given its charge back.
        name = await wait(runs, "the next pod is bound", 40)
        await shows(api, namespace, gpu=1, gpumem=1000)
        status = {"status": {"phase": "Succeeded"}}
        await api.patch(f"{KINDS['Pod'].path(namespace, name)}/status", status)
        finished.add(name)
    await shows(api, namespace, gpu=0, gpumem=0)

    async def complete() -> bool:
        job = await api.get(KINDS["Job"].path(namespace, "job"))
        return bool(job["status"].get("succeeded") == 3)

    await wait(complete, "job complete")


async def test_names_made_by_the_api_server_are_charged_once_each(
    product: Product, api: Api, namespace: str
) -> None:
    await known(product, api, namespace, gpu=10, gpumem=10_000)
    nameless = gpu_pod(namespace, memory=1000)
    nameless["metadata"] = {"generateName": "worker-", "namespace": namespace}
    made = await asyncio.gather(*(create(api, nameless) for _ in range(10)))
    assert len({each["metadata"]["name"] for each in made}) == 10
    assert await used(api, namespace) == {"gpu": 10, "gpumem": 10_000}
    await without_holds(api, namespace)
    assert await used(api, namespace) == {"gpu": 10, "gpumem": 10_000}
    await refused(api, nameless, "exceeded quota")


async def test_a_pod_made_again_under_its_name_at_once(
    product: Product, api: Api, namespace: str
) -> None:
    """With room for one: what is given back and what is charged anew never meet in one sum."""
    await a_node(api)
    await known(product, api, namespace, gpu=1, gpumem=1000)
    again = gpu_pod(namespace, memory=1000)
    for _ in range(20):
        # The charge of the one before may be given back some milliseconds later.
        await wait(lambda: create(api, again), "created again", 5)
        assert await used(api, namespace) == {"gpu": 1, "gpumem": 1000}
        await gone(api, namespace, "p")
    await shows(api, namespace, gpu=0, gpumem=0)
    await without_holds(api, namespace)
    assert await used(api, namespace) == {"gpu": 0, "gpumem": 0}


@pytest.mark.pain(5)
async def test_creations_that_come_to_nothing_leave_no_charge(
    product: Product, api: Api, namespace: str
) -> None:
    """The same name again, dry runs, a later webhook that says no; plain pods are not disturbed."""
    mixed = a_quota(namespace, gpu=100, gpumem=100_000)
    mixed["spec"]["hard"]["pods"] = "100"
    await api.apply(mixed)
    await shows(api, namespace, gpu=0, gpumem=0)
    taken, label = gpu_pod(namespace, "taken", memory=1000), {neighbours.ASKED: "refuses"}
    await create(api, taken)
    assert product.process is not None

    async def in_vain(pod: Json, words: str) -> None:
        for _ in range(20):
            await refused(api, pod, words)

    async def dry() -> None:
        for number in range(20):
            await create(api, gpu_pod(namespace, f"dry-{number}", memory=1000), dryRun="All")

    async def plain() -> None:
        for number in range(20):
            made = build.pod_json(build.container(limits={"cpu": "1"}), namespace=namespace)
            made["metadata"]["name"] = f"plain-{number}"
            await create(api, made)

    async with neighbours.running(api, namespace) as others:
        await others.refuses("refuses")
        unwanted = build.pod_json(
            build.container(limits=build.gpu(1, memory=1000)), namespace=namespace, labels=label
        )
        await asyncio.gather(
            in_vain(taken, "already exists"),
            in_vain(unwanted, neighbours.REFUSED),
            dry(),
            plain(),
        )
    assert await used(api, namespace) == {"gpu": 41, "gpumem": 41_000}
    await shows(api, namespace, gpu=1, gpumem=1000, seconds=60)
    await without_holds(api, namespace)
    assert await used(api, namespace) == {"gpu": 1, "gpumem": 1000}


@pytest.mark.usefixtures("product")
@pytest.mark.probe(9)
async def test_a_pod_that_a_finalizer_keeps_costs_nothing_and_keeps_its_card(
    api: Api, namespace: str
) -> None:
    """Native quota lets it go when its grace is over; what runs on the card, nobody knows."""
    await a_node(api, "n1", 1)
    await api.apply(a_quota(namespace, gpu=1, gpumem=81920))
    native = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "native", "namespace": namespace},
        "spec": {"hard": {"pods": "10"}},
    }
    await api.apply(native)
    await shows(api, namespace, gpu=0, gpumem=0)
    kept = gpu_pod(namespace, "kept", memory=81920)
    kept["metadata"]["finalizers"] = ["example.com/later"]
    await create(api, kept)
    path = KINDS["Pod"].path(namespace)
    await bound(api, namespace, "kept")
    await shows(api, namespace, gpu=1, gpumem=81920)
    await api.delete(f"{path}/kept", gracePeriodSeconds=0)
    await shows(api, namespace, gpu=0, gpumem=0)
    quota = KINDS["ResourceQuota"].path(namespace, "native")

    async def natively() -> bool:
        return bool((await api.get(quota))["status"].get("used") == {"pods": "0"})

    await wait(natively, "native quota counts alike")
    await create(api, gpu_pod(namespace, "next", memory=81920))
    await wait(lambda: told(api, namespace, "FilteringFailed", "next"), "the card is taken")
    await api.patch(f"{path}/kept", {"metadata": {"finalizers": None}})
    assert await bound(api, namespace, "next") == "n1"
