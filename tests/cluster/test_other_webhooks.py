"""Another webhook edits the pod after us: it is done again, or refused in words that help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests import build
from tests.cluster import neighbours
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import node_annotations
from tests.cluster.test_quota import create, gpu_pod, known, shows, used

if TYPE_CHECKING:
    from tests.cluster.neighbours import Edit
    from tests.cluster.product import Product

Json = dict[str, Any]
VISIBLE, MEMORY = "NVIDIA_VISIBLE_DEVICES", "CUDA_DEVICE_MEMORY_LIMIT_0"
ALL = {"name": VISIBLE, "value": "all"}


def adds(container: Json, where: str = "containers", *, first: bool = False) -> Edit:
    """As an injector of sidecars does, unless the container is there already."""

    def edit(pod: Json) -> None:
        containers = pod["spec"].setdefault(where, [])
        if all(each["name"] != container["name"] for each in containers):
            containers.insert(0 if first else len(containers), container)

    return edit


def asking(name: str = "added", **fields: Any) -> Json:
    """A container that asks for a card with 500 MiB of memory, by limits alone."""
    return build.container(name, limits=build.gpu(1, memory=500), **fields)


def sets(key: str, value: Any) -> Edit:
    """A field of the pod's spec."""
    return lambda pod: pod["spec"].__setitem__(key, value)


def in_main(key: str, value: Any) -> Edit:
    """A field of the container that asks."""
    return lambda pod: main(pod).__setitem__(key, value)


def env(name: str, value: str | None) -> Edit:
    """One variable of the container that asks, or none of that name."""

    def edit(pod: Json) -> None:
        kept = [each for each in main(pod).get("env", []) if each["name"] != name]
        main(pod)["env"] = kept + ([] if value is None else [{"name": name, "value": value}])

    return edit


def resources(memory: int, *keys: str) -> Edit:
    """Other MiB in limits, requests or both."""

    def edit(pod: Json) -> None:
        for key in keys:
            main(pod).setdefault("resources", {}).setdefault(key, {})["nvidia.com/gpumem"] = memory

    return edit


def labelled(kind: str, key: str, value: str) -> Edit:
    """A label or an annotation."""
    return lambda pod: pod["metadata"].setdefault(kind, {}).__setitem__(key, value)


def main(pod: Json) -> Json:
    """The container that asked from the start."""
    return next(each for each in pod["spec"]["containers"] if each["name"] == "main")


class Case(NamedTuple):
    """What another webhook does, and what the pod is charged in the end.

    ``again``: it asks for reinvocation too, and so has the last word. ``prefix`` puts its name
    before ours or after.
    """

    edit: Edit
    gpu: int = 1
    gpumem: int = 1000
    again: bool = False
    prefix: str = "zz"


DONE_AGAIN = {
    "a container": Case(adds(build.container("added"))),
    "a container in front": Case(adds(build.container("added"), first=True)),
    "a container that asks": Case(adds(asking()), 2, 1500),
    "a container in front that asks": Case(adds(asking(), first=True), 2, 1500),
    "a container that asks, before us": Case(adds(asking(), first=True), 2, 1500, prefix="aa"),
    "a container that asks, with the last word": Case(adds(asking()), 2, 1500, again=True),
    "a container that names all cards": Case(adds(build.container("added", env=[ALL]))),
    "an init container that asks": Case(adds(asking(), "initContainers"), 1, 1000),
    "a sidecar that asks": Case(adds(asking(sidecar=True), "initContainers"), 2, 1500),
    "our environment is removed": Case(in_main("env", [])),
    "one of our variables is removed": Case(env(MEMORY, None)),
    "one of our variables is changed": Case(env(MEMORY, "80000m")),
    "all cards in place of ours": Case(env(VISIBLE, "all")),
    "all cards behind ours": Case(lambda pod: main(pod).setdefault("env", []).append(ALL)),
    "the default scheduler": Case(sets("schedulerName", "default-scheduler")),
    "more memory": Case(resources(3000, "limits", "requests"), 1, 3000),
    "less memory, with the last word": Case(
        resources(300, "limits", "requests"), 1, 300, again=True
    ),
}


@pytest.mark.pain(2)
@pytest.mark.parametrize("name", DONE_AGAIN)
async def test_done_again(product: Product, api: Api, namespace: str, name: str) -> None:
    """The pod is as we leave it, charged as it finally is, and its cards reach its containers."""
    case = DONE_AGAIN[name]
    extra = {"nvidia.com/gpu": "80"}
    await api.add_node("node-1", annotations=node_annotations("node-1"), extra=extra)
    await known(product, api, namespace, gpu=8, gpumem=10_000)
    async with neighbours.running(api, namespace) as others:
        await others.edits("edits", case.edit, again=case.again, prefix=case.prefix)
        await create(api, asked(gpu_pod(namespace, memory=1000), "edits"))
        assert await used(api, namespace) == {"gpu": case.gpu, "gpumem": case.gpumem}
    pod = await bound(api, namespace)
    assert pod["spec"]["schedulerName"] == "hami-scheduler"
    for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
        assert seen_by(container, pod["metadata"]["annotations"]) == right(container)
    await shows(api, namespace, gpu=case.gpu, gpumem=case.gpumem)


def right(container: Json) -> tuple[int, str]:
    """How many cards a container must see, and its memory."""
    limits = container.get("resources", {}).get("limits", {})
    memory = limits.get("nvidia.com/gpumem", "")
    return int(limits.get("nvidia.com/gpu", 0)), memory and f"{plain(memory)}m"


