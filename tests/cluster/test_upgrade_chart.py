"""The chart of the release is upgraded to this tree's and rolled back, on a real kubelet.

Containers run on shares of cards, pods wait for one, others come and go while the quota is at
``hard``: replicas and agents are replaced under them.
"""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import pytest
import pytest_asyncio

import hami_admission
from tests import build
from tests.cluster.api import Api, wait
from tests.cluster.churn import Churn, Watch, bindings, running, settled
from tests.cluster.install import CHART, NAMESPACE, RELEASE, USED, Cluster
from tests.cluster.kinds import KINDS
from tests.cluster.node_machine import FOLDER
from tests.cluster.node_rig import node_pod
from tests.cluster.product import a_quota
from tests.cluster.test_quota import create, shows
from tests.node import regions
from tests.packaging import image, released

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

Json = dict[str, Any]

pytestmark = pytest.mark.timeout(400)

HOOK = FOLDER / "hook"
TRIAL = "helm/examples/trial.yaml"
TEAM = "team"
MOST = 8
"""Cards of the quota."""

IN_USE = 3 << 30
"""Bytes that a container uses of its card."""


class Container(NamedTuple):
    """What must not change of one that runs."""

    id: str
    restarts: int
    printed: str
    cards: str


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The release, on two scripted cards of one node; its logs stay when a test failed."""
    with Cluster(image.release(), image.TREE) as made:
        library(HOOK / "vgpu")
        made.run(
            f"helm install {RELEASE} {released.tree() / CHART} --namespace {NAMESPACE}"
            f" --create-namespace --values {released.tree() / TRIAL} --set agent.isolation=library"
            f" --set agent.hookPath={HOOK} --set scheduler.holdSeconds=10"
            " --set scheduler.replicas=3 --wait --timeout 3m"
        )
        made.run("kubectl label node --all gpu=on")
        made.run(f"kubectl rollout status daemonset/hami-node-agent -n {NAMESPACE} --timeout 60s")
        yield made
        made.plane.keep_logs = bool(request.session.testsfailed)


def library(folder: Path) -> None:
    """What stands for the isolation library on the node."""
    folder.mkdir(parents=True)
    for name in ("libvgpu.so", "ld.so.preload"):
        (folder / name).touch()


@pytest_asyncio.fixture
async def api(cluster: Cluster) -> AsyncIterator[Api]:
    """A client with all rights."""
    plane = cluster.plane
    async with Api(plane.url, plane.ca_file, plane.token("admin")) as client:
        yield client


def sleeper(namespace: str, name: str, memory: int = 100) -> Json:
    """A pod that really runs, and prints what it was given."""
    script = "env | grep -E '^(NVIDIA_VISIBLE|CUDA_)' | sort; exec sleep 600"
    made = node_pod(namespace, name, script)
    main = made["spec"]["containers"][0]
    main |= {"image": USED, "resources": {"limits": build.gpu(1, memory=memory)}}
    return made


async def container(cluster: Cluster, api: Api, name: str) -> Container:
    """Once it runs."""

    async def ask() -> Json:
        pod: Json = await api.get(KINDS["Pod"].path(TEAM, name))
        shown = cluster.node.output(pod)
        return pod if pod["status"]["phase"] == "Running" and "NVIDIA_VISIBLE" in shown else {}

    pod = await wait(ask, f"{name} runs", 60)
    (status,) = pod["status"]["containerStatuses"]
    return Container(
        status["containerID"],
        status["restartCount"],
        cluster.node.output(pod),
        pod["metadata"]["annotations"]["hami.io/vgpu-devices-allocated"],
    )


async def waiting(api: Api, wanted: int) -> set[str]:
    """The pods that found no card at first and have none; waits until there are as many."""
    found: set[str] = set()

    async def ask() -> bool:
        pods = await api.list(KINDS["Pod"].path(TEAM))
        found.clear()
        found.update(
            each["metadata"]["name"]
            for each in pods
            if each["metadata"]["name"].startswith("waits-") and not each["spec"].get("nodeName")
        )
        return len(found) == wanted

    await wait(ask, f"{wanted} pods wait", 60)
    return found


async def use(api: Api, name: str, before: set[str]) -> None:
    """The library of a container says what it uses, in the folder that was made for it."""
    (folder,) = {each.name for each in (HOOK / "vgpu" / "containers").iterdir()} - before
    pod = await api.get(KINDS["Pod"].path(TEAM, name))
    card = pod["metadata"]["annotations"]["hami.io/vgpu-devices-allocated"].partition(",")[0]
    made = regions.new(cards=(card,))
    regions.join(made, 1, data=IN_USE)
    file = HOOK / "vgpu" / "containers" / folder / "usage.cache"
    file.write_bytes(regions.file(made))


async def usage(cluster: Cluster, name: str) -> int:
    """Bytes that the agent says a pod's container uses."""
    (agent,) = await pods_of(cluster, "hami-node-agent")
    url = f"http://{agent['status']['podIP']}:9394/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        text = await answer.text()
    lines = [
        line
        for line in text.splitlines()
        if line.startswith("hami_vgpu_memory_used_bytes{") and f'"{name}"' in line
    ]
    return int(float(lines[0].rpartition(" ")[2])) if lines else 0


