"""Objects from elsewhere or from before: a copied quota, an etcd that was restored under us."""

from __future__ import annotations

import asyncio
import shutil
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kinds import KINDS
from tests.cluster.product import Product, a_quota, node_annotations
from tests.cluster.test_placement import placed
from tests.cluster.test_quota import create, gpu_pod, shows
from tests.cluster.test_waiting import told
from tests.faults import invariants

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]


@pytest.mark.probe(4)
async def test_a_quota_that_was_copied_with_our_marks_is_counted(
    product: Product, api: Api, namespace: str
) -> None:
    """From a cluster that is much older: nobody here has seen so many versions."""
    assert product.process is not None
    await api.add_node("n1", annotations=node_annotations("n1"), extra={"nvidia.com/gpu": "80"})
    for number in range(3):
        await create(api, gpu_pod(namespace, f"p-{number}", memory=1000))
    copy = a_quota(namespace, gpu=4, gpumem=50_000)
    holds = '{"gone":{"pod":"gone","until":4102444800,"amounts":{"nvidia.com/gpu":1}}}'
    copy["metadata"]["annotations"] = {
        "hami.io/quota-counted": "987654321",
        "hami.io/quota-holds": holds,
    }
    await api.apply(copy)
    await wait(lambda: told(api, namespace, "QuotaMarkIgnored", "quota"), "it is told of")
    await shows(api, namespace, gpu=3, gpumem=3000, seconds=60)
    await create(api, gpu_pod(namespace, "p-3", memory=1000))
    with pytest.raises(ApiFailure, match="exceeded quota"):
        await create(api, gpu_pod(namespace, "p-4", memory=1000))
    path = KINDS["Pod"].path(namespace)
    await api.delete(f"{path}/p-0", gracePeriodSeconds=0)
    await shows(api, namespace, gpu=3, gpumem=3000)


@pytest.mark.probe(4)
async def test_an_etcd_that_was_restored_under_us_is_noticed(
    installed: Product, tmp_path: Path
) -> None:
    """Resource versions go back; a watch from what is still to come would say nothing."""
    installed.stop(quickly=True)
    with ControlPlane() as plane:
        product = Product(plane)
        async with Api(plane.url, plane.ca_file, plane.token("admin")) as api:
            try:
                await product.ensure(api)
                await restored(product, api, tmp_path)
            finally:
                product.stop(quickly=True)


async def restored(product: Product, api: Api, folder: Path) -> None:
    plane, namespace, path = product.plane, "default", KINDS["Pod"].path("default")
    await api.add_node("n1", annotations=node_annotations("n1"), extra={"nvidia.com/gpu": "80"})
    await api.apply(a_quota(namespace, gpu=4))
    await shows(api, namespace, gpu=0)
    await create(api, gpu_pod(namespace, "before", memory=1000))
    await placed(api, namespace, "before")
    await shows(api, namespace, gpu=1)
    parts = (plane.controller_manager, plane.apiserver, plane.etcd)
    data, backup = plane.folder / "data" / "etcd", folder / "backup"
    for each in parts:
        await asyncio.to_thread(each.stop)
    shutil.copytree(data, backup)
    for each in reversed(parts):
        each.start()
        await asyncio.to_thread(each.await_ready)
    await wait(lambda: create(api, gpu_pod(namespace, "lost-0", memory=1000)), "all goes on", 60)
    for number in range(1, 3):
        await create(api, gpu_pod(namespace, f"lost-{number}", memory=1000))
    await shows(api, namespace, gpu=4)
    for number in range(200):  # versions go on
        note = {"metadata": {"annotations": {"note": str(number)}}}
        await api.patch(f"{path}/before", note)
    for each in parts:
        await asyncio.to_thread(each.stop)
    shutil.rmtree(data)
    shutil.copytree(backup, data)
    for each in reversed(parts):
        each.start()
        await asyncio.to_thread(each.await_ready)
    # It goes on with its watch from a version that is still to come: it has to be started anew.
    assert product.scheduler is not None
    product.scheduler.kill()
    await product.ensure(api)
    await shows(api, namespace, gpu=1, seconds=60)
    for number in range(3):
        pod = gpu_pod(namespace, f"after-{number}", memory=1000)
        await wait(partial(create, api, pod), "it enters", 60)
    with pytest.raises(ApiFailure, match="exceeded quota"):
        await create(api, gpu_pod(namespace, "one-too-many", memory=1000))
    await placed(api, namespace, "after-0")
    assert not invariants.wrong(await invariants.view(api))
