"""POST /mutate and /validate: a review in, a verdict out."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec

from hami_admission.admission import admit, changes
from hami_admission.cluster import admitted, records
from hami_admission.control import probes
from hami_admission.control.http import Reply, later
from hami_admission.kube import errors
from hami_admission.model.verdict import Objection, sentence
from hami_admission.wire import names, reviews

if TYPE_CHECKING:
    from collections.abc import Callable

    from hami_admission.admission.admit import Decision
    from hami_admission.cluster.state import Cluster
    from hami_admission.control.charging import Charging
    from hami_admission.model.pod import Pod
    from hami_admission.quota.ledger import Claim, Refusal
    from hami_admission.wire.reviews import Review

log = logging.getLogger(__name__)


SILENT_SECONDS = 1.0
"""Without any answer of the API server, after which another replica should be asked: there is time
for that before the review is over."""


LOOKS_SECONDS = (1.0, 0.25, 0.25, 0.25)
"""Between looks whether it is silent, as long as there is time for another replica."""


SENDING_SECONDS = 0.2
"""What a body may take of the webhooks' timeout before there is less of it for the quota."""


ALLOWED, OBJECTION, QUOTA, LATER = "allowed", "objection", "quota", "later"
"""What became of a review: the pod may go on, is not as it must be, its namespace has no room, or
the question is to be asked again."""


NAMELESS = Objection(
    "metadata.uid", "''", "the API server gives a pod its uid before it asks; nothing is charged"
)
"""A review that the API server has not sent: a charge is known by the uid of its pod."""


class Silent(Exception):
    """The API server does not answer this replica; ``again``: seconds until another is asked.

    A review that has waited goes on at once. One that meets a known silence goes on in a second:
    until our probe fails it may come back here, and so it has three turns in its time.
    """

    def __init__(self, again: int) -> None:
        super().__init__()
        self.again = again


