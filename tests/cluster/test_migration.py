"""A cluster as HAMi left it, or we in a version before: what runs there is counted, and goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from hami_admission.wire import keys
from tests import build
from tests.cluster import hami
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import a_quota, node_annotations
from tests.cluster.test_hostile_users import debug
from tests.cluster.test_placement import placed
from tests.cluster.test_quota import create, gpu_pod, shows
from tests.cluster.test_waiting import told

if TYPE_CHECKING:
    from tests.cluster.conftest import Switch
    from tests.cluster.product import Product

Json = dict[str, Any]

HALF = build.gpu(1, memory=40000, cores=30)
NODES: dict[str, dict[str, str]] = {
    # HAMi 2.7: text, and a handshake that its plugin answered.
    "old": {
        keys.NVIDIA_REGISTER: "GPU-old-0,10,81920,100,NVIDIA-NVIDIA A100,0,true,0,hami-core:",
        keys.NVIDIA_HANDSHAKE: "Reported 2026-08-21 06:20:39.123456 +0000 UTC",
    },
    # HAMi 2.10: JSON, and a question that no plugin answers any more.
    "new": {
        **node_annotations("new", 1),
        keys.NVIDIA_HANDSHAKE: "Requesting_2026-08-21 06:20:39",
        "hami.io/mutex.lock": "2026-08-21T06:20:39Z,team,gone",
    },
    "ours": node_annotations("ours", 1),
}


ALL = {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}
"""What HAMi lets a pod say, and we do not; of one that runs it stays."""

PODS = (
    # 2.7 wrote entries for app containers only.
    hami.pod(
        "of-2.7",
        build.container("a", HALF),
        build.container("b", HALF),
        init=(build.container("i", {"cpu": "1"}),),
        node="old",
        allocated="GPU-old-0,NVIDIA,40000,30:;GPU-old-0,NVIDIA,40000,30:;",
    ),
    # 2.10 has entries for init containers, and counts the peak.
    hami.pod(
        "of-2.10",
        build.container("a", build.gpu(1, memory=70000, cores=20), env=[ALL]),
        init=(build.container("i", build.gpu(1, memory=5000, cores=10)),),
        node="new",
        allocated="GPU-new-0,NVIDIA,5000,10:;GPU-new-0,NVIDIA,70000,20:;",
        phase="allocating",
    ),
    hami.pod(
        "of-ours",
        build.container("a", build.gpu(1, memory=20000)),
        node="ours",
        allocated="GPU-ours-0,NVIDIA,20000,0:;",
        notes={"hami.io/env-0.nvidia-visible-devices": "GPU-ours-0"},
    ),
)
TAKEN = {"gpu": 4, "gpumem": 170_000, "gpucores": 80}


@pytest_asyncio.fixture
async def migrated(switch: Switch, api: Api, namespace: str) -> str:
    """The namespace of pods that run since before we came; what guards a cluster came later."""
    for name, notes in NODES.items():
        await api.add_node(name, annotations=notes, extra={"nvidia.com/gpu": "10"})
    quota = a_quota(namespace, gpu=6, gpumem=175_000, gpucores=200)
    # As our version before wrote it: a hold without a stamp, of a pod that was never made.
    holds = '{"gone":{"pod":"gone","until":1787293300,"amounts":{"nvidia.com/gpu":1}}}'
    quota["metadata"]["annotations"] = {keys.QUOTA_HOLDS: holds}
    await api.apply(quota)
    for pod in PODS:
        await hami.create(api, namespace, pod, "Running")
    await switch()
    return namespace


async def test_what_runs_is_counted_and_goes_on(migrated: str, api: Api) -> None:
    await shows(api, migrated, **TAKEN)
    with pytest.raises(ApiFailure, match="exceeded quota"):
        await create(api, gpu_pod(migrated, "beyond", count=1, memory=5001))
    # On each card there is as much as is left of it, and not a MiB more.
    for number, (node, left) in enumerate({"old": 1920, "new": 11920, "ours": 61920}.items()):
        chosen = {"nodeSelector": {"kubernetes.io/hostname": node}}
        for name, memory in ((f"too-large-{number}", left + 1), (f"fits-{number}", left)):
            other = {**gpu_pod("default", name, count=1, memory=memory)}
            other["spec"] |= chosen
            await create(api, other)
        pod = await placed(api, "default", f"fits-{number}")
        uuid = pod["metadata"]["annotations"]["hami.io/env-0.nvidia-visible-devices"]
        assert uuid == f"GPU-{node}-0"

        async def refused(name: str = f"too-large-{number}") -> list[Json]:
            return await told(api, "default", "FilteringFailed", name)

        (event, *_) = await wait(refused, "refused")
        assert "CardInsufficientMemory" in event["message"]
    await api.delete(KINDS["Pod"].path("default"), gracePeriodSeconds=0)


async def test_old_pods_can_be_changed_and_their_quota_comes_back(
    migrated: str, installed: Product, api: Api
) -> None:
    await shows(api, migrated, **TAKEN)
    path = KINDS["Pod"].path(migrated)
    plane = installed.plane
    async with Api(plane.url, plane.ca_file, plane.token("user")) as alice:
        for pod in PODS:
            name = pod["metadata"]["name"]
            await alice.patch(f"{path}/{name}", {"metadata": {"labels": {"of": "alice"}}})
            with pytest.raises(ApiFailure, match="names cards that the pod was not given"):
                await debug(api, f"{path}/{name}", env=[ALL])
            await debug(api, f"{path}/{name}")
            with pytest.raises(ApiFailure, match="written by the scheduler only"):
                notes = {"hami.io/vgpu-devices-allocated": ";"}
                await alice.patch(f"{path}/{name}", {"metadata": {"annotations": notes}})
    await api.patch(f"{path}/of-2.7/status", {"status": {"phase": "Succeeded"}})
    await shows(api, migrated, gpu=2, gpumem=90_000, gpucores=20)
    await api.delete(f"{path}/of-2.10", gracePeriodSeconds=0)
    await shows(api, migrated, gpu=1, gpumem=20_000, gpucores=0)
    await asyncio.gather(
        *(create(api, gpu_pod(migrated, f"p-{n}", count=1, memory=50_000)) for n in range(3))
    )
    await shows(api, migrated, gpu=4, gpumem=170_000, gpucores=0)
