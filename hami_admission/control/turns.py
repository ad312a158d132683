"""Claims that wait to be written, and whose turn it is: the holds of a quota have so many bytes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from hami_admission.quota.ledger import Refusal
from hami_admission.wire import quotas as wire_quotas

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hami_admission.model.pod import Pod
    from hami_admission.model.quota import Quota
    from hami_admission.quota.ledger import Claim


class Waiting:
    """A claim that waits to be written, and who waits for it."""

    def __init__(self, pod: Pod, claim: Claim, *, binds: bool) -> None:
        self.pod = pod
        self.claim = claim
        self.binds = binds
        self.since = time.monotonic()
        self.answer: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()

    @property
    def failed(self) -> bool:
        """Did it give up, or get an error?"""
        done = self.answer.done()
        return done and (self.answer.cancelled() or self.answer.exception() is not None)

    def settle(self, refusal: Refusal | None) -> None:
        if not self.answer.done():
            self.answer.set_result(refusal)


def divide(
    waiting: Iterable[Waiting], quotas: Sequence[Quota]
) -> tuple[list[Waiting], list[Waiting]]:
    """Who is written now, in the order of their coming, and who waits for room.

    Nobody goes past another; who can never have room, for others have filled the annotations, is
    told so, and holds up nobody.
    """
    room = min(map(wire_quotas.room, quotas), default=wire_quotas.MOST_HOLDS_BYTES)
    turn: list[Waiting] = []
    later: list[Waiting] = []
    for each in waiting:
        if each.answer.done():
            continue
        size = wire_quotas.size(each.claim.uid, each.claim.hold)
        if (refusal := _never(size, quotas)) is not None:
            each.settle(refusal)
        elif later or size > room:
            later.append(each)
        else:
            room -= size
            turn.append(each)
    return turn, later


def _never(size: int, quotas: Iterable[Quota]) -> Refusal | None:
    for quota in quotas:
        if size > wire_quotas.most(quota):
            return Refusal(
                f"quota {quota.name} has no room to note a charge of {size} bytes: its other"
                f" annotations have {quota.foreign} of {wire_quotas.MOST_BYTES} bytes; take some"
                " of those away"
            )
    return None