class Webhook:
    """Answers reviews from the cluster's state; charges quotas in the validating call."""

    def __init__(self, cluster: Cluster, charging: Charging, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._charging = charging
        self._clock = clock
        self.verdicts = dict.fromkeys((ALLOWED, OBJECTION, QUOTA, LATER), 0)
        """How often each was said, of both routes."""

    @property
    def seconds(self) -> float:
        """From a review's head to its answer, its body included."""
        return self._cluster.settings.review_seconds + SENDING_SECONDS

    async def mutate(self, body: bytes) -> Reply:
        """What has to change in the pod. Any replica answers at any time: before it has seen all,
        it does not note what the pod is charged."""
        review = reviews.decode(body)
        if review.pod is None:
            return self._without_pod(review)
        if misnamed := _misnamed(review.pod):
            return self._refuse(review, review.pod, OBJECTION, sentence(misnamed))
        decision = self._cluster.admit(review.pod)
        if decision.objections:
            return self._refuse(review, review.pod, OBJECTION, sentence(decision.objections))
        noted = admitted.notes(self._cluster, review.pod, decision)
        patch = changes.operations(changes.noting(decision.changes, noted, review.pod))
        return self._allow(reviews.allow(review, patch, decision.warnings))

    async def validate(self, body: bytes) -> Reply:
        """Is the pod as it must be, and does its namespace have room? If so it is charged."""
        found = self._judged(reviews.decode(body))
        return found if isinstance(found, Reply) else await self._charge(*found)

    def _judged(self, review: Review) -> Reply | tuple[Review, Pod, Decision]:
        """The answer, or what is to be charged: without all that a user can make large, for others
        have their turn while the quota is written."""
        pod = review.pod
        if pod is None:
            return self._without_pod(review)
        if misnamed := _misnamed(pod):
            return self._refuse(review, pod, OBJECTION, sentence(misnamed))
        decision = self._cluster.admit(pod)
        objections = decision.objections
        if not objections and (undone := admit.undone(decision)):
            objections = (undone,)
        if objections:
            return self._refuse(review, pod, OBJECTION, sentence(objections))
        if decision.untouched:
            return self._allow(reviews.allow(review, warnings=decision.warnings))
        review = msgspec.structs.replace(review, pod=None)
        return review, records.bare(pod, self._cluster.vendors), decision

    async def _charge(self, review: Review, pod: Pod, decision: Decision) -> Reply:
        if not pod.uid:
            return self._refuse(review, pod, OBJECTION, sentence((NAMELESS,)))
        missing = self._cluster.missing()
        if missing:
            text = (
                f"hami-admission is starting and has not seen all {', '.join(missing)}; try again"
            )
            return self._later(reviews.deny(review, text, code=503))
        if admitted.overtaken(self._cluster, pod, decision):
            text = f"the cards have changed while pod {pod.name} was created; try again"
            return self._later(reviews.deny(review, text, code=429))
        claim = self._cluster.claim(pod, decision, self._clock())
        try:
            refusal = await self._refusal(review, pod, claim)
        except Silent as silent:
            self.verdicts[LATER] += 1
            return later("the API server does not answer this replica", silent.again)
        except TimeoutError:
            text = f"the quota of namespace {pod.namespace} could not be written in time; try again"
            if in_flight := self._charging.crowded(pod.namespace):
                text = (
                    f"{in_flight} charges of namespace {pod.namespace} are in flight, and there is"
                    " no room for one more until some of their pods were seen; try again"
                )
            return self._later(reviews.deny(review, text, code=429))
        except errors.ApiError as error:
            text = (
                f"the quota of namespace {pod.namespace} could not be written ({error}); try again"
            )
            return self._later(reviews.deny(review, text, code=503))
        if refusal is not None:
            return self._refuse(review, pod, QUOTA, str(refusal))
        log.info("admitted", extra={"pod": pod.key, "uid": pod.uid, "dry_run": review.dry_run})
        return self._allow(reviews.allow(review, warnings=decision.warnings))

    async def _refusal(self, review: Review, pod: Pod, claim: Claim) -> Refusal | None:
        if review.dry_run:
            return self._charging.judge(pod, claim)
        if self._known_silent():
            raise Silent(again=1)
        charge = asyncio.create_task(self._charging.charge(pod, claim))
        try:
            async with asyncio.timeout(self._cluster.settings.review_seconds):
                return await self._heard(charge)
        finally:
            charge.cancel()

    async def _heard(self, charge: asyncio.Task[Refusal | None]) -> Refusal | None:
        for seconds in LOOKS_SECONDS:
            await asyncio.wait({charge}, timeout=seconds)
            if not charge.done() and self._charging.silent_for(SILENT_SECONDS):
                raise Silent(again=0)
        return await charge

    def _known_silent(self) -> bool:
        """Only while a question is on its way: without one nobody would hear that it is over. Once
        our probe fails, whoever is still sent here may have no other replica, and waits."""
        charging = self._charging
        return (
            charging.asking()
            and charging.silent_for(SILENT_SECONDS)
            and not charging.silent_for(probes.SILENT_SECONDS)
        )

    def _without_pod(self, review: Review) -> Reply:
        """About something else; or of a pod that we do not look at, which its user is told."""
        if not review.mistake:
            return self._allow(reviews.allow(review))
        self.verdicts[OBJECTION] += 1
        return Reply(reviews.deny(review, review.mistake))

    def _allow(self, body: bytes) -> Reply:
        self.verdicts[ALLOWED] += 1
        return Reply(body)

    def _later(self, body: bytes) -> Reply:
        self.verdicts[LATER] += 1
        return Reply(body)

    def _refuse(self, review: Review, pod: Pod, verdict: str, message: str) -> Reply:
        self.verdicts[verdict] += 1
        log.info("refused", extra={"pod": pod.key, "reason": message})
        return Reply(reviews.deny(review, message))


def _misnamed(pod: Pod) -> tuple[Objection, ...]:
    """A review comes before the API server looks at names, or from somebody who made it up."""
    if not names.is_namespace(pod.namespace):
        advice = (
            "the name of a namespace is made of lower-case letters, digits and '-', 63 characters"
            " at most, the first and the last of them no '-'"
        )
        return (Objection("metadata.namespace", repr(pod.namespace[:60]), advice),)
    if not names.is_prefix(pod.name):
        advice = (
            "the name of a pod is made of lower-case letters, digits, '-' and '.', 253 characters"
            " at most; each part between dots begins and ends with a letter or digit"
        )
        return (Objection("metadata.name", repr(pod.name[:60]), advice),)
    return ()
