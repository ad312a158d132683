"""Annotations of the decision that did not come with our Binding: nobody brings them into a pod.

Users create pods through controllers, too, which act under accounts of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests import build
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.conftest import guards
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kinds import KINDS
from tests.cluster.node_rig import RIGHTS
from tests.cluster.product import Product, a_quota, node_annotations
from tests.cluster.test_placement import placed
from tests.cluster.test_quota import create, gpu_pod, shows
from tests.cluster.test_waiting import told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Json = dict[str, Any]

ALL = {
    "hami.io/env-0.NVIDIA_VISIBLE_DEVICES": "all",
    "hami.io/vgpu-devices-allocated": "GPU-n1-0,NVIDIA,81920,100:;",
}
SOURCE = {"fieldRef": {"fieldPath": "metadata.annotations['hami.io/env-0.NVIDIA_VISIBLE_DEVICES']"}}
SEES_ALL = build.container(env=[{"name": "NVIDIA_VISIBLE_DEVICES", "valueFrom": SOURCE}])
WORKLOADS = ("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job")
APPS = {"apps/v1": {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"}, "batch/v1": {"Job"}}
REFUSED = "written by the scheduler only"


def workload(kind: str, container: Json, annotations: Json) -> Json:
    """With a template of our scheduler that has these annotations."""
    labels = {"app": kind.lower()}
    spec: Json = {
        "template": {
            "metadata": {"labels": labels, "annotations": annotations},
            "spec": {"containers": [container], "schedulerName": "hami-scheduler"},
        }
    }
    if kind == "Job":
        spec["template"]["spec"]["restartPolicy"] = "Never"
    else:
        spec["selector"] = labels if kind == "ReplicationController" else {"matchLabels": labels}
    if kind == "StatefulSet":
        spec["serviceName"] = "none"
    version = next((version for version, kinds in APPS.items() if kind in kinds), "v1")
    return {"apiVersion": version, "kind": kind, "metadata": {"name": kind.lower()}, "spec": spec}


@pytest.fixture(params=[True, False], ids=["accounts", "one account"])
async def cluster(
    request: pytest.FixtureRequest, installed: Product, api: Api
) -> AsyncIterator[Product]:
    """With an account for each controller, and with the same for all."""
    if request.param:
        await installed.ensure(api)
        yield installed
        return
    installed.stop(quickly=True)
    with ControlPlane(controller_accounts=False) as plane:
        made = Product(plane)
        async with Api(plane.url, plane.ca_file, plane.token("admin")) as admin:
            await made.ensure(admin)
        yield made
        made.stop(quickly=True)


@pytest.mark.timeout(300)
@pytest.mark.probe(1)
async def test_no_controller_brings_them_for_its_user(cluster: Product) -> None:
    plane, namespace = cluster.plane, "default"
    async with (
        Api(plane.url, plane.ca_file, plane.token("admin")) as admin,
        Api(plane.url, plane.ca_file, plane.token("user")) as alice,
    ):
        notes = node_annotations("n1", 1)
        await admin.add_node("n1", annotations=notes, extra={"nvidia.com/gpu": "10"})
        await admin.apply(a_quota(namespace, gpu=1, gpumem=1000))
        await shows(admin, namespace, gpu=0, gpumem=0)
        # A new API server takes a moment to know its policies and roles.
        await wait(lambda: _guarded(admin, namespace), "the policies are in force")
        await wait(lambda: alice.get(f"{KINDS['Pod'].path(namespace)}?limit=1"), "alice may")
        for kind in WORKLOADS:
            path = KINDS[kind].path(namespace)
            await alice.create(path, workload(kind, build.container(), ALL))
        # Of what both policies refuse, each API server tells one by an order of its own.
        for name, annotations in (("source", {}), ("both", ALL)):
            document = workload("Deployment", SEES_ALL, annotations)
            document["metadata"]["name"] = name
            document["spec"]["selector"]["matchLabels"] = {"app": name}
            document["spec"]["template"]["metadata"]["labels"] = {"app": name}
            await alice.create(KINDS["Deployment"].path(namespace), document)
        # A Deployment's pods are its ReplicaSet's to create.
        missing = {*WORKLOADS, "source", "both"} - {"Deployment"}

        async def heard() -> bool:
            for event in await admin.list(KINDS["Event"].path(namespace)):
                message, told_of = event["message"], event["involvedObject"]
                sourced = "asks for no accelerator" in message
                if REFUSED in message:
                    missing.discard(told_of["kind"])
                if sourced and told_of["name"].startswith("source-"):
                    missing.discard("source")
                if (sourced or REFUSED in message) and told_of["name"].startswith("both-"):
                    missing.discard("both")
            return not missing

        try:
            await wait(heard, "each controller is refused", 90)
        except AssertionError as error:
            error.add_note(f"not refused: {missing}")
            raise
        assert await admin.list(KINDS["Pod"].path(namespace)) == []
        await shows(admin, namespace, gpu=0, gpumem=0)
        told_of, *_ = [
            each["message"]
            for each in await admin.list(KINDS["Event"].path(namespace))
            if each["involvedObject"]["name"] == "daemonset" and REFUSED in each["message"]
        ]
        assert all(name in told_of for name in ALL)
        for kind in WORKLOADS:
            await admin.delete(KINDS[kind].path(namespace), propagationPolicy="Background")
        await admin.delete(KINDS["ResourceQuota"].path(namespace))
        await admin.delete(KINDS["Node"].path())


@pytest.mark.parametrize("who", ["admin", "plugin"])
async def test_nobody_copies_a_pod_with_them(
    product: Product, api: Api, namespace: str, who: str
) -> None:
    """As kubectl debug --copy-to and a restore of pods do."""
    plane = product.plane
    notes = node_annotations("n1", 1)
    await api.add_node("n1", annotations=notes, extra={"nvidia.com/gpu": "10"})
    await create(api, gpu_pod(namespace, "p", memory=1000))
    pod = await placed(api, namespace, "p")
    found = {k: v for k, v in pod["metadata"]["annotations"].items() if k.startswith("hami.io/")}
    copy = build.pod_json(build.container(), name="copy", namespace=namespace, annotations=found)
    async with Api(plane.url, plane.ca_file, plane.token(who)) as somebody:
        with pytest.raises(ApiFailure) as refused:
            await somebody.create(KINDS["Pod"].path(namespace), copy)
    assert "remove them from a copy of a pod: hami.io/" in refused.value.message


async def test_a_kubelet_shows_a_static_pod_as_it_is_and_it_holds_nothing(
    product: Product, api: Api, namespace: str
) -> None:
    plane = product.plane
    await api.add_node("rig-node", annotations=node_annotations("rig-node", 1))
    notes = {"kubernetes.io/config.mirror": "x", "hami.io/vgpu-node": "rig-node"}
    owner = {"apiVersion": "v1", "kind": "Node", "name": "rig-node", "controller": True}
    node = await api.get(KINDS["Node"].path(name="rig-node"))
    mirror = build.pod_json(
        build.container(),
        name="static-rig-node",
        namespace=namespace,
        annotations=notes,
        nodeName="rig-node",
    )
    mirror["metadata"]["ownerReferences"] = [{**owner, "uid": node["metadata"]["uid"]}]
    mirror["spec"]["automountServiceAccountToken"] = False
    await api.apply(RIGHTS)
    async with Api(plane.url, plane.ca_file, plane.token("kubelet")) as kubelet:
        path = KINDS["Pod"].path(namespace)
        made = await wait(lambda: kubelet.create(path, mirror), "the mirror")
        assert made["metadata"]["annotations"]["hami.io/vgpu-node"] == "rig-node"
    async with Api(plane.url, plane.ca_file, plane.token("user")) as alice:
        mirror["metadata"]["name"] = "by-alice"
        with pytest.raises(ApiFailure):
            await alice.create(path, mirror)


async def test_cards_that_a_pod_does_not_ask_for_do_not_count_and_are_told_of(
    product: Product, api: Api, namespace: str
) -> None:
    """Written by an account that may: of a namespace of device plugins."""
    plane = product.plane
    notes = node_annotations("n1", 1)
    await api.add_node("n1", annotations=notes, extra={"nvidia.com/gpu": "10"})
    await api.apply(a_quota(namespace, gpu=1, gpumem=81920))
    await shows(api, namespace, gpu=0, gpumem=0)
    path = KINDS["Pod"].path(namespace)
    plain = build.pod_json(
        build.container(), name="plain", namespace=namespace, schedulerName="hami-scheduler"
    )
    await api.create(path, plain)
    await wait(lambda: _node(api, f"{path}/plain"), "bound")
    async with Api(plane.url, plane.ca_file, plane.token("plugin")) as plugin:
        await plugin.patch(f"{path}/plain", {"metadata": {"annotations": ALL}})
    (event,) = await wait(
        lambda: told(api, namespace, "CardsNotAskedFor", "plain"), "it is told of"
    )
    assert "GPU-n1-0" in event["message"]
    await create(api, gpu_pod(namespace, "whole", memory=81920))
    await placed(api, namespace, "whole")
    await shows(api, namespace, gpu=1, gpumem=81920)


async def test_a_plugin_writes_on_pods_that_have_a_node(
    product: Product, api: Api, namespace: str
) -> None:
    plane = product.plane
    path = KINDS["Pod"].path(namespace)
    await create(api, gpu_pod(namespace, "waits", memory=1000))
    foreign = build.pod_json(
        build.container(), name="of-volcano", namespace=namespace, schedulerName="volcano"
    )
    await api.create(path, foreign)
    patch = {"metadata": {"annotations": ALL}}
    async with Api(plane.url, plane.ca_file, plane.token("plugin")) as plugin:
        with pytest.raises(ApiFailure, match=REFUSED):
            await plugin.patch(f"{path}/waits", patch)
        await plugin.patch(f"{path}/of-volcano", patch)


async def _guarded(api: Api, namespace: str) -> bool:
    wanted = {"hami-admission-annotations", "hami-admission-devices"}
    return wanted <= await guards(api, namespace)


async def _node(api: Api, path: str) -> str:
    return str((await api.get(path))["spec"].get("nodeName", ""))
