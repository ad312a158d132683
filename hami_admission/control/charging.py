"""Charges and releases on ResourceQuota objects: one guarded write per batch and quota.

All that waits for one namespace goes through one worker. A write carries the version that was
read; on a conflict the object is read again and the same batch decided anew. Because each write
also counts the pods afresh, a missed event costs nothing but time (design.md 3).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

import msgspec

from hami_admission.cluster import events, quotas
from hami_admission.kube import errors, paths
from hami_admission.kube.client import MERGE_PATCH
from hami_admission.quota import ledger, limits
from hami_admission.wire import quotas as wire_quotas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hami_admission.cluster.state import Cluster
    from hami_admission.model.pod import Pod
    from hami_admission.model.quota import Quota
    from hami_admission.quota.ledger import Claim, Refusal

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.05
"""How long releases wait for more of their kind; charges do not wait."""

RETRY_SECONDS = 1.0
"""After a write that failed for a reason outside, when nobody waits for it."""


class Api(Protocol):
    """What charging needs of the API server."""

    async def request(
        self, method: str, path: str, body: bytes | None = None, *, content_type: str = ...
    ) -> bytes: ...


class _Waiting:
    """A claim that waits to be written, and who waits for it."""

    def __init__(self, pod: Pod, claim: Claim) -> None:
        self.pod = pod
        self.claim = claim
        self.answer: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()

    def settle(self, refusal: Refusal | None) -> None:
        if not self.answer.done():
            self.answer.set_result(refusal)


class Charging:
    """The ledger's writer. ``start`` makes a task; all tasks end with the process."""

    def __init__(
        self, cluster: Cluster, api: Api, clock: Callable[[], float], tasks: asyncio.TaskGroup
    ) -> None:
        self._cluster = cluster
        self._api = api
        self._clock = clock
        self._tasks = tasks
        self._waiting: defaultdict[str, list[_Waiting]] = defaultdict(list)
        self._touched: set[str] = set()
        self._serving: set[str] = set()
        self._gone: defaultdict[str, set[str]] = defaultdict(set)

    async def charge(self, pod: Pod, claim: Claim, *, dry_run: bool = False) -> Refusal | None:
        """Charge the claim to all quotas that count the pod, or to none; None: it is charged.

        Returns when the charge is written. A dry run is judged and not written. Raises ApiError.
        """
        applying = self._cluster.quotas.applying(pod)
        if not applying:
            return None
        if dry_run:
            return _first_refusal(applying, claim)
        waiting = _Waiting(pod, claim)
        self._waiting[pod.namespace].append(waiting)
        self._wake(pod.namespace)
        return await waiting.answer

    def touch(self, namespaces: Iterable[str]) -> None:
        """Pods or quotas of these namespaces changed: count again, write if it differs."""
        for namespace in namespaces:
            if self._cluster.quotas.of(namespace):
                self._touched.add(namespace)
                self._wake(namespace)

    def forget(self, namespace: str, uids: Iterable[str]) -> None:
        """These holds have no pod; they were looked for."""
        self._gone[namespace].update(uids)
        self.touch([namespace])

    def _wake(self, namespace: str) -> None:
        if namespace not in self._serving:
            self._serving.add(namespace)
            self._tasks.create_task(self._serve(namespace))

    async def _serve(self, namespace: str) -> None:
        try:
            while self._waiting[namespace] or namespace in self._touched:
                if self._cluster.missing():
                    return
                if not self._waiting[namespace]:
                    await asyncio.sleep(GATHER_SECONDS)
                self._touched.discard(namespace)
                batch = self._waiting.pop(namespace, [])
                await self._batch(namespace, [each for each in batch if not each.answer.done()])
        finally:
            self._serving.discard(namespace)
            if not self._waiting.get(namespace):
                self._waiting.pop(namespace, None)

    async def _batch(self, namespace: str, batch: list[_Waiting]) -> None:
        try:
            await self._all_quotas(namespace, batch)
        except errors.ApiError as error:
            log.warning("quota not written", extra={"namespace": namespace, "error": str(error)})
            for each in batch:
                if not each.answer.done():
                    each.answer.set_exception(error)
            if not batch:
                self._touched.add(namespace)
                await asyncio.sleep(RETRY_SECONDS)
        except Exception as error:  # one namespace must not end the ledger of all others
            log.exception("quota not decided", extra={"namespace": namespace})
            for each in batch:
                if not each.answer.done():
                    each.answer.set_exception(error)

    async def _all_quotas(self, namespace: str, batch: list[_Waiting]) -> None:
        """Charge in name order; what a later quota refuses is taken back from the earlier."""
        gone = frozenset(self._gone.pop(namespace, ()))
        written: list[str] = []
        entering = batch
        for name in [quota.name for quota in self._cluster.quotas.of(namespace)]:
            refused = await self._write(namespace, name, entering, gone)
            if refused:
                taken_back = frozenset(each.claim.uid for each in refused)
                for earlier in written:
                    await self._write(namespace, earlier, [], gone | taken_back)
            for each, refusal in refused.items():
                each.settle(refusal)
            entering = [each for each in entering if each not in refused]
            written.append(name)
        for each in entering:
            each.settle(None)

    async def _write(
        self, namespace: str, name: str, batch: list[_Waiting], gone: frozenset[str]
    ) -> dict[_Waiting, Refusal]:
        """One guarded write; gives who was refused. A refusal is made on a fresh reading only."""
        fresh = False
        while (quota := self._cluster.quotas.get(namespace, name)) is not None:
            decided, refused = self._decide(quota, batch, gone)
            try:
                if refused and not fresh:
                    await self._read(namespace, name)
                    fresh = True
                    continue
                if decided.used != quota.used or decided.holds != quota.holds:
                    body = await self._api.request(
                        "PATCH",
                        paths.quota_status(namespace, name),
                        wire_quotas.patch(decided),
                        content_type=MERGE_PATCH,
                    )
                    self._seen(body)
            except errors.Conflict:
                await self._read(namespace, name)
                fresh = True
                continue
            except errors.NotFound:
                break
            return refused
        self._cluster.apply(events.QuotaGone(namespace, name), self._clock())
        return {}

    def _decide(
        self, quota: Quota, batch: list[_Waiting], gone: frozenset[str]
    ) -> tuple[Quota, dict[_Waiting, Refusal]]:
        decided = ledger.reconcile(quota, self._cluster.counted(quota), gone)
        refused: dict[_Waiting, Refusal] = {}
        for each in batch:
            if not limits.applies(quota, each.pod):
                continue
            found = ledger.charge(decided, quotas.claim(quota, each.claim))
            if isinstance(found, ledger.Refusal):
                refused[each] = found
            else:
                decided = found
        return decided, refused

    async def _read(self, namespace: str, name: str) -> None:
        self._seen(await self._api.request("GET", paths.quota(namespace, name)))

    def _seen(self, body: bytes) -> None:
        quota = wire_quotas.decode(msgspec.Raw(body))
        self._cluster.apply(events.QuotaSeen(quota), self._clock())


def _first_refusal(applying: list[Quota], claim: Claim) -> Refusal | None:
    for quota in applying:
        found = ledger.charge(quota, quotas.claim(quota, claim))
        if isinstance(found, ledger.Refusal):
            return found
    return None
