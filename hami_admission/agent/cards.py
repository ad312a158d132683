"""The cards of the node through time: what they are, who is sick, and everybody who is told."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from hami_admission.agent.driver import DriverError
from hami_admission.agent.plugin import Offer
from hami_admission.kube import errors
from hami_admission.node import health, ids, inventory
from hami_admission.wire.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Callable

    from hami_admission.agent.desk import Desk
    from hami_admission.agent.driver import Driver
    from hami_admission.agent.own import Own
    from hami_admission.agent.plugin import Plugin
    from hami_admission.agent.register import Register
    from hami_admission.model.device import Device
    from hami_admission.node.facts import CardEvent, CardFacts
    from hami_admission.node.options import Options

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
"""Between looks at the driver, without an event."""

RETRY_SECONDS = 1.0

DOUBT_LOOKS = 10
"""Looks after which the annotations are read again: somebody else may have written them."""


class Cards:
    """``run`` goes on for ever; ``sick`` are uuids with what is wrong."""

    def __init__(
        self, node: str, driver: Driver, options: Options, own: Own, clock: Callable[[], float]
    ) -> None:
        self.options = options
        self.sick: dict[str, str] = {}
        self.devices: tuple[Device, ...] = ()
        self._node = node
        self._driver = driver
        self._own = own
        self._clock = clock
        self._facts: tuple[CardFacts, ...] = ()
        self._state: health.State = {}
        self._told: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._looks = 0

    def use(self, options: Options) -> None:
        """From now on it is offered so."""
        self.options = options
        self._changed.set()

    async def look(self) -> None:
        """Ask the driver; raises DriverError."""
        self._facts = await self._driver.cards()
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
        uuids = [card.uuid for card in self._facts]
        rules = health.rules(self.options)
        self._state = health.after(self._state, event, uuids, rules)
        fields = {"card": event.uuid, "kind": event.kind, "code": event.code}
        log.info("event of a card", extra=fields)
        self._changed.set()

    async def run(
        self, plugin: Plugin, register: Register, desk: Desk, tell: Callable[[Notice], None]
    ) -> None:
        """Tell everybody whenever something is another than before, the kubelet first."""
        while True:
            self._changed.clear()
            self._decide()
            desk.options = self.options
            desk.cards = {card.uuid: card for card in self._facts}
            await plugin.offer(self._offers())
            for notice in self._notices():
                tell(notice)
            done = await self._published(register)
            await self._until_changed(LOOK_SECONDS if done else RETRY_SECONDS)
            try:
                await self.look()
            except DriverError as error:
                log.warning("the driver does not answer", extra={"error": str(error)})

    def _decide(self) -> None:
        self.sick = health.sick(self._state, self._clock())
        ready = self.options.isolation == "none" or self._library()
        cards = self._facts if ready else ()
        self.devices = inventory.offered(cards, self.options, self.sick)

    def _library(self) -> bool:
        """Is there what keeps containers within their share? Without it no card is offered."""
        folder = Path(self.options.hook, "vgpu")
        missing = [each for each in ("libvgpu.so", "ld.so.preload") if not (folder / each).exists()]
        if missing:
            log.error("isolation library missing", extra={"folder": str(folder), "files": missing})
        return not missing

    def _offers(self) -> list[Offer]:
        numa = self.options.numa_topology
        return [
            Offer(each, device.healthy, device.numa if numa else None)
            for device in self.devices
            for each in ids.of_card(device.uuid, device.slots)
        ]

    async def _published(self, register: Register) -> bool:
        if self._looks % DOUBT_LOOKS == 0:
            register.doubt()
        try:
            await register.publish(inventory.notes(self._facts, self.devices, self.options))
        except errors.ApiError as error:
            log.warning("not registered on the node", extra={"error": str(error)})
            return False
        return True

    async def _until_changed(self, seconds: float) -> None:
        end = health.next_look(self._state, self._clock())
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
        for uuid, reason in self.sick.items():
            if self._told.get(uuid) != reason:
                text = f"card {uuid}: {reason}; it takes no new pods, running ones stay"
                found.append(self._of_node("CardSick", text, uuid, warning=True))
                found += [
                    Notice(pod.namespace, pod.name, pod.uid, "CardSick", text, "Warning", uuid)
                    for pod in self._own.with_card(uuid)
                ]
        for uuid in self._told.keys() - self.sick.keys():
            text = f"card {uuid} takes pods again"
            found.append(self._of_node("CardRecovered", text, uuid, warning=False))
        self._told = dict(self.sick)
        return found

    def _of_node(self, reason: str, text: str, cause: str, *, warning: bool) -> Notice:
        kind = "Warning" if warning else "Normal"
        return Notice("default", self._node, self._node, reason, text, kind, cause, about="Node")  # type: ignore[arg-type]
