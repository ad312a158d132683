"""What a ledger shows and nobody can explain: neither a pod that came or went, nor a hold's end.

Somebody edited the status by hand, or one of us is wrong. It is repaired like any other difference,
by the next count; but then it is told.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hami_admission.quota import ledger
from hami_admission.wire import keys
from hami_admission.wire.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hami_admission.model.quota import Quota


def _unheard(_: Notice) -> None:
    """Where nobody listens."""


class Surprises:
    """Knows in which namespaces pods have changed since they were counted last.

    ``tell`` is given a notice of each repair; ``repairs`` counts them.
    """

    def __init__(self, tell: Callable[[Notice], None] = _unheard) -> None:
        self._tell = tell
        self._moves: Counter[str] = Counter()
        self.repairs = 0

    def moved(self, namespaces: Iterable[str]) -> None:
        """Pods of these have changed: the next difference is no surprise."""
        self._moves.update(namespaces)

    def mark(self, namespace: str) -> int:
        """How many changes there were before a count; for ``counted``."""
        return self._moves[namespace]

    def counted(self, namespace: str, mark: int) -> None:
        """All quotas of the namespace were counted, with the changes up to the mark."""
        if self._moves[namespace] == mark:
            del self._moves[namespace]

    def of(self, quota: Quota, counted: Quota) -> str:
        """What the count changes that nobody can explain, in words; mostly nothing."""
        if self._moves[quota.namespace]:
            return ""
        return ", ".join(
            f"{keys.QUOTA_PREFIX}{name} {shown}, which is {right}"
            for name, (shown, right) in sorted(ledger.drift(quota, counted).items())
        )

    def repaired(self, quota: Quota, what: str) -> None:
        """The count was written."""
        self.repairs += 1
        message = f"status.used was not what the pods of the namespace take: {what}; repaired"
        self._tell(
            Notice(
                *(quota.namespace, quota.name, quota.uid, "QuotaRepaired", message, "Warning"),
                about="ResourceQuota",
            )
        )
