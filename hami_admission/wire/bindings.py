"""The Binding that carries a placement: node and annotations in one write (design.md 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Mapping


def notes(node: str, now: float, *, handed: bool = False) -> dict[str, str]:
    """What every placed pod gets: upstream's keys (facts/scheduling.md 11.1).

    Our own agent looks up and patches nothing, so the phase is ``success`` at once; a device
    plugin of others (``handed``) looks for pods that are ``allocating``, and ends that itself.
    """
    seconds = str(int(now))
    return {
        keys.ASSIGNED_NODE: node,
        keys.ASSIGNED_TIME: seconds,
        keys.BIND_TIME: seconds,
        keys.BIND_PHASE: keys.BIND_PHASE_ALLOCATING if handed else keys.BIND_PHASE_SUCCESS,
    }


def encode(*, namespace: str, name: str, uid: str, node: str, carried: Mapping[str, str]) -> bytes:
    """The body for POST …/pods/NAME/binding; the uid makes a pod re-created under the name safe."""
    return msgspec.json.encode({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name, "namespace": namespace, "uid": uid, "annotations": carried},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    })
