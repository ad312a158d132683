"""The cards of the node through time: what they are, who is sick, and everybody who is told."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hami_admission.agent.driver import DriverError
from hami_admission.kube import errors
from hami_admission.node import health, ids, inventory, links
from hami_admission.wire.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Callable

    from hami_admission.agent.desk import Desk
    from hami_admission.agent.driver import Driver
    from hami_admission.agent.plugin import Plugin
    from hami_admission.agent.register import Register
    from hami_admission.node.facts import CardEvent, CardFacts
    from hami_admission.node.options import Options
    from hami_admission.node.pods import OwnPod

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
"""Between looks at the driver, without an event."""

RETRY_SECONDS = 1.0

DOUBT_LOOKS = 10
"""Looks after which the annotations are read again: somebody else may have written them."""


class Pods(Protocol):
    """The pods of the node."""

    def with_card(self, uuid: str) -> list[OwnPod]:
        """Those that have this card."""


class Cards:
    """``run`` goes on for ever; ``inventory`` is what is offered now."""

    def __init__(
        self, node: str, driver: Driver, options: Options, own: Pods, clock: Callable[[], float]
    ) -> None:
        self.options = options
        self.inventory = inventory.build((), options, {})
        self._node = node
        self._driver = driver
        self._own = own
        self._clock = clock
        self._facts: tuple[CardFacts, ...] = ()
        self._state = health.State()
        self._told: dict[str, str] = {}
        self._pairs: set[tuple[str, str]] = set()
        self._changed = asyncio.Event()
        self._looks = 0

    def use(self, options: Options) -> None:
        """From now on it is offered so."""
        self.options = options
        self._changed.set()

    async def look(self) -> None:
        """Ask the driver; raises DriverError."""
        self._facts = await self._driver.cards()
        self._state = health.watch(self._state, self._facts)
        self._looks += 1

    async def listen(self) -> None:
        """Take in the driver's events, for ever."""
        while True:
            try:
                async for event in self._driver.events():
                    self._befell(event)
            except DriverError as error:
                log.warning("no events from the driver", extra={"error": str(error)})
                await asyncio.sleep(RETRY_SECONDS)

    def _befell(self, event: CardEvent) -> None:
        before = health.sick(self._state, self._clock())
        self._state = health.after(self._state, event, self.options)
        if health.sick(self._state, self._clock()) != before:
            fields = {"card": event.card, "kind": event.kind.value, "code": event.code}
            log.warning("card turned sick", extra=fields)
            self._changed.set()

    async def run(
        self, plugin: Plugin, register: Register, desk: Desk, tell: Callable[[Notice], None]
    ) -> None:
        """Tell everybody whenever something is another than before, the kubelet first."""
        while True:
            self._changed.clear()
            self.decide()
            desk.options = self.options
            desk.cards = {card.uuid: card for card in self._facts}
            await plugin.offer(
                ids.offered(
                    self.inventory.devices, inventory.numa_nodes(self.inventory, self.options)
                )
            )
            for notice in self._notices():
                tell(notice)
            done = await self._published(register)
            await self._until_changed(LOOK_SECONDS if done else RETRY_SECONDS)
            try:
                await self.look()
            except DriverError as error:
                log.warning("the driver does not answer", extra={"error": str(error)})

    def decide(self) -> None:
        """What is offered from now on."""
        now = self._clock()
        self._state = health.tick(self._state, now, self.options)
        ready = self.options.isolation == "none" or self._library()
        sick = health.sick(self._state, now)
        self.inventory = inventory.build(self._facts if ready else (), self.options, sick)

    def _library(self) -> bool:
        """Is there what keeps containers within their share? Without it no card is offered."""
        folder = Path(self.options.hook_path, "vgpu")
        missing = [each for each in ("libvgpu.so", "ld.so.preload") if not (folder / each).exists()]
        if missing:
            log.error("isolation library missing", extra={"folder": str(folder), "files": missing})
        return not missing

    async def _published(self, register: Register) -> bool:
        if self._looks % DOUBT_LOOKS == 0:
            register.doubt()
        try:
            await register.publish(inventory.published(self.inventory, self.options))
        except errors.ApiError as error:
            log.warning("not registered on the node", extra={"error": str(error)})
            return False
        return True

    async def _until_changed(self, seconds: float) -> None:
        end = health.next_change(self._state, self._clock())
        if end is not None:
            seconds = min(seconds, max(end - self._clock(), 0.0) + 0.01)
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    def _notices(self) -> list[Notice]:
        """On the node, and on each pod that has the card: it stays, but its user should know."""
        found: list[Notice] = []
        sick = self.inventory.sick
        for uuid, reason in sick.items():
            if self._told.get(uuid) != reason:
                text = f"card {uuid}: {reason}; it takes no new pods, running ones stay"
                found.append(self._of_node("CardSick", text, uuid, warning=True))
                found += [
                    Notice(pod.namespace, pod.name, pod.uid, "CardSick", text, "Warning", uuid)
                    for pod in self._own.with_card(uuid)
                ]
        for uuid in self._told.keys() - sick.keys():
            text = f"card {uuid} takes pods again"
            found.append(self._of_node("CardRecovered", text, uuid, warning=False))
        self._told = dict(sick)
        return found + self._of_links()

    def _of_links(self) -> list[Notice]:
        pairs = links.scores(self.inventory.cards).asymmetric
        new, self._pairs = set(pairs) - self._pairs, set(pairs)
        return [
            self._of_node(
                "AsymmetricGPUP2PLink",
                f"cards {one} and {other} say different links of each other; they count as none",
                f"{one}/{other}",
                warning=True,
            )
            for one, other in sorted(new)
        ]

    def _of_node(self, reason: str, text: str, cause: str, *, warning: bool) -> Notice:
        kind = "Warning" if warning else "Normal"
        return Notice("default", self._node, self._node, reason, text, kind, cause, about="Node")  # type: ignore[arg-type]
