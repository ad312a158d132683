"""Takes the locks of nodes whose device plugins are of others (facts/scheduling.md 10.2).

Such a plugin serves one pod at a time and takes the lock away when it has. Pods for one node wait
in a line; pods for other nodes do not wait with them. While the watch shows a lock, nobody asks the
API server about it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from hami_admission.kube import errors, paths
from hami_admission.kube.client import MERGE_PATCH
from hami_admission.wire import keys, locks, pods
from hami_admission.wire.errors import Malformed
from hami_admission.wire.locks import Lock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from hami_admission.control.charging import Api
    from hami_admission.model.node import Handover, Node
    from hami_admission.model.pod import Pod

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.02
"""Between two looks at what the watch has shown."""

DOUBT_SECONDS = 1.0
"""After which the node itself is looked at: a watch may be late, and holders may have gone."""


class NotFree(Exception):
    """The lock was not to be had; the message says who has it."""


class Unsure(Exception):
    """Nobody knows whether the pod was bound: the plugin may need the lock."""


class _Attempt:
    """Who holds the lock, and what was written to take it."""

    holder = ""
    text = ""


class NodeLocks:
    """The lines of pods that wait, by node and annotation.

    ``seen`` gives a node as the watch showed it last; ``patience`` is after how many seconds the
    lock that plugins of HAMi share is no longer believed.
    """

    def __init__(
        self,
        api: Api,
        seen: Callable[[str], Node | None],
        clock: Callable[[], float],
        patience: int,
    ) -> None:
        self._api = api
        self._seen = seen
        self._clock = clock
        self._patience = patience
        self.on_wait: Callable[[float, bool], None] = lambda seconds, taken: None
        """Told how long each pod has waited, and whether it got the lock."""
        self._lines: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def held(
        self, node: str, handovers: Iterable[Handover], pod: Pod, until: float
    ) -> AsyncIterator[None]:
        """The locks of these handovers, taken for the pod before the loop's time ``until``.

        Left without an error, or with Unsure, they are the plugin's to take away; else they are
        given back. Raises NotFree, ApiError and Malformed.
        """
        wanted = {each.lock: each for each in handovers if each.lock}
        async with AsyncExitStack() as stack:
            for annotation in sorted(wanted):
                await stack.enter_async_context(self._one(node, wanted[annotation], pod, until))
            yield

    @asynccontextmanager
    async def _one(
        self, node: str, handover: Handover, pod: Pod, until: float
    ) -> AsyncIterator[None]:
        line = self._lines.setdefault((node, handover.lock), asyncio.Lock())
        begun = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(until):
                await line.acquire()
        except TimeoutError as error:
            self._waited(begun, False)
            raise NotFree(
                f"node {node}: other pods wait for its device plugin as well ({handover.lock})"
            ) from error
        try:
            try:
                text = await self._take(node, handover, pod, until)
            except NotFree:
                self._waited(begun, False)
                raise
            self._waited(begun, True)
            try:
                yield
            except Unsure:
                raise
            except BaseException:
                await self._give_back(node, handover.lock, text)
                raise
        finally:
            line.release()

    def _waited(self, begun: float, taken: bool) -> None:
        self.on_wait(asyncio.get_running_loop().time() - begun, taken)

    async def _take(self, node: str, handover: Handover, pod: Pod, until: float) -> str:
        """What stands on the node then."""
        attempt = _Attempt()
        try:
            async with asyncio.timeout_at(until):
                while not await self._try(node, handover, pod, attempt):
                    await self._changed(node, handover.lock, attempt.holder)
        except (TimeoutError, errors.ApiError) as error:
            if attempt.text:  # it may have been written, though no answer came
                await self._give_back(node, handover.lock, attempt.text)
            if isinstance(error, errors.ApiError):
                raise
            raise NotFree(
                f"node {node} is locked for its device plugin ({handover.lock}:"
                f" {attempt.holder}), and is for {self._believed(handover)} s at most"
            ) from error
        except Malformed as error:
            raise NotFree(
                f"node {node}: {handover.lock}: {error}; if nobody holds it:"
                f" kubectl annotate node {node} {handover.lock}-"
            ) from error
        return attempt.text

    async def _try(self, node: str, handover: Handover, pod: Pod, attempt: _Attempt) -> bool:
        """One look, and one write where the lock is free."""
        found = locks.annotated(await self._api.request("GET", paths.node(node)))
        attempt.holder = found.annotations.get(handover.lock, "")
        if attempt.holder and not await self._over(attempt.holder, handover, pod):
            return False
        attempt.text = self._text(handover, pod)
        return await self._write(node, handover.lock, attempt.text, found.version)

    def _text(self, handover: Handover, pod: Pod) -> str:
        now = self._clock()
        if handover.nameless:
            return locks.encode(Lock(now))
        return locks.encode(Lock(now, pod.namespace, pod.name))

    def _believed(self, handover: Handover) -> int:
        return self._patience if handover.lock == keys.NODE_LOCK else handover.patience

    async def _over(self, holder: str, handover: Handover, pod: Pod) -> bool:
        """Is the lock ours, too old, or of a pod that needs it no more? Raises Malformed."""
        lock = locks.decode(holder)
        if self._clock() - lock.taken >= self._believed(handover):
            return True
        if not lock.name:
            return False
        if (lock.namespace, lock.name) == (pod.namespace, pod.name):
            return True
        try:
            body = await self._api.request("GET", paths.pod(lock.namespace, lock.name))
        except errors.NotFound:
            return True
        return pods.decode(body).ended

    async def _changed(self, node: str, annotation: str, holder: str) -> None:
        """Wait until the watch shows something else, or for so long that one has to look."""
        loop = asyncio.get_running_loop()
        doubt = loop.time() + DOUBT_SECONDS
        while loop.time() < doubt:
            await asyncio.sleep(LOOK_SECONDS)
            seen = self._seen(node)
            if not holder or seen is None or seen.locks.get(annotation, "") != holder:
                return

    async def _write(self, node: str, annotation: str, text: str | None, version: str) -> bool:
        """Done, unless the node has changed since."""
        body = locks.patch(annotation, text, version)
        try:
            await self._api.request("PATCH", paths.node(node), body, content_type=MERGE_PATCH)
        except errors.Conflict:
            return False
        return True

    async def _give_back(self, node: str, annotation: str, text: str) -> None:
        """Take the lock away if it is still that one; what fails ends by its age."""
        try:
            while True:
                found = locks.annotated(await self._api.request("GET", paths.node(node)))
                if found.annotations.get(annotation) != text:
                    return
                if await self._write(node, annotation, None, found.version):
                    return
        except (errors.ApiError, Malformed) as error:
            log.warning("lock not given back", extra={"node": node, "error": str(error)})
