"""The pods of our node, by a watch that the API server narrows to them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hami_admission.kube import paths, reflector, watch
from hami_admission.node import pods
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import msgspec

    from hami_admission.kube.client import Client
    from hami_admission.node.admissions import Admissions
    from hami_admission.node.pods import OwnPod

log = logging.getLogger(__name__)


def _nobody() -> None:
    """Where nobody waits for it."""


class Own:
    """Those that have not ended, by uid; who has cards of ours and is new to the kubelet is entered
    for admission."""

    def __init__(self, client: Client, node: str, admissions: Admissions) -> None:
        self._client = client
        self._selector = f"spec.nodeName={node}"
        self._admissions = admissions
        self._pods: dict[str, OwnPod] = {}
        self.listed = False
        self.on_cut: Callable[[], None] = _nobody
        """Called with every change of a pod that has instances of cut cards."""

    def by_name(self, namespace: str, name: str) -> OwnPod | None:
        """The pod of that name, as it was last seen."""
        for pod in reversed(self._pods.values()):  # one of before may not be gone yet
            if (pod.namespace, pod.name) == (namespace, name):
                return pod
        return None

    def all(self) -> Collection[OwnPod]:
        """Those that there are."""
        return self._pods.values()

    def with_card(self, uuid: str) -> list[OwnPod]:
        """Those that have this card."""
        return [pod for pod in self._pods.values() if uuid in pod.every_card]

    async def run(self) -> None:
        """Follow them for ever."""
        seen: set[str] = set()
        following = reflector.Reflector(paths.PODS, self._selector)
        async for signal in watch.signals(self._client, following):
            if isinstance(signal, reflector.Listing):
                seen = set()
            elif isinstance(signal, reflector.Listed):
                for uid in self._pods.keys() - seen:
                    self._gone(uid)
                self.listed = True
            elif isinstance(signal, reflector.Seen):
                seen.add(self._seen(signal.body))
            elif isinstance(signal, reflector.Removed):
                self._gone(_uid(signal.body))

    def _seen(self, body: msgspec.Raw) -> str:
        try:
            pod = pods.read(body)
        except Malformed as error:
            log.warning("pod passed over", extra={"error": str(error)})
            return ""
        if pod.ended:
            self._gone(pod.uid)
            return pod.uid
        self._pods[pod.uid] = pod
        if pod.places:
            self.on_cut()
        if pod.asks and pod.needs:
            self._admissions.bound(pod.uid, pod.needs)
        else:
            self._admissions.gone(pod.uid)
        return pod.uid

    def _gone(self, uid: str) -> None:
        self._pods.pop(uid, None)
        self._admissions.gone(uid)


def _uid(body: msgspec.Raw) -> str:
    try:
        return pods.read(body).uid
    except Malformed:
        return ""
