"""Our server down, our webhooks deleted: plain pods go on, accelerator pods are told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests import build
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import manifests, node_annotations

if TYPE_CHECKING:
    from tests.cluster.product import Product

WEBHOOKS = ("mutating.yaml", "validating.yaml")


def pod(namespace: str, name: str, **amounts: object) -> dict[str, Any]:
    """A pod, with an accelerator if amounts are given."""
    limits = build.gpu(**amounts) or {"cpu": "1"}
    return build.pod_json(build.container(limits=limits), name=name, namespace=namespace)


@pytest.mark.pain(1)
async def test_plain_pods_are_created_and_accelerator_pods_get_a_message(
    product: Product, api: Api, namespace: str
) -> None:
    product.kill()
    path = KINDS["Pod"].path(namespace)
    await api.create(path, pod(namespace, "plain"))
    with pytest.raises(ApiFailure, match=r"failed calling webhook .mutate\.hami\.io") as failed:
        await api.create(path, pod(namespace, "gpu", count=1))
    assert failed.value.status == 500


@pytest.mark.pain(1)
async def test_a_cluster_that_starts_again_needs_us_for_nothing_else(
    product: Product, api: Api, namespace: str
) -> None:
    """The control plane is restarted while we are down; once we run, all goes on by itself."""
    path = KINDS["Pod"].path(namespace)
    notes = node_annotations("n1")
    await api.add_node("n1", annotations=notes, extra={"nvidia.com/gpu": "80"})
    product.stop()
    plane = product.plane
    for part in (plane.etcd, plane.apiserver, plane.controller_manager):
        await asyncio.to_thread(part.restart)
    await wait(lambda: api.create(path, pod(namespace, "plain")), "a plain pod")
    with pytest.raises(ApiFailure, match=r"mutate\.hami\.io"):
        await api.create(path, pod(namespace, "gpu", count=1, memory=1000))
    await product.ensure(api)
    await api.create(path, pod(namespace, "gpu", count=1, memory=1000))

    async def bound() -> str:
        return str((await api.get(f"{path}/gpu"))["spec"].get("nodeName", ""))

    assert await wait(bound, "bound") == "n1"


async def test_the_policy_alone_refuses_what_was_not_rewritten(
    product: Product, api: Api, namespace: str
) -> None:
    configurations = [each for name in WEBHOOKS for each in manifests(name)]
    for each in configurations:
        await api.delete(KINDS[each["kind"]].path(name=each["metadata"]["name"]))
    path = KINDS["Pod"].path(namespace)

    async def refused() -> str:
        try:
            await api.create(path, pod(namespace, "gpu", memory=1000), dryRun="All")
        except ApiFailure as failure:
            return failure.message if "was not rewritten" in failure.message else ""
        return ""

    try:
        message = await wait(refused, "the policy is what refuses")
        assert "hami-admission" in message
        await api.create(path, pod(namespace, "plain"))
        await api.create(path, pod(namespace, "zero", count=0))
        forged = pod(namespace, "forged", memory=1000)
        forged["spec"]["schedulerName"] = "hami-scheduler"
        forged["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = "1"
        with pytest.raises(ApiFailure, match="does not take its cards from hami-admission"):
            await api.create(path, forged)
    finally:
        await api.apply(*configurations)
        product.stop()
