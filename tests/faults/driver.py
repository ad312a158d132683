"""What users and operators do, at random but the same for the same seed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp

from tests import build
from tests.cluster.api import ApiFailure
from tests.cluster.kinds import KINDS
from tests.cluster.product import a_quota, charged, node_annotations
from tests.cluster.test_quota import shows

if TYPE_CHECKING:
    from random import Random

    from tests.cluster.api import Api

Json = dict[str, Any]
NODES, CARDS = 3, 2
MOST_PODS = 60
ALLOWED = (
    "exceeded quota",
    "failed calling webhook",
    "try again",
    "already exists",
    "not found",
    "etcdserver",
    "timeout",
    "object has been modified",
    "connection refused",
    "being deleted",
    "no space",
    "dial tcp",
    "apiserver not ready",
    "not yet ready to handle request",
    "not rewritten by hami-admission",
    "error trying to reach",
    "context",
    "transport is closing",
)
"""What may be heard while something is broken. Anything else is a finding."""


URGENT: Json = {
    "apiVersion": "scheduling.k8s.io/v1",
    "kind": "PriorityClass",
    "metadata": {"name": "test-urgent"},
    "value": 1000,
}


class Driver:
    """Creates, finishes and deletes pods, changes quotas and nodes, one thing after the other."""

    def __init__(self, api: Api, namespace: str, random: Random) -> None:
        self._api = api
        self._namespace = namespace
        self._random = random
        self.number = 0
        self._pods: list[str] = []
        self.done: dict[str, int] = {}
        self.findings: list[str] = []
        self.over = False

    async def start(self) -> None:
        """Nodes, a priority that has others evicted, and a quota that somebody counts."""
        await self._api.apply(URGENT)
        for number in range(NODES):
            await self._node(number)
        await self._api.apply(a_quota(self._namespace, gpu=40, gpumem=800_000, gpucores=2000))
        await shows(self._api, self._namespace, gpu=0, gpumem=0, gpucores=0)

    async def run(self) -> None:
        """Until ``over`` is set."""
        while not self.over:
            await self.step()
            await asyncio.sleep(self._random.uniform(0.0, 0.08))

    async def step(self) -> None:
        """One thing."""
        deeds = {
            self.create: 8,
            self.delete: 3 if len(self._pods) < MOST_PODS else 12,
            self.finish: 2,
            self.raise_or_lower: 1,
            self.renew_node: 1,
            self.dry_run: 1,
            self.same_name: 1,
        }
        (deed,) = self._random.choices(list(deeds), list(deeds.values()))
        self.done[deed.__name__] = self.done.get(deed.__name__, 0) + 1
        try:
            await deed()
        except ApiFailure as failure:
            if not any(text in failure.message for text in ALLOWED):
                self.findings.append(f"{deed.__name__}: {failure}")
        except (aiohttp.ClientError, TimeoutError, OSError):
            await asyncio.sleep(0.2)

    async def create(self) -> None:
        """A pod of some size."""
        self.number += 1
        name = f"p-{self.number}"
        await self._api.create(KINDS["Pod"].path(self._namespace), self._pod(name))
        self._pods.append(name)

    async def delete(self) -> None:
        """One of the pods."""
        if self._pods:
            name = self._pods.pop(self._random.randrange(len(self._pods)))
            await self._api.delete(KINDS["Pod"].path(self._namespace, name), gracePeriodSeconds=0)

    async def finish(self) -> None:
        """One of the pods ends, well or badly."""
        if self._pods:
            name = self._random.choice(self._pods)
            phase = self._random.choice(["Succeeded", "Failed"])
            path = f"{KINDS['Pod'].path(self._namespace, name)}/status"
            await self._api.patch(path, {"status": {"phase": phase}})

    async def raise_or_lower(self) -> None:
        """The quota, not below what is used: that would be no finding, but could not be told."""
        path = KINDS["ResourceQuota"].path(self._namespace, "quota")
        quota = await self._api.get(path)
        used = charged(quota)
        hard = {
            "limits.nvidia.com/gpu": str(used["gpu"] + self._random.randint(0, 20)),
            "limits.nvidia.com/gpumem": str(used["gpumem"] + self._random.randint(0, 200_000)),
        }
        version = quota["metadata"]["resourceVersion"]
        patch = {"metadata": {"resourceVersion": version}, "spec": {"hard": hard}}
        await self._api.patch(path, patch)

    async def renew_node(self) -> None:
        """One of the nodes goes and comes back."""
        number = self._random.randrange(NODES)
        with suppress(ApiFailure):
            await self._api.delete(KINDS["Node"].path(name=f"n{number}"))
        await self._node(number)

    async def dry_run(self) -> None:
        """A creation that is none."""
        path = KINDS["Pod"].path(self._namespace)
        await self._api.create(path, self._pod("dry"), dryRun="All")

    async def same_name(self) -> None:
        """A creation that fails after admission."""
        if self._pods:
            path = KINDS["Pod"].path(self._namespace)
            await self._api.create(path, self._pod(self._random.choice(self._pods)))

    async def mend(self) -> None:
        """All nodes are there again."""
        for number in range(NODES):
            await self._node(number)

    def _pod(self, name: str) -> Json:
        urgent = self._random.random() < 0.2
        amounts = self._random.choice([
            build.gpu(1, memory=self._random.choice([1000, 8000, 20000]), cores=10),
            build.gpu(2, memory=4000, cores=self._random.choice([5, 30])),
            build.gpu(1, percent=self._random.choice([10, 50])),
        ])
        container = build.container(limits=build.gpu(2, memory=60_000) if urgent else amounts)
        spec: Json = {"priorityClassName": "test-urgent"} if urgent else {}
        spec["terminationGracePeriodSeconds"] = 0
        return build.pod_json(container, name=name, namespace=self._namespace, **spec)

    async def _node(self, number: int) -> None:
        name = f"n{number}"
        notes = node_annotations(name, CARDS)
        await self._api.add_node(name, annotations=notes, extra={"nvidia.com/gpu": "40"})
