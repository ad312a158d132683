"""Does another device plugin offer our resource? The kubelet takes whoever spoke last.

It says so itself: among the devices that it gives out are some that we never offered.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from hami_admission.agent.podresources import Unanswered
from hami_admission.wire.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Callable

    from hami_admission.agent.kubelet import Kubelet
    from hami_admission.agent.plugin import Plugin
    from hami_admission.agent.podresources import PodResources

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
LONGEST_SECONDS = 300.0
"""Between registrations against a plugin that registers anew as well."""


class Rivals:
    """``run`` looks for ever; ``found`` is how many devices of another plugin there are now."""

    def __init__(
        self,
        node: str,
        resources: PodResources,
        plugin: Plugin,
        kubelet: Kubelet,
        tell: Callable[[Notice], None],
    ) -> None:
        self._node = node
        self._resources = resources
        self._plugin = plugin
        self._kubelet = kubelet
        self._tell = tell
        self.found = 0

    async def run(self) -> None:
        """Take the resource back, less often each time: the other one may do the same."""
        pause = LOOK_SECONDS
        while True:
            await asyncio.sleep(pause)
            if await self.look():
                self._kubelet.again()
                pause = min(pause * 2, LONGEST_SECONDS)
            else:
                pause = LOOK_SECONDS

    async def look(self) -> bool:
        """Is there one now? Says so."""
        try:
            given = await self._resources.allocatable(self._plugin.resource)
        except Unanswered:
            return False
        foreign = sorted(given - self._plugin.ids)
        self.found = len(foreign)
        if not foreign:
            return False
        resource = self._plugin.resource
        text = (
            f"another device plugin offers {resource} on this node ({foreign[0]} and"
            f" {len(foreign) - 1} more): its containers are not kept within their share;"
            " take it from this node"
        )
        log.error("another device plugin", extra={"resource": resource, "devices": len(foreign)})
        about = ("default", self._node, self._node, "OtherDevicePlugin", text, "Warning")
        self._tell(Notice(*about, about="Node"))  # type: ignore[arg-type]
        return True
