"""Quotas on the real API server: exact, shown where people look, and given back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests import build
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import a_quota, charged, node_annotations

if TYPE_CHECKING:
    from tests.cluster.product import Product

Json = dict[str, Any]


def gpu_pod(namespace: str, name: str = "p", **amounts: object) -> Json:
    """A pod with one container that asks."""
    return build.pod_json(
        build.container(limits=build.gpu(**amounts)), name=name, namespace=namespace
    )


async def create(api: Api, pod: Json, **query: object) -> Json:
    """Create a pod."""
    made: Json = await api.create(KINDS["Pod"].path(pod["metadata"]["namespace"]), pod, **query)
    return made


async def used(api: Api, namespace: str, name: str = "quota") -> dict[str, int]:
    """What the quota shows."""
    return charged(await api.get(KINDS["ResourceQuota"].path(namespace, name)))


async def shows(api: Api, namespace: str, seconds: float = 60, **amounts: int) -> None:
    """Wait until the quota shows these amounts."""

    async def ask() -> bool:
        return await used(api, namespace) == amounts

    await wait(ask, f"the quota shows {amounts}", seconds)


async def known(product: Product, api: Api, namespace: str, **hard: Any) -> None:
    """Create a quota, and wait until we have written our part of its status."""
    assert product.process is not None
    await api.apply(a_quota(namespace, **hard))
    await shows(api, namespace, **dict.fromkeys(hard, 0))


async def test_linked_usage_is_shown_refused_with_numbers_and_given_back(
    product: Product, api: Api, namespace: str
) -> None:
    await known(product, api, namespace, gpu=4, gpumem=10000, gpucores=100)
    await create(api, gpu_pod(namespace, "a", count=2, memory=2000, cores=30))
    await shows(api, namespace, gpu=2, gpumem=4000, gpucores=60)
    described = product.plane.kubectl("describe", "quota", "-n", namespace)
    assert described.split()[-9:] == [
        *("limits.nvidia.com/gpu", "2", "4"),
        *("limits.nvidia.com/gpucores", "60", "100"),
        *("limits.nvidia.com/gpumem", "4k", "10k"),
    ]
    with pytest.raises(ApiFailure) as refused:
        await create(api, gpu_pod(namespace, "b", count=2, memory=4000))
    assert refused.value.status == 403
    assert (
        "exceeded quota: quota, requested: limits.nvidia.com/gpumem=8000,"
        " used: limits.nvidia.com/gpumem=4000, limited: limits.nvidia.com/gpumem=10000"
    ) in refused.value.message
    await api.delete(KINDS["Pod"].path(namespace, "a"), gracePeriodSeconds=0)
    await shows(api, namespace, gpu=0, gpumem=0, gpucores=0)


async def test_a_dry_run_is_judged_and_charges_nothing(
    product: Product, api: Api, namespace: str
) -> None:
    await known(product, api, namespace, gpumem=5000)
    await create(api, gpu_pod(namespace, memory=5000), dryRun="All")
    with pytest.raises(ApiFailure, match="exceeded quota"):
        await create(api, gpu_pod(namespace, memory=5001), dryRun="All")
    assert await used(api, namespace) == {"gpumem": 0}
    quota = await api.get(KINDS["ResourceQuota"].path(namespace, "quota"))
    assert "annotations" not in quota["metadata"]


async def test_the_same_name_twice_is_charged_once(
    product: Product, api: Api, namespace: str
) -> None:
    await known(product, api, namespace, gpumem=50000)
    await create(api, gpu_pod(namespace, memory=5000))
    for _ in range(3):
        with pytest.raises(ApiFailure, match="already exists"):
            await create(api, gpu_pod(namespace, memory=5000))
    # The holds of pods that never came to be end by themselves, after a look for the pod.
    await shows(api, namespace, gpumem=5000, seconds=30)


async def test_all_quotas_of_a_namespace_must_allow(
    product: Product, api: Api, namespace: str
) -> None:
    await known(product, api, namespace, gpumem=50000)
    await api.apply(a_quota(namespace, "second", gpu=1))

    async def seen() -> bool:
        return await used(api, namespace, "second") == {"gpu": 0}

    await wait(seen, "second quota counted")
    with pytest.raises(ApiFailure, match="exceeded quota: second"):
        await create(api, gpu_pod(namespace, count=2, memory=1000))
    await create(api, gpu_pod(namespace, count=1, memory=1000))
    await shows(api, namespace, gpumem=1000)
    assert await used(api, namespace, "second") == {"gpu": 1}


async def test_a_percentage_is_settled_at_the_bind(
    product: Product, api: Api, namespace: str
) -> None:
    for name, size in (("small", 16384), ("large", 81920)):
        notes = node_annotations(name, 1, memory_mib=size, type=f"NVIDIA {name}")
        await api.add_node(name, annotations=notes, extra={"nvidia.com/gpu": "10"})
    await known(product, api, namespace, gpumem=50000)
    # Reserved 8192 MiB, the half of the smaller card; it must run on the larger one.
    chosen = gpu_pod(namespace, "chosen", percent=50)
    chosen["spec"]["nodeSelector"] = {"kubernetes.io/hostname": "large"}
    await create(api, chosen)
    await shows(api, namespace, gpumem=40960)
    # Of two cards that are free only the smaller fits in what the quota leaves.
    await create(api, gpu_pod(namespace, "any", percent=50))
    await shows(api, namespace, gpumem=40960 + 8192)

    async def node() -> str:
        pod = await api.get(KINDS["Pod"].path(namespace, "any"))
        return str(pod["spec"].get("nodeName", ""))

    assert await wait(node, "pod bound") == "small"
    await shows(api, namespace, gpumem=40960 + 8192)


@pytest.mark.alone
async def test_room_for_fifty_of_two_hundred_at_once(
    product: Product, api: Api, namespace: str
) -> None:
    await known(product, api, namespace, gpu=50, gpumem=100_000)
    plain = build.pod_json(build.container(limits={"cpu": "1"}), name="cpu", namespace=namespace)

    async def attempt(number: int) -> bool:
        try:
            await create(api, gpu_pod(namespace, f"p-{number}", memory=2000))
        except ApiFailure as failure:
            assert failure.status == 403, failure
            assert "exceeded quota: quota" in failure.message
            return False
        return True

    async def undisturbed() -> None:
        for number in range(10):
            made = {**plain, "metadata": {"name": f"cpu-{number}", "namespace": namespace}}
            await create(api, made)

    results, _ = await asyncio.gather(
        asyncio.gather(*(attempt(number) for number in range(200))), undisturbed()
    )
    assert sum(results) == 50
    await shows(api, namespace, gpu=50, gpumem=100_000)
    pods = (await api.get(KINDS["Pod"].path(namespace)))["items"]
    assert len(pods) == 60


async def test_what_somebody_wrote_into_the_status_is_put_right_and_told(
    product: Product, api: Api, namespace: str
) -> None:
    await known(product, api, namespace, gpumem=50_000)
    await create(api, gpu_pod(namespace, memory=5000))
    path = KINDS["ResourceQuota"].path(namespace, "quota")

    async def quiet() -> bool:
        """The pod counts itself; until then a difference may be its own."""
        return "hami.io/quota-holds" not in (await api.get(path))["metadata"]["annotations"]

    await wait(quiet, "no hold")
    await api.patch(f"{path}/status", {"status": {"used": {"limits.nvidia.com/gpumem": "1"}}})
    await shows(api, namespace, gpumem=5000)

    async def told() -> list[Json]:
        events = await api.list(KINDS["Event"].path(namespace))
        return [each for each in events if each["reason"] == "QuotaRepaired"]

    (event,) = await wait(told, "told")
    assert (event["involvedObject"]["kind"], event["involvedObject"]["name"]) == (
        *("ResourceQuota", "quota"),
    )
    assert "limits.nvidia.com/gpumem 1, which is 5000" in event["message"]


async def test_one_write_of_ours_per_pod_beside_quotas_and_events(
    product: Product, api: Api, namespace: str
) -> None:
    await api.add_node(
        "node-1", annotations=node_annotations("node-1"), extra={"nvidia.com/gpu": "80"}
    )
    await known(product, api, namespace, gpumem=100_000)
    audit = product.plane.audit(from_now=True)
    for number in range(5):
        await create(api, gpu_pod(namespace, f"p-{number}", memory=1000))

    async def bound() -> bool:
        pods = (await api.get(KINDS["Pod"].path(namespace)))["items"]
        return all(pod["spec"].get("nodeName") for pod in pods)

    await wait(bound, "all bound")
    await asyncio.sleep(1)  # long enough for a write that should not be
    user = "system:serviceaccount:hami-system:hami-admission"
    writes = [
        (each["verb"], each["objectRef"]["resource"], each["objectRef"].get("subresource"))
        for verb in ("create", "update", "patch", "delete")
        for each in audit.requests(user=user, verb=verb)
    ]
    assert writes.count(("create", "pods", "binding")) == 5
    leading = ("update", "leases", None)  # every two seconds, whatever there is to do
    assert set(writes) - {leading} == {
        ("create", "pods", "binding"),
        ("patch", "resourcequotas", "status"),
        ("create", "events", None),
    }


async def test_a_quota_that_kubernetes_counts_in_as_well(
    product: Product, api: Api, namespace: str
) -> None:
    """Its keys and ours in one object: both are counted, by whom they belong to."""
    assert product.process is not None
    mixed = a_quota(namespace, gpu=10, gpumem=10_000)
    mixed["spec"]["hard"] |= {"pods": "20", "requests.cpu": "20"}
    await api.apply(mixed)
    await shows(api, namespace, gpu=0, gpumem=0)
    resources = {"cpu": "1", **build.gpu(1, memory=1000)}
    pods = [
        build.pod_json(build.container(limits=resources), name=f"p-{n}", namespace=namespace)
        for n in range(10)
    ]
    await asyncio.gather(*(create(api, pod) for pod in pods))
    await shows(api, namespace, gpu=10, gpumem=10_000)

    async def native() -> bool:
        quota = await api.get(KINDS["ResourceQuota"].path(namespace, "quota"))
        used_ = quota["status"]["used"]
        return bool((used_["pods"], used_["requests.cpu"]) == ("10", "10"))

    await wait(native, "Kubernetes' own keys are counted")
