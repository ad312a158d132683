"""The desk at which the kubelet asks: which devices, what a container gets, may it start."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hami_admission.agent.podresources import Unanswered
from hami_admission.node import ids, response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hami_admission.agent.podresources import Holding, PodResources
    from hami_admission.node.admissions import Admissions
    from hami_admission.node.facts import CardFacts
    from hami_admission.node.options import Options
    from hami_admission.node.pods import OwnPod
    from hami_admission.node.response import Response

EVERYBODY = 0o777


class Pods(Protocol):
    """The pods of the node."""

    def by_name(self, namespace: str, name: str) -> OwnPod | None:
        """The pod of that name, as it was last seen."""


class Desk:
    """Answers from what the agent knows; ``mismatched`` is told of pods on other cards than theirs.

    ``options`` and ``cards`` are what they are at the moment.
    """

    def __init__(
        self,
        admissions: Admissions,
        own: Pods,
        resources: PodResources,
        mismatched: Callable[[OwnPod, str], None],
    ) -> None:
        self.options: Options
        self.cards: Mapping[str, CardFacts] = {}
        self._admissions = admissions
        self._own = own
        self._resources = resources
        self._mismatched = mismatched

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
        """In mode ``devices``: is this container on the cards that its pod has annotated?

        A kubelet that does not say whose devices these are is not contradicted: it would keep every
        container of the node from starting.
        """
        if self.options.decides != "devices":
            return ""
        try:
            holdings = await self._resources.holdings()
        except Unanswered:
            return ""
        given = frozenset(devices)
        for each in holdings:
            if each.resource == self.options.resource_name and each.devices == given:
                return self._compared(each)
        return ""

    def _compared(self, holding: Holding) -> str:
        pod = self._own.by_name(holding.namespace, holding.pod)
        annotated = pod.cards(holding.container) if pod is not None else frozenset()
        given = frozenset(map(ids.card, holding.devices))
        if pod is None or not annotated or annotated == given:
            return ""
        text = (
            f"container {holding.container} was given {', '.join(sorted(given))}"
            f" and has {', '.join(sorted(annotated))} annotated"
        )
        self._mismatched(pod, text)
        return f"{text}: it must not start on other cards than it was placed on; delete the pod"

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
