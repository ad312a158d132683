"""Has pods of lower priority evicted where one of higher priority finds no card."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from hami_admission.cluster import preemption, records
from hami_admission.kube import errors, paths
from hami_admission.wire import evictions
from hami_admission.wire.errors import Malformed
from hami_admission.wire.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from hami_admission.cluster.preemption import Choice
    from hami_admission.cluster.state import Cluster
    from hami_admission.control.charging import Api
    from hami_admission.model.pod import Pod
    from hami_admission.placement.pod import Demand
    from hami_admission.wire.evictions import Budget, Victim

    Asked = tuple[Pod, Demand, Collection[str]]

log = logging.getLogger(__name__)

KEEP_SECONDS = 30.0
"""How long the place is kept beyond the time that the victims may take to leave."""

SETTLE_SECONDS = 5.0
"""After an eviction, until our own watch shows surely that its pod is leaving."""

MOST_ASKED = 64
"""Pods that wait to be looked at; with more the lowest is let go, and asked about again. Each comes
with the names of its nodes, which may be 5,000."""

MOST_TRIES = 16
"""Choices that are looked at for one pod, each without the pods that the last one must spare."""


class Preemptor:
    """``ask`` takes pods that were refused; ``run`` looks for a way for one after the other.

    Nothing is evicted while pods that leave already are enough: then their place is kept, also by
    who has taken over from another leader.
    """

    def __init__(
        self,
        cluster: Cluster,
        api: Api,
        tell: Callable[[Notice], None],
        clock: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._api = api
        self._tell = tell
        self._clock = clock
        self._asked: dict[str, Asked] = {}
        self._acted: dict[str, float] = {}
        self._rung = asyncio.Event()
        self.evicted = 0
        self.refused = 0

    def ask(self, pod: Pod, demand: Demand, nodes: Collection[str]) -> None:
        """A pod that fits on none of these nodes; kube-scheduler asks us only for such as serve it
        otherwise."""
        settled = self._clock() >= self._acted.get(pod.uid, 0.0) + SETTLE_SECONDS
        if settled and preemption.may(self._cluster, pod):
            self._asked[pod.uid] = (records.bare(pod, self._cluster.vendors), demand, nodes)
            if len(self._asked) > MOST_ASKED:
                del self._asked[min(self._asked, key=self._priority)]
            self._rung.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._rung.wait()
            self._rung.clear()
            while self._asked:
                first = max(self._asked, key=self._priority)
                asked = self._asked.pop(first)
                try:
                    await self._serve(*asked)
                except (errors.ApiError, Malformed) as error:
                    fields = {"pod": asked[0].key, "error": str(error)}
                    log.warning("no victims chosen", extra=fields)

    def _priority(self, uid: str) -> int:
        return self._asked[uid][0].priority

    async def _serve(self, pod: Pod, demand: Demand, nodes: Collection[str]) -> None:
        """Chooses, looks whether these may go, and has them go; with others if they may not.

        Pods that stay for a budget are left out of the next choice.
        """
        budgets: list[Budget] | None = None
        spared: set[str] = set()
        for _ in range(MOST_TRIES):
            choice = await self._choice(pod, demand, nodes, spared)
            if choice is None:
                return
            victims = [await self._victim(each) for each in choice.victims]
            there = [each for each in victims if each is not None and not each.leaving]
            if budgets is None and there:
                budgets = evictions.decode_budgets(await self._api.request("GET", paths.BUDGETS))
            must_stay = evictions.protected(there, budgets or ())
            if not must_stay:
                await self._evict(pod, demand, choice, there)
                return
            spared |= must_stay

    async def _choice(
        self, pod: Pod, demand: Demand, nodes: Collection[str], spared: Collection[str]
    ) -> Choice | None:
        choice = None
        for found in preemption.search(self._cluster, pod, demand, nodes, spared):
            choice = found
            await asyncio.sleep(0)
        if choice is None or not self._waits(pod):
            return None
        return preemption.on_node(self._cluster, pod, demand, choice.node, spared)

    def _waits(self, pod: Pod) -> bool:
        return self._cluster.waiting.get(pod.uid) is not None

    async def _victim(self, pod: Pod) -> Victim | None:
        """As it is now; None when it has gone."""
        try:
            body = await self._api.request("GET", paths.pod(pod.namespace, pod.name))
        except errors.NotFound:
            return None
        found = evictions.decode_victim(body)
        return found if found.uid == pod.uid else None

    async def _evict(self, pod: Pod, demand: Demand, choice: Choice, victims: list[Victim]) -> None:
        """The place is kept first: what becomes free is not for who comes by."""
        grace = max((each.grace for each in victims), default=0)
        until = self._clock() + grace + KEEP_SECONDS
        preemption.keep(self._cluster, pod, demand, choice, until)
        self._remember(pod.uid)
        fields = {"pod": pod.key, "node": choice.node}
        for victim in victims:
            name = f"{victim.namespace}/{victim.name}"
            try:
                path = paths.eviction(victim.namespace, victim.name)
                body = evictions.encode(victim.namespace, victim.name, victim.uid)
                await self._api.request("POST", path, body)
            except errors.NotFound:
                continue
            except errors.ApiError as error:
                self.refused += 1
                self._cluster.nominations.drop(pod.uid)
                log.warning("not evicted", extra={**fields, "victim": name, "error": str(error)})
                return
            self.evicted += 1
            log.info("evicted", extra={**fields, "victim": name, "priority": pod.priority})
            self._told(pod, choice.node, victim)
        self._tell(_waits(pod, choice.node, len(victims)))

    def _remember(self, uid: str) -> None:
        kept = self._cluster.nominations
        self._acted = {each: at for each, at in self._acted.items() if kept.get(each) is not None}
        self._acted[uid] = self._clock()

    def _told(self, pod: Pod, node: str, victim: Victim) -> None:
        """In the words of kube-scheduler, which name no pod of another namespace."""
        text = f"Preempted by pod {pod.uid} on node {node}"
        self._tell(Notice(victim.namespace, victim.name, victim.uid, "Preempted", text))


def _waits(pod: Pod, node: str, count: int) -> Notice:
    if count:
        pods = "1 pod" if count == 1 else f"{count} pods"
        text = f"{pods} of lower priority evicted from node {node}, whose cards are kept for it"
    else:
        text = f"waits for pods that are leaving node {node}, whose cards are kept for it"
    return Notice(pod.namespace, pod.name, pod.uid, "Preempting", text)
