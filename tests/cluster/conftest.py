"""Fixtures of the tests against a real control plane."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests import build
from tests.cluster import audit, network
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kinds import KINDS
from tests.cluster.node_rig import LABEL, NodeRig
from tests.cluster.product import Product, manifests
from tests.cluster.replicas import Replicas

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    Switch = Callable[[], Awaitable[Product]]
    Json = dict[str, Any]

WITHOUT_KUBELET = f"!{LABEL}"
APART = ("mutating.yaml", "validating.yaml", "policy.yaml")


LONG = (
    *("test_agent.py", "test_install.py", "test_image.py", "test_upgrade_chart.py"),
    *("test_upgrade_crash.py", "test_upgrade.py", "test_crash.py", "test_doctor.py"),
    *("test_migration_versions.py", "test_handover.py"),
)
"""Files of more than a minute, the longest first: begun last, one would be waited for alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; workers take files in order."""
    ranks = {name: rank for rank, name in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(LONG)))


@pytest.fixture(scope="session", autouse=True)
def own_network() -> None:
    """The rig's addresses are fixed: workers beside each other have a network each."""
    network.enter()


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """One control plane for all tests; its logs stay when a test failed."""
    with ControlPlane() as plane:
        yield plane
        plane.keep_logs = bool(request.session.testsfailed)
        if folder := os.environ.get(audit.LOGS):
            shutil.copy(plane.logs / "audit.log", Path(folder, f"{secrets.token_hex(4)}.log"))


@pytest_asyncio.fixture
async def api(control_plane: ControlPlane) -> AsyncIterator[Api]:
    """A client with all rights."""
    async with Api(
        control_plane.url, control_plane.ca_file, control_plane.token("admin")
    ) as client:
        yield client


@pytest.fixture(scope="module")
def node(control_plane: ControlPlane) -> Iterator[NodeRig]:
    """A real node, with kubelet and containerd; one for the tests of a file."""
    with NodeRig(control_plane) as rig:
        yield rig


@pytest.fixture(scope="session")
def installed(control_plane: ControlPlane) -> Iterator[Product]:
    """The product, not necessarily running."""
    product = Product(control_plane)
    yield product
    product.stop()


@pytest_asyncio.fixture
async def product(installed: Product, api: Api) -> AsyncIterator[Product]:
    """The product, running; at the end every node is gone but one that has a kubelet."""
    await installed.ensure(api)
    yield installed
    await api.delete(KINDS["Node"].path(), labelSelector=WITHOUT_KUBELET)


@pytest_asyncio.fixture
async def replicas(product: Product, api: Api) -> AsyncIterator[Replicas]:
    """Three, with their kube-schedulers."""
    made = Replicas(product)
    try:
        await made.start(api)
        yield made
    finally:
        await made.stop()


def _tries() -> dict[str, Json]:
    """What each guard of ours refuses or changes, and no other does."""
    named = {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}
    card = build.container(limits=build.gpu(1))
    forged = {"hami.io/vgpu-node": "n"}
    return {
        "webhooks": build.pod_json(card),
        "hami-admission": build.pod_json(card, labels={"hami.io/webhook": "ignore"}),
        "hami-admission-annotations": build.pod_json(build.container(), annotations=forged),
        "hami-admission-devices": build.pod_json(build.container(env=[named])),
    }


async def guards(api: Api, namespace: str) -> set[str]:
    """Those that are in force."""
    return {name for name, pod in _tries().items() if await _meets(api, namespace, pod)}


async def _meets(api: Api, namespace: str, pod: Json) -> bool:
    """Is it refused, or made otherwise?"""
    pod["metadata"] |= {"name": "try", "namespace": namespace}
    try:
        made = await api.create(KINDS["Pod"].path(namespace), pod, dryRun="All")
    except ApiFailure:
        return True
    found, sent = (each["spec"]["containers"][0].get("env") for each in (made, pod))
    return bool(found != sent)


@pytest_asyncio.fixture
async def switch(installed: Product, api: Api, namespace: str) -> AsyncIterator[Switch]:
    """A cluster without anything of ours; called, it installs and starts the product."""
    await installed.ensure(api)
    installed.stop(quickly=True)
    configurations = [each for name in APART for each in manifests(name)]
    for each in configurations:
        await api.delete(KINDS[each["kind"]].path(name=each["metadata"]["name"]))

    async def bare() -> bool:
        return not await guards(api, namespace)

    await wait(bare, "nothing of ours in the way")

    async def guarded() -> bool:
        return await guards(api, namespace) == _tries().keys()

    async def to_ours() -> Product:
        await api.apply(*configurations)
        await installed.ensure(api)
        await wait(guarded, "webhooks and policies in force")
        return installed

    yield to_ours
    if not await guarded():
        await to_ours()
    await api.delete(KINDS["Node"].path(), labelSelector=WITHOUT_KUBELET)


@pytest_asyncio.fixture
async def namespace(api: Api) -> AsyncIterator[str]:
    """A namespace of the test's own, where pods can be created."""
    name = f"test-{secrets.token_hex(4)}"
    await api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    account = KINDS["ServiceAccount"].path(name, "default")
    await wait(lambda: api.get(account), f"default service account of {name}")
    yield name
    # The namespace first: from then on no controller can create pods anew. It goes in the
    # background; pods on nodes without a kubelet would stay, so they are deleted by force.
    await api.delete(KINDS["Namespace"].path(name=name))
    for kind in (
        "Service",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "CronJob",
        "ReplicaSet",
    ):
        await api.delete(KINDS[kind].path(name), propagationPolicy="Background")
    await api.delete(KINDS["Pod"].path(name), gracePeriodSeconds=0)
