"""Version by version: pods, nodes and holds that were left, in every state they may be in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hami_admission.wire import keys
from tests import build
from tests.cluster import hami
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.hami import share
from tests.cluster.kinds import KINDS
from tests.cluster.others import running
from tests.cluster.product import a_quota
from tests.cluster.test_placement import placed
from tests.cluster.test_quota import create, gpu_pod, shows
from tests.cluster.test_waiting import told

if TYPE_CHECKING:
    from tests.cluster.conftest import Switch

Json = dict[str, Any]


def left_by_hami(node: str, *, init: bool) -> dict[str, tuple[Json, str | None]]:
    """Pods by what they show: how HAMi left them, and their phase. Card 0 is full with them.

    The texts of 2.7 and 2.10 are alike where one omits what the other loses: the entries of init
    containers, and those of containers without cards that stand before one with cards. ``init``:
    the version gives cards to init containers.
    """
    first, second = f"GPU-{node}-0,NVIDIA", f"GPU-{node}-1,NVIDIA"
    bare = build.container("bare")
    waited = share("wait", 10000)
    peak = (
        hami.pod(
            "peak", share("main", 10000), init=(waited,), node=node,
            allocated=f"{second},10000,0:;{second},10000,0:;",
        )
        if init
        else hami.pod(
            "peak", share("main", 10000), bare, node=node, allocated=f"{second},10000,0:;;"
        )
    )  # fmt: skip
    return {
        "half a card": (
            hami.pod("half", share("main", 40960, 50), node=node, allocated=f"{first},40960,50:;"),
            "Running",
        ),
        "two containers on the other half, behind an init container without cards": (
            hami.pod(
                "two", share("a", 20480, 25), share("b", 20480, 25), init=(bare,), node=node,
                allocated=f"{first},20480,25:;{first},20480,25:;",
            ),
            "Running",
        ),
        "the device plugin is at it": (
            hami.pod(
                "allocating", share("main", 20000, 10), node=node, phase="allocating",
                allocated=f"{second},20000,10:;",
            ),
            None,
        ),
        "runs, whatever the device plugin said": (
            hami.pod(
                "failed", share("main", 20000, 10), node=node, phase="failed",
                allocated=f"{second},20000,10:;",
            ),
            "Running",
        ),
        "one share for two containers": (peak, "Running"),
        "has ended and holds nothing": (
            hami.pod(
                "ended", share("main", 40000, 50), node=node, phase="failed",
                allocated=f"{second},40000,50:;",
            ),
            "Failed",
        ),
        "was never bound: where it was to go no longer counts": (
            hami.filtered(
                "waiting", share("main", 1920), node=node, allocated=f"{first},1920,0:;"
            ),
            None,
        ),
    }  # fmt: skip


MEMORY = 40960 + 2 * 20480 + 20000 + 20000 + 10000 + 1920
"""MiB of what is above, and of the second card there are 30000 left."""

VERSIONS: dict[str, tuple[str, str, bool]] = {
    "HAMi 2.7": (hami.TEXT, hami.REPORTED, False),
    "HAMi 2.7, asked last": (hami.TEXT, hami.REQUESTING, False),
    "HAMi 2.7, seven fields, given up": (hami.SEVEN, hami.DELETED, False),
    "HAMi 2.10": (hami.JSON, hami.REQUESTING, True),
}


@pytest.mark.parametrize("version", VERSIONS)
async def test_pods_of_hami_are_counted_on_cards_and_in_quotas(
    switch: Switch, api: Api, namespace: str, version: str
) -> None:
    register, handshake, init = VERSIONS[version]
    await hami.add_node(api, "n1", register, handshake)
    await api.apply(a_quota(namespace, gpu=20, gpumem=MEMORY + 30000 + 30001, gpucores=1000))
    left = left_by_hami("n1", init=init)
    for pod, phase in left.values():
        await hami.create(api, namespace, pod, phase)
    product = await switch()
    with running(product.plane, hami.plugin("n1")):
        await shows(api, namespace, gpu=7, gpumem=MEMORY, gpucores=120)
        waiting = await placed(api, namespace, "waiting")
        assert (
            waiting["metadata"]["annotations"][keys.NVIDIA_ALLOCATED] == "GPU-n1-1,NVIDIA,1920,0:;"
        )

        await create(api, gpu_pod(namespace, "over", memory=30001))
        await wait(
            lambda: told(api, namespace, "FailedScheduling", "over"), "no card has that much"
        )
        exact = gpu_pod(namespace, "exact", memory=30000)
        exact["spec"]["schedulerName"] = "hami-scheduler"
        await create(api, exact)
        found = await placed(api, namespace, "exact")
        assert (
            found["metadata"]["annotations"][keys.NVIDIA_ALLOCATED] == "GPU-n1-1,NVIDIA,30000,0:;"
        )
        with pytest.raises(
            ApiFailure, match=r"exceeded quota: quota, requested: limits\.nvidia\.com/gpumem=1,"
        ):
            await create(api, gpu_pod(namespace, "refused", memory=1))

        for pod, _ in left.values():
            path = KINDS["Pod"].path(namespace, pod["metadata"]["name"])
            await api.delete(path, gracePeriodSeconds=0)
        await placed(api, namespace, "over")
        await shows(api, namespace, gpu=2, gpumem=60001, gpucores=0)


async def test_instances_of_hami_keep_their_place_or_their_card(
    switch: Switch, api: Api, namespace: str
) -> None:
    """2.10 says where an instance lies; of one that 2.9 made only the card is known."""
    wants = {"nvidia.com/vgpu-mode": "mig"}
    for name in ("newer", "older"):
        await hami.add_node(api, name, hami.MIG, hami.REQUESTING)
    place = (
        '[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"GPU-newer-0","profile":"3g.40gb",'
        '"placement":{"start":0,"size":4},"migUUID":"MIG-1","gpuInstanceID":2,'
        '"computeInstanceID":0}]'
    )
    for node, allocated, notes in (
        ("newer", "GPU-newer-0,NVIDIA,40192,43:;", {**wants, keys.NVIDIA_MIG: place}),
        ("older", "GPU-older-0[2-0],NVIDIA,40000,0:;", wants),
    ):
        pod = hami.pod(node, share("main", 40000), node=node, allocated=allocated, notes=notes)
        await hami.create(api, namespace, pod, "Running")
    await switch()
    for name in ("first", "second"):
        pod = gpu_pod(namespace, name, memory=40000)
        pod["metadata"]["annotations"] = wants
        await create(api, pod)
        if name == "first":
            found = await placed(api, namespace, name)
            assert (
                '"placement":{"start":4,"size":4}'
                in found["metadata"]["annotations"][keys.NVIDIA_MIG]
            )
    (event, *_) = await wait(lambda: told(api, namespace, "FilteringFailed", "second"), "told")
    assert "CardNotHealth(older)" in event["message"]
    await api.delete(KINDS["Pod"].path(namespace, "older"), gracePeriodSeconds=0)
    assert (await placed(api, namespace, "second"))["spec"]["nodeName"] == "older"


async def test_the_device_plugin_of_hami_goes_on_from_where_ours_may(
    switch: Switch, api: Api, namespace: str
) -> None:
    """It notes on a pod what it has done; the policies let it from two namespaces only."""
    await hami.add_node(api, "n1", hami.JSON, hami.REQUESTING)
    pod = hami.pod(
        "p",
        share("main", 2000),
        node="n1",
        phase="allocating",
        allocated="GPU-n1-0,NVIDIA,2000,0:;",
    )
    await hami.create(api, namespace, pod, None)
    plane = (await switch()).plane
    done = (f"{keys.BIND_PHASE}=success", f"{keys.NVIDIA_TO_ALLOCATE}=;")
    words = ("annotate", "pod", "p", "-n", namespace, "--overwrite", *done)
    elsewhere = plane.try_kubectl(*words, *plugin_of("hami"))
    assert "written by the scheduler only" in elsewhere.stderr
    plane.kubectl(*words, *plugin_of("kube-system"))
    await api.delete(KINDS["Pod"].path(namespace, "p"), gracePeriodSeconds=0)


def plugin_of(namespace: str) -> tuple[str, ...]:
    """As HAMi's device plugin of that namespace; the rights are not what is tried here."""
    return (
        f"--as=system:serviceaccount:{namespace}:hami-device-plugin",
        f"--as-group=system:serviceaccounts:{namespace}",
        "--as-group=system:masters",
    )


