"""May a container with cards by the kubelet's word start? The annotations of its pod decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from hami_admission.node.options import Decides
    from hami_admission.node.pods import OwnPod


class OtherCards(msgspec.Struct, frozen=True):
    """The container would see cards, by uuid, on which it was not placed."""

    container: str
    given: tuple[str, ...]
    annotated: tuple[str, ...]


class NotPlaced(msgspec.Struct, frozen=True):
    """Nobody of ours placed the pod: what the container would see is counted nowhere."""

    container: str


Objection = OtherCards | NotPlaced


def objection(
    pod: OwnPod, container: str, given: frozenset[str], decides: Decides
) -> Objection | None:
    """``given`` are the uuids of the cards whose devices the kubelet gave the container.

    A pod with cards on any container was placed: entries of older versions of HAMi are not one for
    each container. Where the environment decides, devices are no more than a count.
    """
    if not pod.every_card:
        return NotPlaced(container)
    annotated = pod.cards(container)
    if decides != "devices" or not annotated or annotated == given:
        return None
    return OtherCards(container, tuple(sorted(given)), tuple(sorted(annotated)))
