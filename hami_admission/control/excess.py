"""Says when more of a card is given out than there is: seen from the pods, whoever bound them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hami_admission.wire.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Callable

    from hami_admission.cluster.state import Cluster
    from hami_admission.model.card import Card

log = logging.getLogger(__name__)

MOST_NAMES = 8


class Excess:
    """Tells of each card once, and again when it has become more or less."""

    def __init__(self, cluster: Cluster, tell: Callable[[Notice], None]) -> None:
        self._cluster = cluster
        self._tell = tell
        self._told: dict[tuple[str, str], str] = {}

    def look(self) -> None:
        """One look."""
        found = {
            (node, card.device.uuid): card
            for node, cards in self._cluster.exceeded().items()
            for card in cards
        }
        for key, card in found.items():
            if self._told.get(key) != card.excess:
                self._say(key[0], card)
        self._told = {key: card.excess for key, card in found.items()}

    def _say(self, node: str, card: Card) -> None:
        uuid = card.device.uuid
        pods = sorted(
            each.pod.key
            for each in self._cluster.records()
            if each.pod.node_name == node
            and any(grant.uuid == uuid for slot in each.grants for grant in slot)
        )
        some = ", ".join(pods[:MOST_NAMES]) + ", …" * (len(pods) > MOST_NAMES)
        fields = {"node": node, "card": uuid, "excess": card.excess, "pods": some}
        log.warning("card exceeded", extra=fields)
        message = (
            f"card {uuid}: {card.excess} given out, to {some}; one of them was bound past"
            " hami-admission, or by two schedulers at once: delete it"
        )
        self._tell(
            Notice("default", node, node, "CardExceeded", message, "Warning", uuid, about="Node")
        )
