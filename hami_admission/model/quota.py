"""Quota: what one ResourceQuota object allows, has given out, and holds for pods not yet seen."""

from __future__ import annotations

import msgspec

from hami_admission.model.amounts import Amounts


class Hold(msgspec.Struct, frozen=True):
    """Amounts (by resource name) kept for pod ``pod`` until unix second ``until``.

    It lives from the charge until the pod is seen, and from the settlement of a bind until the
    bound pod is seen. Where the price of a pod depends on the card that it will get, it lives until
    the pod is bound, and has no other end once the pod was seen.
    """

    pod: str
    until: int
    amounts: Amounts[str]


class ScopeTerm(msgspec.Struct, frozen=True):
    """One condition under which a quota applies to a pod, as Kubernetes writes it."""

    scope: str
    operator: str = "Exists"
    values: tuple[str, ...] = ()


class Quota(msgspec.Struct, frozen=True):
    """One ResourceQuota; ``hard`` and ``used`` by resource name (without ``limits.``).

    ``used`` has a key only where the object's status has one; ``version`` is the object's
    resourceVersion. ``counted`` is the version of the pods that ``used`` was counted from: who has
    seen less than that must not count (0: nobody has counted). ``foreign`` is how many bytes the
    annotations have that are not ours, ``shared`` whether it limits what Kubernetes counts, too.
    """

    namespace: str
    name: str
    uid: str
    version: str
    hard: dict[str, int]
    used: dict[str, int] = {}
    holds: dict[str, Hold] = {}
    scopes: tuple[ScopeTerm, ...] = ()
    counted: int = 0
    foreign: int = 0
    shared: bool = False

    @property
    def copied(self) -> bool:
        """Came its mark of a count with a copy, from another cluster or a backup?

        A mark of our own is a version of before the quota's own, which writing the mark made.
        """
        return self.version.isdecimal() and self.counted > int(self.version)
