"""The ledger over the whole life of pods and quotas: at every step it shows exactly what counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import a_quota, node_annotations
from tests.cluster.test_quota import create, gpu_pod, known, shows, used

if TYPE_CHECKING:
    from tests.cluster.product import Product

Json = dict[str, Any]

WHOLE = 81920
"""MiB of a card of the usual node."""


async def a_node(api: Api, name: str = "node-1", cards: int = 8, **fields: Any) -> None:
    """A node with cards."""
    notes = node_annotations(name, cards, **fields)
    await api.add_node(name, annotations=notes, extra={"nvidia.com/gpu": str(10 * cards)})


async def running(api: Api, pod: Json) -> None:
    """Create a pod and wait until it is bound; nobody runs it."""
    await create(api, pod)
    await bound(api, pod["metadata"]["namespace"], pod["metadata"]["name"])


async def bound(api: Api, namespace: str, name: str) -> str:
    """Wait until the pod has a node; gives its name."""

    async def node() -> str:
        pod = await api.get(KINDS["Pod"].path(namespace, name))
        return str(pod["spec"].get("nodeName", ""))

    return await wait(node, f"{name} bound")


def on(pod: Json, **spec: Any) -> Json:
    """The pod with more fields in its spec."""
    return {**pod, "spec": {**pod["spec"], **spec}}


def waiting(pod: Json) -> Json:
    """The pod, so that it finds no node."""
    return on(pod, nodeSelector={"kubernetes.io/hostname": "nowhere"})


async def gone(api: Api, namespace: str, name: str) -> None:
    """Delete a pod by force, as its kubelet does in the end."""
    await api.delete(KINDS["Pod"].path(namespace, name), gracePeriodSeconds=0)


async def memory(api: Api, namespace: str, name: str, mib: int) -> None:
    """Wait until that quota shows so much."""

    async def ask() -> bool:
        return await used(api, namespace, name) == {"gpumem": mib}

    await wait(ask, f"quota {name} shows {mib}")


async def hard(api: Api, namespace: str, **limits: int | None) -> None:
    """Set limits of the quota; None takes one away."""
    changed = {
        f"limits.nvidia.com/{key}": None if value is None else str(value)
        for key, value in limits.items()
    }
    await api.patch(KINDS["ResourceQuota"].path(namespace, "quota"), {"spec": {"hard": changed}})


async def refused(api: Api, pod: Json, words: str) -> None:
    """The pod must not enter, for that reason."""
    with pytest.raises(ApiFailure) as failure:
        await create(api, pod)
    assert words in failure.value.message


# Quotas as they come, change and go.


@pytest.mark.usefixtures("product")
async def test_a_quota_made_while_pods_are_there_counts_them(api: Api, namespace: str) -> None:
    """Those that run by what they were given, those that wait by what they are sure to take."""
    await a_node(api)
    await running(api, gpu_pod(namespace, "whole", count=1))
    await running(api, gpu_pod(namespace, "two", count=2, memory=1000, cores=10))
    await create(api, waiting(gpu_pod(namespace, "half", percent=50)))
    await api.apply(a_quota(namespace, gpu=5, gpumem=200_000, gpucores=200))
    there = {"gpu": 4, "gpumem": WHOLE + 2000 + WHOLE // 2, "gpucores": 120}
    await shows(api, namespace, **there)
    await api.delete(KINDS["ResourceQuota"].path(namespace, "quota"))
    await create(api, gpu_pod(namespace, "unlimited", count=1, memory=100_000))
    await api.apply(a_quota(namespace, gpu=5, gpumem=50_000, gpucores=200))
    await shows(api, namespace, **{**there, "gpu": 5, "gpumem": there["gpumem"] + 100_000})
    await refused(api, gpu_pod(namespace, "more", memory=1), "exceeded quota: quota")


async def test_keys_are_added_and_taken_away_while_pods_are_there(
    product: Product, api: Api, namespace: str
) -> None:
    await a_node(api)
    await known(product, api, namespace, gpumem=100_000)
    await running(api, gpu_pod(namespace, "runs", count=2, memory=1000))
    await create(api, waiting(gpu_pod(namespace, "waits", count=2, memory=1000)))
    await create(api, waiting(gpu_pod(namespace, "half", count=2, percent=25)))
    await shows(api, namespace, gpumem=4000 + WHOLE // 2)
    await hard(api, namespace, gpu=8)
    await shows(api, namespace, gpu=6, gpumem=4000 + WHOLE // 2)
    await refused(api, gpu_pod(namespace, "third", count=3, memory=1), "limits.nvidia.com/gpu=6")
    await hard(api, namespace, gpumem=None)
    await shows(api, namespace, gpu=6)
    await create(api, gpu_pod(namespace, "large", count=2, memory=WHOLE))
    assert await used(api, namespace) == {"gpu": 8}
    await hard(api, namespace, gpumem=1)
    await shows(api, namespace, gpu=8, gpumem=4000 + WHOLE // 2 + 2 * WHOLE)


async def test_limits_lowered_below_what_is_used(
    product: Product, api: Api, namespace: str
) -> None:
    """As natively: who runs stays, and who asks nothing of what is exceeded enters."""
    await a_node(api)
    await known(product, api, namespace, gpu=10, gpumem=10_000, gpucores=100)
    await running(api, gpu_pod(namespace, "a", memory=4000, cores=60))
    await hard(api, namespace, gpucores=30)
    pod = gpu_pod(namespace, "b", memory=1000, cores=1)
    words = "requested: limits.nvidia.com/gpucores=1, used: limits.nvidia.com/gpucores=60, limited"
    await wait(lambda: is_refused(api, pod, words), "the lower limit is known")
    await create(api, gpu_pod(namespace, "c", memory=1000))
    await shows(api, namespace, gpu=2, gpumem=5000, gpucores=60)
    await gone(api, namespace, "a")
    await shows(api, namespace, gpu=1, gpumem=1000, gpucores=0)
    await refused(api, gpu_pod(namespace, "d", memory=1, cores=31), "exceeded quota")
    await create(api, gpu_pod(namespace, "d", memory=1, cores=30))
    await shows(api, namespace, gpu=2, gpumem=1001, gpucores=30)


async def is_refused(api: Api, pod: Json, words: str) -> bool:
    """Would the pod be refused for that reason? It is not created."""
    try:
        await create(api, pod, dryRun="All")
    except ApiFailure as failure:
        return words in failure.message
    return False


# Scopes. The API server takes our keys with every scope that pods have: it knows none of them.

SCOPES: dict[str, tuple[Json, set[str]]] = {
    "terminating": ({"scopes": ["Terminating"]}, {"deadline"}),
    "not-terminating": (
        {"scopes": ["NotTerminating"]},
        {"plain", "cpu", "level", "high", "low"},
    ),
    "best-effort": ({"scopes": ["BestEffort"]}, {"plain", "deadline", "high", "low"}),
    "not-best-effort": ({"scopes": ["NotBestEffort"]}, {"cpu", "level"}),
    "priority": ({"scopes": ["PriorityClass"]}, {"high", "low"}),
    "in": ({"operator": "In", "values": ["high"]}, {"high"}),
    "not-in": (
        {"operator": "NotIn", "values": ["high"]},
        {"plain", "deadline", "cpu", "level", "low"},
    ),
    "exists": ({"operator": "Exists"}, {"high", "low"}),
    "absent": ({"operator": "DoesNotExist"}, {"plain", "deadline", "cpu", "level"}),
    "two": (
        {"scopes": ["BestEffort"], "operator": "In", "values": ["high"]},
        {"high"},
    ),
}
SCOPED = {"plain": 1, "deadline": 2, "cpu": 4, "level": 8, "high": 16, "low": 32}
"""MiB of each pod, so that a sum says whose it is."""


def scoped(namespace: str, name: str, *, limit: int, spec: Json) -> Json:
    """A quota with scopes; priority classes are named by the namespace."""
    made = a_quota(namespace, name, gpumem=limit)
    made["spec"] |= {key: value for key, value in spec.items() if key == "scopes"}
    if "operator" in spec:
        values = [f"{namespace}-{each}" for each in spec.get("values", ())]
        term = {"scopeName": "PriorityClass", "operator": spec["operator"]}
        made["spec"]["scopeSelector"] = {
            "matchExpressions": [{**term, **({"values": values} if values else {})}]
        }
    return made


def of_each_kind(namespace: str, name: str) -> Json:
    """The pod of that name in `SCOPED`."""
    made = gpu_pod(namespace, name, memory=SCOPED[name])
    if name == "cpu":
        made["spec"]["containers"][0]["resources"]["limits"]["cpu"] = "1"
    more: dict[str, Json] = {
        "deadline": {"activeDeadlineSeconds": 3600},
        "level": {"resources": {"limits": {"cpu": "1"}}},
        "high": {"priorityClassName": f"{namespace}-high"},
        "low": {"priorityClassName": f"{namespace}-low"},
    }
    return on(made, **more.get(name, {}))


async def classes(api: Api, namespace: str) -> list[str]:
    """Priority classes of the test's own; gives their paths."""
    made = [
        {"kind": "PriorityClass", "metadata": {"name": f"{namespace}-{name}"}, "value": value}
        for name, value in (("high", 1000), ("low", 10))
    ]
    await api.apply(*made)
    return [KINDS["PriorityClass"].path(name=f"{namespace}-{name}") for name in ("high", "low")]


