"""Which pod is the kubelet asking for?

Its questions name device ids and never a pod (device plugin v1beta1). But it takes pods in as its
watch shows them, one container after the other, init containers first; so of the pods that were
bound here and not taken in yet, the question is for the first that still needs so many cards. That
is a good guess, not more: two pods may be shown to two watches in different batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class Need(msgspec.Struct, frozen=True):
    """A container, and the uuids of the cards that its pod's annotation gives it."""

    container: str
    cards: tuple[str, ...]
    controlled: bool = True
    """Is the isolation library loaded into its programs?"""


class Asked(msgspec.Struct, frozen=True):
    """The container that a question is for."""

    uid: str
    need: Need


class Admissions:
    """Pods that were bound, in the order in which they were seen, with what was not asked yet."""

    def __init__(self) -> None:
        self._needs: dict[str, list[Need]] = {}

    def __len__(self) -> int:
        return len(self._needs)

    def bound(self, uid: str, needs: Sequence[Need]) -> None:
        """A pod that the kubelet has not taken in; told again it changes nothing."""
        if uid not in self._needs:
            self._needs[uid] = [need for need in needs if need.cards]

    def gone(self, uid: str) -> None:
        """The kubelet has taken it in, or it is no more."""
        self._needs.pop(uid, None)

    def next(self, count: int) -> Asked | None:
        """Who may need so many cards now."""
        for uid, needs in self._needs.items():
            if needs and len(needs[0].cards) == count:
                return Asked(uid, needs[0])
        return None

    def controlled(self, count: int) -> bool:
        """Is the library to be loaded for who is given so many cards? A guess will not do here: it
        is, unless nobody whose turn it may be wants it."""
        turns = [needs[0] for needs in self._needs.values() if needs]
        able = [need for need in turns if len(need.cards) == count]
        return not able or any(need.controlled for need in able)

    def given(self, cards: Collection[str]) -> Asked | None:
        """These cards were given to somebody: to who has just them annotated, if there is such."""
        chosen = set(cards)
        exact = (
            Asked(uid, needs[0])
            for uid, needs in self._needs.items()
            if needs and set(needs[0].cards) == chosen
        )
        found = next(exact, None) or self.next(len(chosen))
        if found is not None:
            self._needs[found.uid].remove(found.need)
        return found
