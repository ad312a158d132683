"""What a user with the right to edit a namespace does who means harm, and a clumsy operator.

Nothing of it may move a card or a quota, whatever else breaks meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp

from tests import build
from tests.cluster.api import ApiFailure
from tests.cluster.kinds import KINDS
from tests.cluster.product import a_quota, call

if TYPE_CHECKING:
    from random import Random

    from tests.cluster.api import Api

Json = dict[str, Any]

CARD = "GPU-n0-0"
FORGED = {
    "hami.io/env-0.NVIDIA_VISIBLE_DEVICES": "all",
    "hami.io/vgpu-devices-allocated": f"{CARD},NVIDIA,81920,100:;",
    "hami.io/vgpu-node": "n0",
}
NAMES = ("a/log", "../x", "%2e%2e/x", "../../../pods", "plain", "p-1", "")
LABELS = {"app": "forged"}
COPY = "copy"


class Hostile:
    """``user`` has the right to edit, ``operator`` every right; ``findings`` is what came of it."""

    def __init__(self, user: Api, operator: Api, namespace: str, random: Random) -> None:
        self._user = user
        self._operator = operator
        self._namespace = namespace
        self._random = random
        self.done: dict[str, int] = {}
        self.findings: list[str] = []
        self.over = False

    async def run(self) -> None:
        """Until ``over`` is set; what fails is what is wanted."""
        deeds = (self.template, self.pod, self.review, self.notes, self.copied_quota)
        while not self.over:
            deed = self._random.choice(deeds)
            self.done[deed.__name__] = self.done.get(deed.__name__, 0) + 1
            with suppress(ApiFailure, aiohttp.ClientError, TimeoutError, OSError):
                await deed()
            await asyncio.sleep(self._random.uniform(0.2, 0.6))

    async def template(self) -> None:
        """Forged annotations, by a controller."""
        template = {
            "metadata": {"labels": LABELS, "annotations": FORGED},
            "spec": {"containers": [build.container()], "schedulerName": "hami-scheduler"},
        }
        spec = {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": template}
        path = KINDS["ReplicaSet"].path(self._namespace)
        name = f"forged-{self._random.randrange(3)}"
        document = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name}}
        await self._user.create(path, {**document, "spec": spec})

    async def pod(self) -> None:
        """The same with his own hands, as a copy of a pod that was placed."""
        document = build.pod_json(
            build.container(limits=build.gpu(1, memory=1)),
            name="forged",
            namespace=self._namespace,
            annotations=FORGED,
            schedulerName="hami-scheduler",
        )
        document["metadata"]["labels"] = LABELS
        await self._user.create(KINDS["Pod"].path(self._namespace), document)
        self.findings.append("a pod was created with annotations of the decision")

    async def review(self) -> None:
        """A review that nobody but he has sent."""
        uid = self._random.choice([str(uuid.uuid4()), ""])
        document = build.pod_json(
            build.container(limits=build.gpu(1, memory=20_000)),
            name=self._random.choice(NAMES),
            namespace=self._random.choice([self._namespace, "../kube-system", ""]),
            uid=uid,
        )
        asked = {"uid": str(uuid.uuid4()), "operation": "CREATE", "object": document}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}
        status, body = await call("POST", "/mutate", json.dumps(review).encode())
        if status == 500:
            self.findings.append(f"a review ended in {body[:200]!r}")
        await call("POST", "/validate", json.dumps(review).encode())

    async def notes(self) -> None:
        """A pod that waits, with as much beside it as an object may have; soon gone again."""
        amounts = build.gpu(1, memory=81_921 * 4)
        document = build.pod_json(
            build.container(limits=amounts),
            name=f"large-{self._random.randrange(1000)}",
            namespace=self._namespace,
            annotations={
                "example.com/notes": "x" * 200_000,
                "nvidia.com/use-gpuuuid": ",".join(f"GPU-{n:032}" for n in range(100)),
            },
        )
        path = KINDS["Pod"].path(self._namespace)
        await self._user.create(path, document)
        await self._user.delete(f"{path}/{document['metadata']['name']}", gracePeriodSeconds=0)

    async def copied_quota(self) -> None:
        """A quota from a backup, with the marks that it had there."""
        path = KINDS["ResourceQuota"].path(self._namespace, COPY)
        with suppress(ApiFailure):
            await self._operator.delete(path)
        quota = a_quota(self._namespace, COPY, gpu=1000, gpumem=80_000_000)
        hold = {"pod": "gone", "until": 1, "amounts": {"nvidia.com/gpu": 7}}
        quota["metadata"]["annotations"] = {
            "hami.io/quota-counted": "99999999999",
            "hami.io/quota-holds": json.dumps({str(uuid.uuid4()): hold}),
        }
        await self._operator.apply(quota)

    async def gone(self) -> bool:
        """Takes away what he left behind, but for the copied quota, which has to be right."""
        pods = KINDS["Pod"].path(self._namespace)
        for each in await self._operator.list(pods):
            name, labels = each["metadata"]["name"], each["metadata"].get("labels") or {}
            if labels.get("app") == LABELS["app"]:
                self.findings.append(f"pod {name} came into being")
            if name.startswith("large-"):
                await self._operator.delete(f"{pods}/{name}", gracePeriodSeconds=0)
        await self._operator.delete(KINDS["ReplicaSet"].path(self._namespace))
        return True
