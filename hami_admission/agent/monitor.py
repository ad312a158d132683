"""What containers really use: looks at it, keeps it for Prometheus, and gives feedback."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hami_admission.agent import regions
from hami_admission.agent.driver import DriverError
from hami_admission.agent.podresources import Unanswered
from hami_admission.node import feedback, response, usage
from hami_admission.node.facts import Load
from hami_admission.node.usage import CardUse, Owner, Share

if TYPE_CHECKING:
    from collections.abc import Collection

    from hami_admission.agent.cards import Cards
    from hami_admission.agent.driver import Driver
    from hami_admission.agent.podresources import Holding
    from hami_admission.agent.regions import Found
    from hami_admission.model.device import Device
    from hami_admission.node.pods import OwnPod

log = logging.getLogger(__name__)

IDLE_SECONDS = 30.0
"""Between looks while no container has a region."""

CLEAN_LOOKS = 60


class Pods(Protocol):
    """The pods of the node."""

    def all(self) -> Collection[OwnPod]:
        """Those that there are."""

    def by_name(self, namespace: str, name: str) -> OwnPod | None:
        """The pod of that name, as it was last seen."""


class Kubelet(Protocol):
    """Who has which devices."""

    async def holdings(self) -> list[Holding]:
        """What is given out; raises Unanswered."""


class Monitor:
    """``run`` looks for ever; ``table`` is what was seen last."""

    def __init__(self, driver: Driver, cards: Cards, own: Pods, resources: Kubelet) -> None:
        self._driver = driver
        self._cards = cards
        self._own = own
        self._resources = resources
        self._looks = 0
        self.table = usage.rows({}, {}, (), now=0)

    async def run(self) -> None:
        """One look after the other; one that fails leaves what was seen before."""
        while True:
            shared = False
            try:
                shared = await self.look()
            except (DriverError, Unanswered) as error:
                log.warning("usage not seen", extra={"error": str(error)})
            await asyncio.sleep(feedback.PERIOD_SECONDS if shared else IDLE_SECONDS)

    async def look(self) -> bool:
        """Look once, and say who may launch kernels; gives whether there is anybody.

        Raises DriverError and Unanswered.
        """
        found = await asyncio.to_thread(regions.scan, self._root)
        cards = await self._use()
        owners = await self._owners() if found.regions or found.unreadable else {}
        now = int(time.time())
        instances = [each for pod in self._own.all() for each in pod.instances]
        self.table = usage.rows(
            *(found.regions, owners, cards),
            now=now,
            instances=instances,
            unreadable=found.unreadable,
        )
        writes = feedback.decide(found.regions, now=now, busy=usage.busy(cards))
        if writes:
            await asyncio.to_thread(regions.write, found.files, writes)
        self._looks += 1
        if self._looks % CLEAN_LOOKS == 0:
            await self._clean()
        return bool(found.regions)

    def release(self) -> None:
        """Nobody waits for a feedback that does not come any more."""
        found: Found = regions.scan(self._root)
        regions.write(found.files, feedback.release(found.regions))

    async def _clean(self) -> None:
        """Not while the kubelet's word and ours may differ: a folder in use is never old."""
        owners = await self._owners()
        await asyncio.to_thread(regions.clean, self._root, owners.keys())

    @property
    def _root(self) -> Path:
        return Path(self._cards.options.hook_path, "vgpu", "containers")

    async def _owners(self) -> dict[str, Owner]:
        """By folder: whose devices it is named after, or, of HAMi's plugin, which pod."""
        found = {}
        for pod in self._own.all():
            for need in pod.needs:
                owner = Owner(pod.namespace, pod.name, pod.uid, need.container)
                found[f"{pod.uid}_{need.container}"] = owner
        for each in await self._resources.holdings():
            pod_ = self._own.by_name(each.namespace, each.pod)
            uid = "" if pod_ is None else pod_.uid
            if each.resource == self._cards.options.resource_name:
                owner = Owner(each.namespace, each.pod, uid, each.container)
                found[response.folder(each.devices)] = owner
        return found

    async def _use(self) -> tuple[CardUse, ...]:
        """Every card that is offered; of one of which the driver says nothing, that it is there."""
        loads = {load.uuid: load for load in await self._driver.usage()}
        return tuple(
            _use(device, loads.get(device.uuid, Load(uuid=device.uuid)))
            for device in self._cards.inventory.devices
        )


def _use(device: Device, load: Load) -> CardUse:
    return CardUse(
        uuid=device.uuid,
        index=device.index,
        type=device.type,
        memory_used=load.memory_used,
        memory_size=load.memory_size,
        utilization=load.utilization,
        memory_utilization=load.memory_utilization,
        processes={pid: Share(*share) for pid, share in load.processes.items()},
    )
