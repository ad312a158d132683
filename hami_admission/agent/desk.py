"""The desk at which the kubelet asks: which devices, what a container gets, may it start."""

from __future__ import annotations

import asyncio
import logging
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hami_admission.agent.podresources import Unanswered
from hami_admission.node import ids, response, starting
from hami_admission.node.starting import OtherCards

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hami_admission.agent.podresources import Holding, PodResources
    from hami_admission.node.admissions import Admissions
    from hami_admission.node.facts import CardFacts
    from hami_admission.node.options import Options
    from hami_admission.node.pods import OwnPod
    from hami_admission.node.response import Response
    from hami_admission.node.starting import Objection

log = logging.getLogger(__name__)

EVERYBODY = 0o777

LOOKS, LOOK_SECONDS = 50, 0.1
"""For a pod that the kubelet has heard of before us; it waits half a minute for our answer."""


class Pods(Protocol):
    """The pods of the node; ``listed``: all that there are have been seen."""

    listed: bool

    def by_name(self, namespace: str, name: str) -> OwnPod | None:
        """The pod of that name, as it was last seen."""


class Desk:
    """Answers from what the agent knows; ``refused`` is told of each pod that was kept from
    starting, why, and in which words.

    ``options`` and ``cards`` are what they are at the moment; ``unchecked`` counts the containers
    that started though the kubelet did not say whose they are.
    """

    def __init__(
        self,
        admissions: Admissions,
        own: Pods,
        resources: PodResources,
        refused: Callable[[OwnPod, Objection, str], None],
    ) -> None:
        self.options: Options
        self.cards: Mapping[str, CardFacts] = {}
        self._admissions = admissions
        self._own = own
        self._resources = resources
        self._refused = refused
        self.unchecked = 0

    def preferred(self, available: Sequence[str], must: Sequence[str], size: int) -> list[str]:
        """On the cards of the pod whose turn it is, as far as can be told."""
        asked = self._admissions.next(size)
        wanted = asked.need.cards if asked is not None and self.options.preferred_allocation else ()
        return list(ids.preferred(available, must, wanted, size))

    def allocate(self, devices: Sequence[str]) -> Response:
        """And a new folder for its usage, where it has none of its own yet."""
        cards = _cards(devices)
        controlled = self._admissions.controlled(len(cards))
        self._admissions.given(cards)
        if self.options.isolation == "library":
            self._fresh(devices)
        usage = f"{uuid.uuid4()}.cache"
        return response.of(devices, usage, self.options, self.cards, controlled=controlled)

    async def objection(self, devices: Sequence[str]) -> str:
        """Was this container's pod placed, and in mode ``devices``: on these cards?

        A kubelet that does not say whose devices these are is not contradicted: it would keep every
        container of the node from starting. Nor is anybody before the pods of the node were listed.
        """
        try:
            holdings = await self._resources.fresh()
        except Unanswered as error:
            self.unchecked += 1
            log.warning("container not checked", extra={"error": str(error)})
            return ""
        given = frozenset(devices)
        for each in holdings:
            if each.resource == self.options.resource_name and each.devices == given:
                return await self._compared(each)
        return ""

    async def _compared(self, holding: Holding) -> str:
        if not self._own.listed:
            self.unchecked += 1
            return ""
        pod = await self._pod(holding)
        if pod is None:
            return (
                f"pod {holding.namespace}/{holding.pod} is not known to the agent of this node yet;"
                " the container is started when it is"
            )
        given = frozenset(map(ids.card, holding.devices))
        found = starting.objection(pod, holding.container, given, self.options.decides)
        if found is None:
            return ""
        text = _said(found, self.options.resource_name)
        self._refused(pod, found, text)
        return text

    async def _pod(self, holding: Holding) -> OwnPod | None:
        for _ in range(LOOKS):
            pod = self._own.by_name(holding.namespace, holding.pod)
            if pod is not None:
                return pod
            await asyncio.sleep(LOOK_SECONDS)
        return None

    def _fresh(self, devices: Sequence[str]) -> None:
        """The folder of these devices as if nobody had had them before."""
        path = Path(self.options.hook_path, "vgpu", "containers", response.folder(devices))
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        path.chmod(EVERYBODY)
        locks = Path(response.LOCKS)
        locks.mkdir(exist_ok=True)
        locks.chmod(EVERYBODY)


def _cards(devices: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(map(ids.card, devices)))


def _said(objection: Objection, resource: str) -> str:
    if isinstance(objection, OtherCards):
        return (
            f"container {objection.container} was given {', '.join(objection.given)} and has"
            f" {', '.join(objection.annotated)} annotated: it must not start on other cards than it"
            " was placed on; delete the pod"
        )
    return (
        f"container {objection.container} asks for {resource} and its pod was not placed by"
        " hami-admission: it must not start on cards that nobody counts for it; delete the pod and"
        " create it again"
    )