@pytest.mark.usefixtures("product")
async def test_scopes_count_as_natively(api: Api, namespace: str) -> None:
    paths = await classes(api, namespace)
    for name, (spec, whose) in SCOPES.items():
        limit = sum(SCOPED[each] for each in whose)
        await api.apply(scoped(namespace, name, limit=limit, spec=spec))
    for name in SCOPES:
        await memory(api, namespace, name, 0)
    for name in SCOPED:
        await create(api, of_each_kind(namespace, name))
    for name, (_, whose) in SCOPES.items():
        await memory(api, namespace, name, sum(SCOPED[each] for each in whose))
    for name in ("plain", "deadline", "cpu"):
        one_more = {**of_each_kind(namespace, name)}
        one_more["metadata"] = {"name": f"{name}-2", "namespace": namespace}
        await refused(api, one_more, "exceeded quota: ")
    await gone(api, namespace, "high")
    for name, (_, whose) in SCOPES.items():
        left = sum(SCOPED[each] for each in whose - {"high"})
        await memory(api, namespace, name, left)
    for path in paths:
        await api.delete(path)


@pytest.mark.usefixtures("product")
async def test_pods_and_quotas_that_change_their_scope(api: Api, namespace: str) -> None:
    """A deadline may be given to a pod that runs, and another selector to a quota."""
    await a_node(api)
    spec = {"operator": "Exists"}
    for name, more in (("ends", ["Terminating"]), ("stays", ["NotTerminating"]), ("class", [])):
        made = scoped(namespace, name, limit=10_000, spec={} if more else spec)
        made["spec"] |= {"scopes": more} if more else {}
        await api.apply(made)
        await memory(api, namespace, name, 0)
    await running(api, gpu_pod(namespace, "runs", memory=1000))
    await create(api, waiting(gpu_pod(namespace, "waits", memory=200)))
    await memory(api, namespace, "stays", 1200)
    for name, ends in (("runs", 1000), ("waits", 1200)):
        deadline = {"spec": {"activeDeadlineSeconds": 3600}}
        await api.patch(KINDS["Pod"].path(namespace, name), deadline)
        await memory(api, namespace, "ends", ends)
        await memory(api, namespace, "stays", 1200 - ends)
    assert await used(api, namespace, "class") == {"gpumem": 0}
    other = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "DoesNotExist"}]}
    path = KINDS["ResourceQuota"].path(namespace, "class")
    await api.patch(path, {"spec": {"scopeSelector": other}})
    await memory(api, namespace, "class", 1200)
