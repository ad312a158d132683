"""The Binding that carries a placement: node and annotations in one write (design.md 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.wire import grants as wire_grants
from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hami_admission.model.grant import PodGrants


def notes(
    node: str,
    now: float,
    allocations: Mapping[tuple[str, str], PodGrants],
    late: Sequence[Mapping[str, str]],
) -> dict[str, str]:
    """What the pod gets: upstream's keys (facts/scheduling.md 11.1), and its late environment.

    ``allocations`` are the grants under each family's two keys (to-allocate, allocated); ``late``
    the environment values by slot. The phase is ``success`` at once: nothing is looked up or
    patched on the node any more.
    """
    seconds = str(int(now))
    found = {
        keys.ASSIGNED_NODE: node,
        keys.ASSIGNED_TIME: seconds,
        keys.BIND_TIME: seconds,
        keys.BIND_PHASE: keys.BIND_PHASE_SUCCESS,
    }
    for (to_allocate, allocated), grants in allocations.items():
        found[to_allocate] = found[allocated] = wire_grants.encode(grants)
    for slot, values in enumerate(late):
        for name, value in values.items():
            found[keys.env_annotation(slot, name)] = value
    return found


def encode(*, namespace: str, name: str, uid: str, node: str, carried: Mapping[str, str]) -> bytes:
    """The body for POST …/pods/NAME/binding; the uid makes a pod re-created under the name safe."""
    return msgspec.json.encode({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name, "namespace": namespace, "uid": uid, "annotations": carried},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    })
