"""Makes the MIG instances that pods are to have, before they are bound to this node."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec

from hami_admission.agent.driver import DriverError
from hami_admission.kube import errors, paths, reflector, watch
from hami_admission.kube.client import MERGE_PATCH
from hami_admission.node import instances
from hami_admission.wire import instances as wire
from hami_admission.wire import keys, nodes
from hami_admission.wire.errors import Malformed
from hami_admission.wire.instances import Answer, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Protocol

    from hami_admission.agent.driver import Driver
    from hami_admission.kube.client import Client
    from hami_admission.model.instance import Instance, Place
    from hami_admission.node.instances import Asked
    from hami_admission.node.pods import OwnPod
    from hami_admission.wire.instances import Wanted

    class Pods(Protocol):
        """The pods of the node."""

        listed: bool
        on_cut: Callable[[], None]

        def all(self) -> Collection[OwnPod]:
            """Those that there are."""


log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""Between looks when nothing is asked for: pods are bound, and instances may have vanished."""

SOON_SECONDS = 0.1
"""Before the next look, where a pod in the way ends, or the API server did not take the answer."""


class Instances:
    """``run`` goes on for ever; ``present`` is what exists."""

    def __init__(
        self, client: Client, node: str, driver: Driver, own: Pods, clock: Callable[[], float]
    ) -> None:
        self.present: tuple[Instance, ...] = ()
        self.made = 0
        self._client = client
        self._node = node
        self._driver = driver
        self._own = own
        self._clock = clock
        self._wanted: dict[str, Wanted | None] = {}
        self._asked: dict[str, Asked] = {}
        self._failed: dict[str, Failure] = {}
        self._answered = ""
        self._changed = asyncio.Event()

        own.on_cut = self._changed.set

    async def run(self) -> None:
        """Follow the node's annotations, and do what they ask for."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._serve())

    async def _follow(self) -> None:
        following = reflector.Reflector(paths.NODES, f"metadata.name={self._node}")
        async for signal in watch.signals(self._client, following):
            if isinstance(signal, reflector.Seen):
                try:
                    annotations = nodes.decode(signal.body).annotations
                except Malformed as error:
                    log.warning("node passed over", extra={"error": str(error)})
                    continue
                self._answered = annotations.get(keys.MIG_INSTANCES, "")
                wanted = wire.all_wanted(annotations)
                if wanted != self._wanted:
                    self._wanted = wanted
                    self._changed.set()

    async def _serve(self) -> None:
        while True:
            self._changed.clear()
            try:
                settled = await self.look() if self._own.listed else False
            except (DriverError, errors.ApiError) as error:
                log.warning("instances not looked after", extra={"error": str(error)})
                settled = False
            try:
                async with asyncio.timeout(LOOK_SECONDS if settled else SOON_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def look(self) -> bool:
        """Make what is missing, and say what there is; False where to look again soon.

        Raises DriverError and ApiError.
        """
        now, wanted = self._clock(), self._wanted
        self._asked = instances.seen(self._asked, wanted, now)
        self._failed = {
            uid: failure
            for uid, failure in self._failed.items()
            if uid in self._asked and self._asked[uid].wanted.at == failure.at
        }
        open_ = {uid: each.wanted for uid, each in self._asked.items() if uid not in self._failed}
        held = [place for pod in self._own.all() for place in pod.places]
        self.present = await self._exist()
        plan = instances.plan(self.present, held, open_)
        if plan.destroy or plan.make:
            await self._carry_out(plan, open_)
            self.present = await self._exist()
        bound = {pod.uid for pod in self._own.all() if pod.places}
        finished = instances.done(self._asked, wanted, bound, now)
        ready = instances.ready(self.present, open_)
        for uid in finished:
            ready.pop(uid, None)
        await self._answer(Answer(self.present, ready, self._failed), finished)
        return not plan.waits

    async def _exist(self) -> tuple[Instance, ...]:
        return tuple(each for card in await self._driver.cards() for each in card.instances)

    async def _carry_out(self, plan: instances.Plan, wanted: dict[str, Wanted]) -> None:
        for each in plan.destroy:
            try:
                await self._driver.destroy(each)
                log.info("instance destroyed", extra={"instance": str(each.place)})
            except DriverError as error:
                self._fail(each.place, wanted, f"{each.place} cannot make room: {error}")
        for place in plan.make:
            try:
                await self._driver.make(place)
                self.made += 1
                log.info("instance made", extra={"instance": str(place)})
            except DriverError as error:
                self._fail(place, wanted, f"{place}: {error}")

    def _fail(self, place: Place, wanted: dict[str, Wanted], reason: str) -> None:
        log.warning("instance not made", extra={"error": reason})
        for uid, each in wanted.items():
            if uid not in self._failed and any(place.overlaps(other) for other in each.places):
                self._failed[uid] = Failure(each.at, reason)

    async def _answer(self, answer: Answer, finished: list[str]) -> None:
        text = wire.encode_answer(answer)
        if text == self._answered and not finished:
            return
        notes = {keys.MIG_INSTANCES: text, **dict.fromkeys(map(wire.wanted_key, finished))}
        body = msgspec.json.encode({"metadata": {"annotations": notes}})
        await self._client.request("PATCH", paths.node(self._node), body, content_type=MERGE_PATCH)
        self._answered = text