def plain(quantity: str) -> str:
    """The API server writes 1000 as 1k."""
    return quantity.replace("k", "000")


def seen_by(container: Json, annotations: dict[str, str]) -> tuple[int, str]:
    """How many cards the kubelet will name in the environment, and which memory."""
    values: dict[str, str] = {}
    for each in container.get("env", []):
        assert each["name"] not in values, "twice"
        source = each.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", "")
        name = source.removeprefix("metadata.annotations['").removesuffix("']")
        values[each["name"]] = annotations[name] if name else each["value"]
    cards = values.get(VISIBLE, "none")
    return 0 if cards == "none" else len(cards.split(",")), values.get(MEMORY, "")


def asked(pod: Json, name: str) -> Json:
    """The pod with the label that has this webhook called."""
    labels = {neighbours.ASKED: name}
    return {**pod, "metadata": {**pod["metadata"], "labels": labels}}


async def bound(api: Api, namespace: str) -> Json:
    """Wait until the pod has a node."""

    async def ask() -> Json:
        pod: Json = await api.get(KINDS["Pod"].path(namespace, "p"))
        return pod if pod["spec"].get("nodeName") else {}

    return await wait(ask, "pod bound")


class Refused(NamedTuple):
    """What another webhook does, and the words of the refusal."""

    edit: Edit
    words: str
    again: bool = False


FORGED = ("hami.io/vgpu-devices-allocated", "GPU-node-1-0,NVIDIA,81920,100:;")
PRIVILEGED = {"privileged": True}

REFUSED = {
    "privileges": Refused(in_main("securityContext", PRIVILEGED), "container main is privileged"),
    "a container with privileges": Refused(
        adds(build.container("added", privileged=True)), "container added is privileged"
    ),
    "more memory in the limits alone": Refused(resources(3000, "limits"), "nvidia.com/gpumem"),
    "a node": Refused(sets("nodeName", "node-1"), "spec.nodeName"),
    "annotations of the decision": Refused(
        labelled("annotations", *FORGED), "only the scheduler writes this"
    ),
    "the opt-out label": Refused(
        labelled("labels", "hami.io/webhook", "ignore"), "remove the label"
    ),
    "all cards, again and again": Refused(
        env(VISIBLE, "all"), "env NVIDIA_VISIBLE_DEVICES", again=True
    ),
    "our cards are removed, again and again": Refused(
        env(VISIBLE, None), "must come from the annotation", again=True
    ),
    "a limit is removed, again and again": Refused(
        env(MEMORY, None), f"env: Invalid value: {MEMORY}: the pod is not as the", again=True
    ),
    "the default scheduler, again and again": Refused(
        sets("schedulerName", "default-scheduler"), "was not rewritten", again=True
    ),
}


@pytest.mark.pain(2)
@pytest.mark.parametrize("name", REFUSED)
async def test_refused_and_not_charged(
    product: Product, api: Api, namespace: str, name: str
) -> None:
    case = REFUSED[name]
    await known(product, api, namespace, gpu=8, gpumem=10_000)
    async with neighbours.running(api, namespace) as others:
        await others.edits("edits", case.edit, again=case.again)
        with pytest.raises(ApiFailure) as refused:
            await create(api, asked(gpu_pod(namespace, memory=1000), "edits"))
    assert case.words in refused.value.message
    assert refused.value.status in {400, 403, 422}
    assert await used(api, namespace) == {"gpu": 0, "gpumem": 0}


async def test_a_plain_pod_that_is_made_to_ask_after_us(
    product: Product, api: Api, namespace: str
) -> None:
    """A webhook that was passed over the first time is not called again: the policy refuses."""
    await known(product, api, namespace, gpu=8, gpumem=10_000)
    document = build.pod_json(build.container(), namespace=namespace)
    async with neighbours.running(api, namespace) as others:
        await others.edits("edits", adds(asking()))
        with pytest.raises(ApiFailure) as refused:
            await create(api, asked(document, "edits"))
    assert "was not rewritten by hami-admission" in refused.value.message
    assert await used(api, namespace) == {"gpu": 0, "gpumem": 0}


async def test_another_scheduler_takes_the_pod_over(
    product: Product, api: Api, namespace: str
) -> None:
    """As when the user names it: not ours, and so neither placed nor counted by us."""
    await known(product, api, namespace, gpu=8, gpumem=10_000)
    async with neighbours.running(api, namespace) as others:
        await others.edits("edits", sets("schedulerName", "volcano"))
        made = await create(api, asked(gpu_pod(namespace, memory=1000), "edits"))
    assert made["spec"]["schedulerName"] == "volcano"
    assert await used(api, namespace) == {"gpu": 0, "gpumem": 0}


async def test_the_charge_of_a_pod_that_a_later_webhook_refuses_ends_by_itself(
    product: Product, api: Api, namespace: str
) -> None:
    await known(product, api, namespace, gpu=1, gpumem=1000)
    async with neighbours.running(api, namespace) as others:
        await others.refuses("refuses")
        with pytest.raises(ApiFailure, match=neighbours.REFUSED):
            await create(api, asked(gpu_pod(namespace, memory=1000), "refuses"))
    assert await used(api, namespace) == {"gpu": 1, "gpumem": 1000}
    await shows(api, namespace, gpu=0, gpumem=0, seconds=40)
    await create(api, gpu_pod(namespace, memory=1000))
    assert await used(api, namespace) == {"gpu": 1, "gpumem": 1000}