async def pods_of(cluster: Cluster, name: str) -> list[Json]:
    """Our pods of that beginning which are not on their way out."""
    listed = await asyncio.to_thread(cluster.get, "pods", f"-n {NAMESPACE}")
    return [
        each
        for each in listed["items"]
        if each["metadata"]["name"].startswith(name) and "deletionTimestamp" not in each["metadata"]
    ]


async def versions(cluster: Cluster) -> set[str]:
    """Of the images that our pods run."""
    found = [*await pods_of(cluster, RELEASE), *await pods_of(cluster, "hami-node-agent")]
    assert len(found) == 4
    names = [each["image"] for pod in found for each in pod["spec"]["containers"]]
    return {
        version for name in names for version in re.findall(r"hami-admission(?:-agent)?:(.+)", name)
    }


async def test_an_upgrade_and_a_rollback_under_creations(cluster: Cluster, api: Api) -> None:
    assert await versions(cluster) == {released.VERSION}
    cluster.run(f"kubectl create namespace {TEAM}")
    await wait(partial(api.get, KINDS["ServiceAccount"].path(TEAM, "default")), "its account")
    await api.apply(a_quota(TEAM, gpu=MOST, gpumem=400_000))
    await shows_nothing(api)
    await create(api, sleeper(TEAM, "uses", memory=80_000))
    uses = await container(cluster, api, "uses")
    await use(api, "uses", set())
    for number in range(2):
        await create(api, sleeper(TEAM, f"runs-{number}", memory=40_000))
        await container(cluster, api, f"runs-{number}")
    for number in range(2):
        await create(api, sleeper(TEAM, f"waits-{number}", memory=40_000))
    audit = cluster.plane.audit(from_now=True)
    churn, watch = Churn(api, TEAM, 4, sleeper), Watch(api, TEAM)
    steps = {
        f"helm upgrade {RELEASE} {CHART} --reset-then-reuse-values": hami_admission.__version__,
        f"helm rollback {RELEASE}": released.VERSION,
    }
    async with running(churn.run, watch.quota, watch.cards):
        for number, (line, version) in enumerate(steps.items()):
            told = f"{line} --namespace {NAMESPACE} --wait --timeout 3m"
            await asyncio.to_thread(cluster.run, told)
            assert await versions(cluster) == {version}
            assert await container(cluster, api, "uses") == uses
            await wait(partial(usage, cluster, "uses"), "the agent shows what is used", 30)
            assert await usage(cluster, "uses") == IN_USE
            # Room comes, and who waited all the time is placed, and started, by the other version.
            before = await waiting(api, 2 - number)
            path = KINDS["Pod"].path(TEAM, f"runs-{number}")
            await api.delete(path, gracePeriodSeconds=0)
            (placed,) = before - await waiting(api, 1 - number)
            assert "GPU-0000000" in (await container(cluster, api, placed)).printed
    await churn.rest()
    await settled(api, TEAM)
    # Only those that were bound while there was no agent.
    pods = await api.list(KINDS["Pod"].path(TEAM), fieldSelector="status.phase=Failed")
    assert {each["status"].get("reason") for each in pods} <= {"UnexpectedAdmissionError"}
    assert churn.failures == []
    assert churn.late <= churn.created / 50
    assert churn.over_quota > 20
    assert watch.wrong == []
    assert max(each["gpu"] for each in watch.seen) == MOST
    assert {name for name, count in bindings(audit, TEAM).items() if count > 1} == set()
    assert await container(cluster, api, "uses") == uses


async def shows_nothing(api: Api) -> None:
    """Wait until the quota is counted."""
    await shows(api, TEAM, gpu=0, gpumem=0)
