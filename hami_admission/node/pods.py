"""A pod of this node as the agent reads it: which cards each container has by its annotation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.instance import Place
from hami_admission.node.admissions import Need
from hami_admission.node.usage import Instance, Owner
from hami_admission.wire import grants, keys, pods, reservations
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hami_admission.model.grant import PodGrants
    from hami_admission.model.pod import Container, Pod
    from hami_admission.wire.reservations import Reserved


class OwnPod(msgspec.Struct, frozen=True):
    """``needs`` has an entry for each container with cards, in the kubelet's order.

    ``asks`` is whether the kubelet has still to ask for its devices.
    """

    uid: str
    namespace: str
    name: str
    needs: tuple[Need, ...]
    asks: bool
    ended: bool
    places: tuple[Place, ...] = ()
    """Where it has MIG instances."""
    instances: tuple[Instance, ...] = ()
    """Those of them that its containers see."""

    def cards(self, container: str) -> frozenset[str]:
        """The uuids that a container has annotated."""
        return frozenset(
            uuid for need in self.needs if need.container == container for uuid in need.cards
        )

    @property
    def every_card(self) -> frozenset[str]:
        """The uuids that any of its containers has annotated."""
        return frozenset(uuid for need in self.needs for uuid in need.cards)


def _controlled(container: Container) -> bool:
    """Unless its user says no (facts/node.md 1.10)."""
    values = {env.name: env.value for env in container.env or ()}
    return (values.get(keys.CUDA_DISABLE_CONTROL) or "").lower() != "true"


def read(body: bytes | msgspec.Raw) -> OwnPod:
    """One Pod object; raises Malformed. An annotation that is damaged gives nothing."""
    pod = pods.decode(body)
    reserved = _reserved(pod.annotations.get(keys.NVIDIA_MIG, ""))
    needs = tuple(
        Need(container.name, tuple(grant.uuid for grant in slot), _controlled(container))
        for container, slot in zip(pod.containers, _given(pod), strict=False)
        if slot
    )
    return OwnPod(
        pod.uid,
        pod.namespace,
        pod.name,
        needs,
        asks=not (pod.started or pod.ended or pod.leaving),
        ended=pod.ended,
        places=tuple(each.place for each in reserved),
        instances=tuple(_instances(pod, reserved)),
    )


def _given(pod: Pod) -> PodGrants:
    try:
        return grants.decode(pod.annotations.get(keys.NVIDIA_ALLOCATED, ""))
    except Malformed:
        return ()


def _reserved(text: str) -> tuple[Reserved, ...]:
    try:
        return reservations.read(text)
    except Malformed:
        return ()


def _instances(pod: Pod, reserved: Iterable[Reserved]) -> Iterator[Instance]:
    for each in reserved:
        made = each.instance
        if made is not None and 0 <= each.container < len(pod.containers):
            name = pod.containers[each.container].name
            yield Instance(
                owner=Owner(pod.namespace, pod.name, pod.uid, name),
                position=each.device,
                uuid=made.place.card,
                mig_uuid=made.uuid,
                profile=made.place.profile,
                gpu_instance=made.gpu_instance,
                compute_instance=made.compute_instance,
            )