async def test_the_version_before_left_holds_that_nobody_had_counted(
    switch: Switch, api: Api, namespace: str
) -> None:
    """It kept no note of how far it had counted, and had ended in the middle of creations."""
    await hami.add_node(api, "n1", hami.JSON, hami.REQUESTING)
    await api.apply(a_quota(namespace, gpu=10, gpumem=80000))
    cards = "GPU-n1-0,NVIDIA,20000,0:;"
    pods = {
        "bound": {
            "hami.io/env-0.nvidia-visible-devices": "GPU-n1-0",
            keys.NVIDIA_TO_ALLOCATE: cards,
        },
        "held": {},
    }
    made = {}
    for name, notes in pods.items():
        pod = hami.pod(name, share("main", 20000), node="n1", allocated=cards, notes=notes)
        if name == "held":
            pod = gpu_pod(namespace, name, memory=20000)
            pod["spec"]["schedulerName"] = "hami-scheduler"
        await hami.create(api, namespace, pod, None)
        made[name] = await api.get(KINDS["Pod"].path(namespace, name))
    amounts = {"nvidia.com/gpu": 1, "nvidia.com/gpumem": 20000}
    holds = {
        made["bound"]["metadata"]["uid"]: {"pod": "bound", "until": 1787293255, "amounts": amounts},
        made["held"]["metadata"]["uid"]: {"pod": "held", "until": 4102444800, "amounts": amounts},
        "a-pod-that-never-came": {"pod": "lost", "until": 1787293255, "amounts": amounts},
    }
    used = {"limits.nvidia.com/gpu": "3", "limits.nvidia.com/gpumem": "60k"}
    quota = KINDS["ResourceQuota"].path(namespace, "quota")
    await api.patch(
        f"{quota}/status",
        {
            "metadata": {"annotations": {keys.QUOTA_HOLDS: json.dumps(holds)}},
            "status": {"used": used},
        },
    )
    product = await switch()
    with running(product.plane, hami.plugin("n1")):
        await placed(api, namespace, "held")
        await shows(api, namespace, gpu=2, gpumem=40000)
        notes = (await api.get(quota))["metadata"]["annotations"]
        assert keys.QUOTA_HOLDS not in notes
        assert int(notes[keys.QUOTA_COUNTED]) > 0
        with pytest.raises(ApiFailure, match="exceeded quota"):
            await create(api, gpu_pod(namespace, "over", memory=40001))
        await create(api, gpu_pod(namespace, "exact", memory=40000))
        found = await placed(api, namespace, "exact")
        assert found["metadata"]["annotations"][keys.NVIDIA_ALLOCATED].endswith(",NVIDIA,40000,0:;")
        for name in ("bound", "held", "exact"):
            await api.delete(KINDS["Pod"].path(namespace, name), gracePeriodSeconds=0)
        await shows(api, namespace, gpu=0, gpumem=0)
