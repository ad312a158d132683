"""Charges and releases on ResourceQuota objects: one guarded write per batch and quota.

All that waits for one namespace goes through one worker. A write carries the version that was
read; on a conflict the object is read again and the same batch decided anew. So any replica may
charge. A write also counts the pods afresh, if this replica has seen all pods that the ledger
counts already; so a missed event costs nothing but time (design.md 3). Writes that only count are
made by the leader: all could, but one is enough.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

import msgspec

from hami_admission.cluster import events
from hami_admission.control import turns
from hami_admission.control.turns import Waiting
from hami_admission.kube import errors, paths
from hami_admission.kube.client import MERGE_PATCH
from hami_admission.quota import ledger, limits
from hami_admission.wire import quotas as wire_quotas

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from hami_admission.cluster.state import Cluster
    from hami_admission.control.surprises import Surprises
    from hami_admission.model.pod import Pod
    from hami_admission.model.quota import Quota
    from hami_admission.quota.ledger import Claim, Refusal

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.05
"""How long releases wait for more of their kind; charges do not wait."""

TURNS, MOST_POLITE_SECONDS, RIVAL_SECONDS = 3, 0.5, 5.0
"""Where other replicas write as well, we wait as long as so many writes take, before one more of
ours; but no claim waits longer than so many seconds for that. That is so while the last conflict is
so many seconds ago."""

HOLDS_TURNS = 20
"""Gatherings after which holds of seen pods are taken off, if nothing else was to be written."""

AGAIN_SECONDS = 0.1
"""After a write that failed for a reason that passes, while somebody waits for it."""

RETRY_SECONDS = 1.0
"""After a write that failed for a reason outside, when nobody waits for it."""


class Api(Protocol):
    """What charging needs of the API server."""

    async def request(
        self, method: str, path: str, body: bytes | None = None, *, content_type: str = ...
    ) -> bytes: ...


class _Rivals:
    """When another replica was faster last, and how long a write takes."""

    def __init__(self, since: float, seconds: float) -> None:
        self.since = since
        self.seconds = seconds


class Charging:
    """The ledger's writer. ``start`` makes a task; all tasks end with the process."""

    def __init__(
        self,
        cluster: Cluster,
        api: Api,
        clock: Callable[[], float],
        tasks: asyncio.TaskGroup,
        leads: Callable[[], bool],
        surprises: Surprises,
    ) -> None:
        self._cluster = cluster
        self._leads = leads
        self._surprises = surprises
        self._api = api
        self._clock = clock
        self._tasks = tasks
        self._waiting: defaultdict[str, list[Waiting]] = defaultdict(list)
        self._touched: set[str] = set()
        self._serving: set[str] = set()
        self._gone: defaultdict[str, set[str]] = defaultdict(set)
        self._crowded: dict[str, int] = {}
        self._rivals: dict[str, _Rivals] = {}
        self._begun, self._answered, self._asking = 0.0, 0.0, 0

    async def charge(self, pod: Pod, claim: Claim, *, binds: bool = False) -> Refusal | None:
        """Charge the claim to all quotas that count the pod, or to none; None: it is charged.

        Returns when the charge is written; ``binds``: for a pod that exists. Raises ApiError.
        Whoever gives up waiting is not charged in the end.
        """
        if not self._cluster.quotas.applying(pod):
            return None
        waiting = Waiting(pod, claim, binds=binds)
        self._waiting[pod.namespace].append(waiting)
        self._wake(pod.namespace)
        try:
            return await waiting.answer
        except asyncio.CancelledError:
            # Whoever asks another replica now will be charged under the same uid.
            waiting.binds = waiting.binds or self.silent_for(0.9)
            raise

    def silent_for(self, seconds: float) -> bool:
        """Has the API server answered nothing for so long, while it was being asked?"""
        return self._begun > self._answered and time.monotonic() - self._begun >= seconds

    def asking(self) -> bool:
        """Is a question on its way to the API server? Whoever waits for it, hears of its end."""
        return self._asking > 0

    def judge(self, pod: Pod, claim: Claim) -> Refusal | None:
        """What charging would answer now, by what was read last: for a dry run."""
        return _first_refusal(self._cluster.quotas.applying(pod), claim)

    def touch(self, namespaces: Collection[str], *, moved: bool) -> None:
        """Count these namespaces again, write if it differs; ``moved``: their pods have changed."""
        counted = [each for each in namespaces if self._cluster.quotas.of(each)]
        if moved:
            self._surprises.moved(counted)
        for namespace in counted if self._leads() else ():
            self._touched.add(namespace)
            self._wake(namespace)

    def forget(self, namespace: str, uids: Iterable[str]) -> None:
        """These holds have no pod, and will have none."""
        self._gone[namespace].update(uids)
        self._touched.add(namespace)
        self._wake(namespace)

    def _wake(self, namespace: str) -> None:
        if namespace not in self._serving:
            self._serving.add(namespace)
            self._tasks.create_task(self._serve(namespace))

    async def _serve(self, namespace: str) -> None:
        try:
            while self._waiting[namespace] or namespace in self._touched:
                if self._cluster.missing():
                    return
                await self._after_others(namespace)
                if not self._waiting[namespace]:
                    await self._gather(namespace)
                batch = self._next(namespace)
                if self._waiting[namespace]:
                    await asyncio.sleep(GATHER_SECONDS)
                self._touched.discard(namespace)
                await self._batch(namespace, batch)
        finally:
            self._serving.discard(namespace)
            if not self._waiting.get(namespace):
                self._waiting.pop(namespace, None)
                self._crowded.pop(namespace, None)

    async def _after_others(self, namespace: str) -> None:
        """Where others write as well, each lets them between two writes of its own.

        Who lost a race tries again at once; so nobody loses for long, and there are more claims in
        one write. Of a quota that Kubernetes counts too, the API server is such another: it tries
        three times, and then the pod is refused, whatever it asks for.
        """
        rivals, now = self._rivals.get(namespace), time.monotonic()
        if rivals is None or now - rivals.since >= RIVAL_SECONDS:
            return
        oldest = min((each.since for each in self._waiting[namespace]), default=now)
        await asyncio.sleep(min(TURNS * rivals.seconds, MOST_POLITE_SECONDS - (now - oldest)))

    async def _gather(self, namespace: str) -> None:
        """Let more come together; what changes nothing but holds can wait for a claim."""
        for _ in range(HOLDS_TURNS):
            await asyncio.sleep(GATHER_SECONDS)
            if self._waiting[namespace] or self._gone.get(namespace) or self.differs(namespace):
                return

    def differs(self, namespace: str) -> bool:
        """Is what a quota shows not what the pods say?"""
        return any(
            self._counted(quota, frozenset()).used != quota.used
            for quota in self._cluster.quotas.of(namespace)
        )

    def _next(self, namespace: str) -> list[Waiting]:
        """Whose turn it is: all, or as many as there is room for."""
        quotas = self._cluster.quotas.of(namespace)
        turn, later = turns.divide(self._waiting[namespace], quotas)
        self._waiting[namespace] = later
        self._crowded.pop(namespace, None)
        if later:
            self._crowded[namespace] = max((len(quota.holds) for quota in quotas), default=0)
        return turn

    def crowded(self, namespace: str) -> int:
        """How many charges are in flight where one more has no room beside them; else 0."""
        return self._crowded.get(namespace, 0)

    async def _batch(self, namespace: str, batch: list[Waiting]) -> None:
        gone = frozenset(self._gone.pop(namespace, ()))
        mark = self._surprises.mark(namespace)
        try:
            await self._all_quotas(namespace, batch, gone)
            if all(map(self._cluster.quotas.may_count, self._cluster.quotas.of(namespace))):
                self._surprises.counted(namespace, mark)
        except Exception as error:  # one namespace must not end the ledger of all others
            self._gone[namespace].update(gone)
            if isinstance(error, errors.ApiError):
                fields = {"namespace": namespace, "error": str(error)}
                log.warning("quota not written", extra=fields)
            else:
                log.exception("quota not decided", extra={"namespace": namespace})
            for each in batch:
                if not each.answer.done():
                    each.answer.set_exception(error)
            if not batch:
                self._touched.add(namespace)
                await asyncio.sleep(RETRY_SECONDS)
        self._take_back(namespace, batch)

    def _take_back(self, namespace: str, batch: list[Waiting]) -> None:
        """Whoever gave up, or was told an error, enters with no pod: what was written for it ends.

        A bind that failed is another matter: there is a pod, and its hold falls back when it is
        late.
        """
        uids = [
            each.claim.uid
            for each in batch
            if each.failed and self._cluster.pod(each.claim.uid) is None and not each.binds
        ]
        if uids:
            self.forget(namespace, uids)

    async def _all_quotas(self, namespace: str, batch: list[Waiting], gone: frozenset[str]) -> None:
        """Charge in name order; what a later quota refuses is taken back from the earlier."""
        written: list[str] = []
        entering = batch
        for name in [quota.name for quota in self._cluster.quotas.of(namespace)]:
            refused = await self._write(namespace, name, entering, gone)
            if taken_back := frozenset(each.claim.uid for each in refused):
                for earlier in written:
                    await self._write(namespace, earlier, [], gone | taken_back)
            for each, refusal in refused.items():
                each.settle(refusal)
            entering = [each for each in entering if each not in refused]
            written.append(name)
        for each in entering:
            each.settle(None)

    async def _write(
        self, namespace: str, name: str, batch: list[Waiting], gone: frozenset[str]
    ) -> dict[Waiting, Refusal]:
        """One guarded write; gives who was refused. A refusal is made on a fresh reading only.

        A write without an answer is tried again while somebody waits: if it was made, it is found.
        """
        fresh = False
        while (quota := self._cluster.quotas.get(namespace, name)) is not None:
            try:
                refused = await self._written(quota, batch, gone, fresh=fresh)
                if refused is not None:
                    return refused
                # What won a race may have been seen already: then there is nothing to ask for.
                fresh = self._cluster.quotas.get(namespace, name) is quota
                if fresh:
                    await self._read(namespace, name)
            except errors.NotFound:
                break
            except errors.ApiError as error:
                if not error.passing or all(each.answer.done() for each in batch):
                    raise
                await asyncio.sleep(AGAIN_SECONDS)
                fresh = False
        self._cluster.apply(events.QuotaGone(namespace, name), self._clock())
        self._rivals.pop(namespace, None)
        return {}

    async def _written(
        self, quota: Quota, batch: list[Waiting], gone: frozenset[str], *, fresh: bool
    ) -> dict[Waiting, Refusal] | None:
        """Who was refused, once the others are written; None: read the quota again first."""
        counted = self._counted(quota, gone)
        decided, refused = self._decide(counted, batch)
        if refused and not fresh:
            return None
        if decided.used == quota.used and decided.holds == quota.holds:
            return refused
        surprise = "" if gone else self._surprises.of(quota, counted)
        path = paths.quota_status(quota.namespace, quota.name)
        body = wire_quotas.patch(decided)
        begun = time.monotonic()
        try:
            written = await self._ask("PATCH", path, body)
        except errors.Conflict:
            now = time.monotonic()
            self._rivals[quota.namespace] = _Rivals(now, now - begun)
            return None
        self._seen(written)
        if surprise:
            self._surprises.repaired(quota, surprise)
        now = time.monotonic()
        if (rivals := self._rivals.get(quota.namespace)) is not None:
            rivals.seconds = now - begun
        if quota.shared:
            self._rivals[quota.namespace] = _Rivals(now, now - begun)
        return refused

    def _decide(self, decided: Quota, batch: list[Waiting]) -> tuple[Quota, dict[Waiting, Refusal]]:
        refused: dict[Waiting, Refusal] = {}
        for each in batch:
            if not limits.applies(decided, each.pod):
                continue
            found = ledger.charge(decided, each.claim)
            if isinstance(found, ledger.Refusal):
                refused[each] = found
            else:
                decided = found
        return decided, refused

    def _counted(self, quota: Quota, gone: frozenset[str]) -> Quota:
        """The quota without what is gone; as the pods say, if we have seen them all."""
        known = self._cluster.quotas
        counts = self._cluster.counts(quota)
        gone |= known.ended(quota)
        if not known.may_count(quota):
            return ledger.drop(quota, gone, counts.held)
        return known.stamped(ledger.reconcile(quota, counts, gone))

    async def _read(self, namespace: str, name: str) -> None:
        self._seen(await self._ask("GET", paths.quota(namespace, name), None))

    async def _ask(self, method: str, path: str, body: bytes | None) -> bytes:
        if self._begun <= self._answered:
            self._begun = time.monotonic()
        self._asking += 1
        try:
            answer = await self._api.request(method, path, body, content_type=MERGE_PATCH)
        except errors.ApiError as error:
            if error.status:
                self._answered = time.monotonic()
            raise
        finally:
            self._asking -= 1
        self._answered = time.monotonic()
        return answer

    def _seen(self, body: bytes) -> None:
        quota = wire_quotas.decode(msgspec.Raw(body))
        self._cluster.apply(events.QuotaSeen(quota), self._clock())


def _first_refusal(applying: list[Quota], claim: Claim) -> Refusal | None:
    for quota in applying:
        found = ledger.charge(quota, claim)
        if isinstance(found, ledger.Refusal):
            return found
    return None
