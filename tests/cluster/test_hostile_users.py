"""What users try who want more than they were given; each is refused in words that help."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from tests import build
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import a_quota, node_annotations
from tests.cluster.test_quota import create, gpu_pod, shows, used

if TYPE_CHECKING:
    from tests.cluster.product import Product

Json = dict[str, Any]
FORGED = {"hami.io/vgpu-devices-allocated": "GPU-node-1-0,NVIDIA,81920,100:;"}
ALL = {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}
CARDS = build.gpu(1, memory=1000)


def pod(*containers: Json, **fields: Any) -> Json:
    return build.pod_json(*(containers or (build.container(limits=CARDS),)), **fields)


def crafted() -> Json:
    """As the mutating webhook would have left it, but for the label that keeps it away."""
    source = {"fieldRef": {"fieldPath": "metadata.annotations['hami.io/env-0.x']"}}
    env = [{"name": "NVIDIA_VISIBLE_DEVICES", "valueFrom": source}]
    return pod(
        build.container(limits=CARDS, env=env),
        labels={"hami.io/webhook": "ignore"},
        schedulerName="hami-scheduler",
    )


REFUSED: dict[str, tuple[Json, str]] = {
    "annotations of the decision": (pod(annotations=FORGED), "only the scheduler writes this"),
    "annotations on a pod of our scheduler that asks for nothing": (
        pod(build.container(), annotations=FORGED, schedulerName="hami-scheduler"),
        "written by the scheduler only",
    ),
    "an environment of the decision": (
        pod(build.container(), annotations={"hami.io/env-0.x": "y"}),
        "written by the scheduler only",
    ),
    "the opt-out label": (pod(labels={"hami.io/webhook": "ignore"}), "remove the label"),
    "the opt-out label on what looks rewritten": (crafted(), "remove the label"),
    "all cards by name": (pod(build.container(env=[ALL])), "ask for nvidia.com/gpu instead"),
    "all cards in an init container": (
        pod(build.container(), init=(build.container("i", env=[ALL]),)),
        "ask for nvidia.com/gpu instead",
    ),
    "a card from a ConfigMap's key": (
        pod(
            build.container(
                env=[
                    {
                        "name": "NVIDIA_VISIBLE_DEVICES",
                        "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}},
                    }
                ]
            )
        ),
        "ask for nvidia.com/gpu instead",
    ),
    "a node by hand": (pod(nodeName="node-1"), "spec.nodeName"),
    "privileges": (pod(build.container(limits=CARDS, privileged=True)), "privileged"),
    "privileges beside": (
        pod(build.container(limits=CARDS), build.container("b", privileged=True)),
        "container b is privileged",
    ),
    "requests that are not the limits": (
        pod(build.container(limits=CARDS, requests={**CARDS, "nvidia.com/gpumem": 1})),
        "nvidia.com/gpumem",
    ),
    **{
        f"memory of {text}": (
            pod(build.container(limits={"nvidia.com/gpu": 1, "nvidia.com/gpumem": text})),
            "gpumem",
        )
        for text in ("1e30", "1.5", "-1", "16Gi", "9" * 39)
    },
    **{
        f"{text} cards": (pod(build.container(limits={"nvidia.com/gpu": text})), "gpu")
        for text in ("1e30", "1.5", "-1", "1Ki")
    },
}


@pytest.mark.pain(14)
@pytest.mark.parametrize("name", REFUSED)
async def test_refused_at_creation(product: Product, api: Api, namespace: str, name: str) -> None:
    assert product.process is not None
    document, text = REFUSED[name]
    document = copy.deepcopy(document)
    document["metadata"]["namespace"] = namespace
    with pytest.raises(ApiFailure) as refused:
        await api.create(KINDS["Pod"].path(namespace), document)
    assert text in refused.value.message
    assert refused.value.status in {400, 403, 422}


async def test_the_opt_out_label_on_the_namespace(
    product: Product, api: Api, namespace: str
) -> None:
    assert product.process is not None
    label = {"metadata": {"labels": {"hami.io/webhook": "ignore"}}}
    await api.patch(KINDS["Namespace"].path(name=namespace), label)

    async def told() -> str:
        try:
            await create(api, gpu_pod(namespace, count=1), dryRun="All")
        except ApiFailure as failure:
            return failure.message
        return ""

    assert "remove the label" in await wait(told, "refused")


async def bound_pod(api: Api, namespace: str, **fields: Any) -> str:
    """A pod with a share of a card; gives its path."""
    notes = node_annotations("node-1")
    await api.add_node("node-1", annotations=notes, extra={"nvidia.com/gpu": "80"})
    await create(api, {**gpu_pod(namespace, "p", memory=1000), **fields})
    path = KINDS["Pod"].path(namespace, "p")

    async def bound() -> bool:
        return bool((await api.get(path))["spec"].get("nodeName"))

    await wait(bound, "bound")
    return path


NOTES: dict[str, Any] = {
    "changed": {"hami.io/vgpu-devices-allocated": "GPU-node-1-7,NVIDIA,1,1:;"},
    "removed": {"hami.io/vgpu-devices-allocated": None},
    "added": {"hami.io/env-7.x": "y"},
}


@pytest.mark.usefixtures("product")
@pytest.mark.parametrize("sub", ["", "/status"])
async def test_the_decision_stays_as_it_is(api: Api, namespace: str, sub: str) -> None:
    path = await bound_pod(api, namespace)
    for notes in NOTES.values():
        with pytest.raises(ApiFailure, match="written by the scheduler only"):
            await api.patch(path + sub, {"metadata": {"annotations": notes}})
    await api.patch(path + sub, {"metadata": {"annotations": {"of": "others"}}})


@pytest.mark.usefixtures("product")
async def test_a_binding_by_somebody_else_brings_no_cards(api: Api, namespace: str) -> None:
    await create(api, gpu_pod(namespace, "p", memory=1000))
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "p", "annotations": FORGED},
        "target": {"kind": "Node", "name": "node-1"},
    }
    with pytest.raises(ApiFailure, match="written by the scheduler only"):
        await api.create(f"{KINDS['Pod'].path(namespace, 'p')}/binding", binding)


EPHEMERAL: dict[str, tuple[Json, str]] = {
    "all cards": ({"env": [ALL]}, "ask for nvidia.com/gpu instead"),
    "privileged": ({"securityContext": {"privileged": True}}, "would see every card"),
    "a ConfigMap": ({"envFrom": [{"configMapRef": {"name": "c"}}]}, "set that to none"),
}


@pytest.mark.usefixtures("product")
async def test_ephemeral_containers_get_no_cards(api: Api, namespace: str) -> None:
    path = await bound_pod(api, namespace)
    for fields, text in EPHEMERAL.values():
        with pytest.raises(ApiFailure, match=text):
            await debug(api, path, **fields)
    with pytest.raises(ApiFailure, match=r"resources|Forbidden|forbidden"):
        await debug(api, path, resources={"limits": CARDS})
    none = {**ALL, "value": "none"}
    await debug(api, path, env=[none], envFrom=[{"configMapRef": {"name": "c"}}])


async def debug(api: Api, path: str, **fields: Any) -> None:
    """As kubectl debug does."""
    container = {"name": "debug", "image": "example.org/debug:1", **fields}
    await api.patch(f"{path}/ephemeralcontainers", {"spec": {"ephemeralContainers": [container]}})


@pytest.mark.usefixtures("product")
async def test_a_resize_changes_no_cards(api: Api, namespace: str) -> None:
    path = await bound_pod(api, namespace)
    more = {"name": "main", "resources": {"limits": {"nvidia.com/gpumem": "2000"}}}
    patch = {"spec": {"containers": [more]}}
    for sub in ("", "/resize"):
        with pytest.raises(ApiFailure):
            await api.patch(path + sub, patch, "application/strategic-merge-patch+json")


@pytest.mark.usefixtures("product")
async def test_a_foreign_scheduler_is_left_alone_with_a_warning(api: Api, namespace: str) -> None:
    document = gpu_pod(namespace, count=1)
    document["spec"]["schedulerName"] = "volcano"
    made = await create(api, document)
    assert made["spec"]["schedulerName"] == "volcano"


@pytest.mark.usefixtures("product")
async def test_a_static_pod_is_shown_and_not_counted(api: Api, namespace: str) -> None:
    await api.apply(a_quota(namespace, gpu=1))
    await shows(api, namespace, gpu=0)
    mirror = {"kubernetes.io/config.mirror": "x"}
    document = pod(annotations=mirror, nodeName="node-1", name="static", namespace=namespace)
    document["spec"]["automountServiceAccountToken"] = False
    await api.create(KINDS["Pod"].path(namespace), document)
    assert await used(api, namespace) == {"gpu": 0}


async def test_nodes_are_described_by_their_agents(product: Product, api: Api) -> None:
    """A kubelet, or whoever else may change nodes, does not say what cards there are."""
    await api.add_node("node-1")
    rights = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "alice-nodes"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "system:node",
        },
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}],
    }
    await api.apply(rights)
    plane = product.plane
    async with Api(plane.url, plane.ca_file, plane.token("user")) as alice:
        path = KINDS["Node"].path(name="node-1")
        for sub in ("", "/status"):
            with pytest.raises(ApiFailure, match="only its agent and administrators"):
                await alice.patch(path + sub, {"metadata": {"annotations": node_annotations("x")}})
            await alice.patch(path + sub, {"metadata": {"annotations": {"of": "others"}}})
    await api.delete(KINDS["ClusterRoleBinding"].path(name="alice-nodes"))
