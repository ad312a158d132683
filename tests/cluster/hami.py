"""What HAMi leaves in a cluster: nodes, pods and quotas as its versions write them.

Facts/scheduling.md 11, facts/node.md 1.7 and 1.8; the texts are literal, so that nothing of ours
writes what is to be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hami_admission.wire import keys
from tests import build
from tests.cluster.kinds import KINDS
from tests.cluster.others import Other

if TYPE_CHECKING:
    from tests.cluster.api import Api

Json = dict[str, Any]

MODEL = "NVIDIA A100-SXM4-80GB"

TEXT = (
    "GPU-{node}-0,10,81920,100,NVIDIA-{model},0,true,0,hami-core:"
    "GPU-{node}-1,10,81920,100,NVIDIA-{model},1,true,1,hami-core:"
)
"""Two cards, as HAMi 2.7 registers them."""

SEVEN = (
    "GPU-{node}-0,10,81920,100,NVIDIA-{model},0,true:"
    "GPU-{node}-1,10,81920,100,NVIDIA-{model},0,true:"
)
"""The same, still older: without index and mode."""

JSON = (
    '[{{"id":"GPU-{node}-1","index":1,"count":10,"devmem":81920,"devcore":100,"type":"{model}",'
    '"numa":1,"mode":"hami-core","health":true}},'
    '{{"id":"GPU-{node}-0","count":10,"devmem":81920,"devcore":100,"type":"{model}",'
    '"mode":"hami-core","health":true}}]'
)
"""The same as HAMi 2.10 registers them: in no order, without zeros."""

MIG = (
    '[{{"id":"GPU-{node}-0","count":2,"devmem":81920,"devcore":100,"type":"{model}","mode":"mig",'
    '"health":true,"migProfiles":[{{"name":"3g.40gb","memoryMB":40192,"core":43,"sliceCount":3,'
    '"placements":[{{"start":0,"size":4}},{{"start":4,"size":4}}]}}]}}]'
)
"""One card in MIG mode with room for two instances."""

REPORTED = "Reported 2026-08-21 06:20:39.123456789 +0000 UTC m=+30.1"
REQUESTING = "Requesting_2026-08-21 06:20:39"
DELETED = "Deleted_2026-08-21 06:20:39"


async def add_node(api: Api, name: str, register: str, handshake: str) -> None:
    """A node with HAMi's device plugin on it, and a lock that nobody took away."""
    await api.add_node(
        name,
        annotations={
            "hami.io/node-nvidia-register": register.format(node=name, model=MODEL),
            "hami.io/node-handshake": handshake,
            "hami.io/mutex.lock": "2026-08-21T06:20:39Z,team,somebody",
        },
        extra={"nvidia.com/gpu": "20"},
    )


def share(name: str, memory: int, cores: int | None = None, count: int = 1, **more: Any) -> Json:
    """A container as HAMi's webhook leaves it: no environment of the decision."""
    return build.container(name, limits=build.gpu(count, memory=memory, cores=cores), **more)


def pod(
    name: str,
    *containers: Json,
    node: str,
    allocated: str,
    phase: str = "success",
    notes: Json | None = None,
    **spec: Any,
) -> Json:
    """A pod that HAMi has bound; ``phase`` is what its device plugin came to.

    While that is at it (``allocating``) the work is still listed.
    """
    annotations = {
        "hami.io/vgpu-node": node,
        "hami.io/vgpu-time": "1787293239",
        "hami.io/vgpu-devices-to-allocate": allocated if phase == "allocating" else ";",
        "hami.io/vgpu-devices-allocated": allocated,
        "hami.io/bind-time": "1787293240",
        "hami.io/bind-phase": phase,
        **(notes or {}),
    }
    return build.pod_json(
        *containers,
        name=name,
        annotations=annotations,
        labels={"hami.io/vgpu-node": node},
        schedulerName="hami-scheduler",
        nodeName=node,
        **spec,
    )


def filtered(name: str, *containers: Json, node: str, allocated: str) -> Json:
    """A pod that HAMi has given cards and not bound: it still waits when HAMi is taken away."""
    made = pod(name, *containers, node=node, allocated=allocated, phase="allocating")
    del made["spec"]["nodeName"]
    for key in ("hami.io/bind-time", "hami.io/bind-phase"):
        del made["metadata"]["annotations"][key]
    return made


def plugin(*nodes: str) -> Other:
    """HAMi's device plugin of these nodes."""
    return Other("nvidia", [*nodes], keys.NVIDIA_TO_ALLOCATE)


async def create(api: Api, namespace: str, document: Json, status: str | None) -> None:
    """The pod, and the phase that a kubelet gave it."""
    metadata = {**document["metadata"], "namespace": namespace}
    await api.create(KINDS["Pod"].path(namespace), {**document, "metadata": metadata})
    if status is not None:
        path = f"{KINDS['Pod'].path(namespace, metadata['name'])}/status"
        await api.patch(path, {"status": {"phase": status}})
