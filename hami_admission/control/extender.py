"""POST /filter, /prioritize and /bind, for the kube-scheduler beside us."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from hami_admission.control.bind import BindFailed, ensure_ours
from hami_admission.control.catchup import NotCaughtUp
from hami_admission.control.http import Reply
from hami_admission.placement import summary
from hami_admission.wire import extender
from hami_admission.wire.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hami_admission.cluster.state import Cluster
    from hami_admission.control.bind import Binder
    from hami_admission.model.pod import Pod
    from hami_admission.placement.place import Plan
    from hami_admission.placement.pod import Demand

log = logging.getLogger(__name__)


STEP = 64
"""Nodes that are computed before others have their turn: about a millisecond."""

PATIENCE_SECONDS, LOOK_SECONDS = 7.0, 0.05
"""How long a question waits for the state to be complete, and how often it looks. kube-scheduler
waits 15 seconds for an answer (``httpTimeout``)."""


def _nobody(_: Pod, __: Demand, ___: list[str]) -> None:
    """Where nobody helps it."""


class Extender:
    """Plans and books in one step; binds through the binder."""

    def __init__(
        self,
        cluster: Cluster,
        binder: Binder,
        catch_up: Callable[[], Awaitable[None]],
        tell: Callable[[Notice], None],
        clock: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._catch_up = catch_up
        self._binder = binder
        self._tell = tell
        self._clock = clock
        self.on_refused: Callable[[Pod, Demand, list[str]], None] = _nobody
        """Called with a pod that fits on none of these nodes."""

    async def filter(self, body: bytes) -> Reply:
        """All nodes that fit; for the others the counted reasons. The best is booked."""
        asked = extender.decode_candidates(body)
        demand = self._cluster.demand(asked.pod)
        if demand is None:
            return Reply(extender.encode_filter(asked.nodes, {}))
        try:
            ensure_ours(asked.pod, self._cluster.settings)
        except BindFailed as error:
            return Reply(extender.encode_error(str(error)))
        if starting := await self._starting():
            return starting
        for _ in self._cluster.prepare(asked.pod, demand, STEP):
            await asyncio.sleep(0)
        plan = self._cluster.plan(asked.pod, demand, asked.nodes, self._clock())
        fields = {"pod": asked.pod.key, "fit": len(plan.fits), "unfit": len(plan.unfit)}
        log.info("filtered", extra=fields)
        self._tell(self._planned(asked.pod, plan))
        if not plan.fits:
            self.on_refused(asked.pod, demand, asked.nodes)
        return Reply(extender.encode_filter(plan.fits, plan.unfit))

    async def prioritize(self, body: bytes) -> Reply:
        """Our score of each node, from the plan that filter made."""
        asked = extender.decode_candidates(body)
        scores = self._cluster.priorities(asked.pod.uid, asked.nodes)
        return Reply(extender.encode_priorities(scores))

    async def bind(self, body: bytes) -> Reply:
        """Bind the pod to the node that kube-scheduler chose."""
        binding = extender.decode_binding(body)
        if starting := await self._starting():
            return starting
        fields = {"pod": f"{binding.pod_namespace}/{binding.pod_name}", "node": binding.node}
        about = partial(Notice, binding.pod_namespace, binding.pod_name, binding.pod_uid)
        try:
            score = await self._binder.bind(binding)
        except BindFailed as error:
            log.warning("not bound", extra={**fields, "reason": str(error)})
            self._tell(about("BindingFailed", str(error), "Warning"))
            return Reply(extender.encode_error(str(error)))
        log.info("bound", extra=fields)
        self._tell(about("BindingSucceed", summary.bound(fields["pod"], binding.node, score)))
        return Reply(extender.encode_error(""))

    def _planned(self, pod: Pod, plan: Plan) -> Notice:
        about = partial(Notice, pod.namespace, pod.name, pod.uid)
        booking = self._cluster.bookings.get(pod.uid)
        if booking is not None:
            return about("FilteringSucceed", summary.placed(plan, booking.placement))
        text, cause = summary.refused(plan.unfit), summary.cause(plan.unfit)
        return about("FilteringFailed", text, "Warning", cause)

    async def _starting(self) -> Reply | None:
        """An error while we do not know all: cards that look free may be taken.

        That lasts seconds, which are waited for: a pod that gets an error stays in back-off longer.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._listed()
                await self._catch_up()
        except TimeoutError:
            what = ", ".join(self._cluster.missing()) or "pods that another replica has placed"
            return Reply(
                extender.encode_error(f"hami-admission is starting and has not seen all {what}")
            )
        except NotCaughtUp as error:
            return Reply(extender.encode_error(str(error)))
        return None

    async def _listed(self) -> None:
        while True:
            if not self._cluster.missing():
                return
            await asyncio.sleep(LOOK_SECONDS)
