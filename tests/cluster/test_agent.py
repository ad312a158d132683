"""The agent on a real kubelet: each container sees the cards that its pod was placed on."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests import build
from tests.cluster import agents
from tests.cluster.agents import Agent
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.device_plugin import allocated, offered
from tests.cluster.images import BUSYBOX
from tests.cluster.kinds import KINDS
from tests.cluster.node_rig import NodeRig, node_pod
from tests.cluster.product import a_quota
from tests.cluster.test_node_rig import has_capacity, running
from tests.cluster.test_quota import create, shows
from tests.cluster.test_serving_charts import asks, containers
from tests.cluster.test_serving_examples import quota, rendered
from tests.serving.test_examples import EXPECTED, JOINED, files
from tests.serving.test_examples import name as name_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.cluster.control_plane import ControlPlane
    from tests.cluster.product import Product

Json = dict[str, Any]

CARDS = [f"GPU-{n:08}-0000-4000-8000-000000000000" for n in range(8)]
RESOURCE = "nvidia.com/gpu"
SHOWN = "env | grep -E '^(NVIDIA_VISIBLE|CUDA_|LIBCUDA)' | sort; echo SHOWN=all"


@pytest_asyncio.fixture
async def agent(
    request: pytest.FixtureRequest,
    node: NodeRig,
    product: Product,
    api: Api,
    control_plane: ControlPlane,
) -> AsyncIterator[Agent]:
    """With eight cards, ten shares each; with the flags of the mark ``flags``."""
    assert product.process is not None
    mark = request.node.get_closest_marker("flags")
    flags = () if mark is None else mark.args
    await agents.install(api, *({"devices"} & {*flags}))
    made = Agent(node, await agents.configured(control_plane, api, node.name), *flags)
    made.install_library()
    made.has(*CARDS)
    made.set(healthquietseconds=1)
    try:
        await made.start(api)
        await has_capacity(api, node, RESOURCE, 80)
        yield made
    finally:
        made.process.stop()


def gpu_pod(namespace: str, name: str, limits: Json, script: str = SHOWN, **spec: Any) -> Json:
    """A pod of the node's image with one container that asks for cards."""
    pod = node_pod(namespace, name, script, **spec)
    pod["spec"]["containers"][0]["resources"] = {"limits": limits}
    return pod


def annotated(pod: Json) -> list[list[str]]:
    """The uuids of each container, in slot order."""
    text = pod["metadata"]["annotations"]["hami.io/vgpu-devices-allocated"]
    return [
        [card.split(",")[0] for card in slot.split(":") if card] for slot in text.split(";")[:-1]
    ]


async def told(
    node: NodeRig, pod: Json, container: str = "main", restart: int = 0
) -> dict[str, str]:
    """The variables that a container has printed, once it has: it runs before it prints."""

    async def ask() -> dict[str, str]:
        lines = node.output(pod, container, restart=restart).splitlines()
        found = dict(line.split("=", 1) for line in lines if "=" in line)
        return found if found.pop("SHOWN", "") else {}

    return await wait(ask, f"{pod['metadata']['name']} has printed", 30)


async def metric(agent: Agent, name: str) -> float:
    """The value of a metric without labels."""
    _, text = await agent.page("metrics")
    return float(re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)[0])


async def test_a_container_sees_its_share_and_the_kubelet_names_its_card(
    agent: Agent, node: NodeRig, api: Api, namespace: str
) -> None:
    limits = build.gpu(1, memory=8000, cores=30)
    script = f"{SHOWN}; mount | grep -o '{agent.hook}/vgpu[^ ]*'; sleep 600"
    pod = await create(api, gpu_pod(namespace, "p", limits, script))
    runs = await running(api, pod)
    ((uuid,),) = annotated(runs)
    variables = await told(node, runs)
    usage = variables.pop("CUDA_DEVICE_MEMORY_SHARED_CACHE")
    assert variables == {
        "NVIDIA_VISIBLE_DEVICES": uuid,
        "CUDA_DEVICE_MEMORY_LIMIT_0": "8000m",
        "CUDA_DEVICE_SM_LIMIT": "30",
        "LIBCUDA_LOG_LEVEL": "1",
    }
    assert usage.startswith(f"{agent.hook}/vgpu/")
    assert f"{agent.hook}/vgpu/libvgpu.so" in node.output(runs)
    ((device,),) = (await allocated(node, RESOURCE)).values()
    assert device.startswith(uuid)


@pytest.mark.pain(8)
async def test_forty_pods_of_a_job_each_see_their_own_card(
    agent: Agent, node: NodeRig, api: Api, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    template = gpu_pod(namespace, "", build.gpu(1, memory=8000, cores=10), f"{SHOWN}; sleep 600")
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j"},
        "spec": {"completions": 40, "parallelism": 40, "template": {"spec": template["spec"]}},
    }
    before = await metric(agent, "hami_admission_agent_answer_seconds_total")
    begun = time.monotonic()
    await api.create(KINDS["Job"].path(namespace), job)

    async def all_run() -> list[Json]:
        pods = await api.list(KINDS["Pod"].path(namespace))
        assert not any(each["status"].get("reason") for each in pods)
        running = [each for each in pods if each["status"]["phase"] == "Running"]
        return running if len(running) == 40 else []

    pods = await wait(all_run, "40 pods run", 60)
    took = time.monotonic() - begun
    share = (await metric(agent, "hami_admission_agent_answer_seconds_total") - before) / took
    with capsys.disabled():
        sys.stdout.write(f"[40 pods in {took:.1f} s, {share:.1%} of it ours] ")
    assert share < 0.05
    given: Counter[str] = Counter()
    for pod in pods:
        ((uuid,),) = annotated(pod)
        variables = await told(node, pod)
        assert variables["NVIDIA_VISIBLE_DEVICES"] == uuid
        assert variables["CUDA_DEVICE_MEMORY_LIMIT_0"] == "8000m"
        assert variables["CUDA_DEVICE_SM_LIMIT"] == "10"
        given[uuid] += 1
    assert max(given.values()) <= 10
    held = await allocated(node, RESOURCE)
    assert len(held) == len({each for ids in held.values() for each in ids}) == 40


async def test_every_container_of_a_pod_has_its_own_cards(
    agent: Agent, node: NodeRig, api: Api, namespace: str
) -> None:
    pod = gpu_pod(namespace, "p", build.gpu(3, percent=25), f"{SHOWN}; sleep 600")
    (main,) = pod["spec"]["containers"]
    side = {**main, "name": "side", "resources": {"limits": build.gpu(1, memory=1000)}}
    first = {**main, "name": "first", "command": ["sh", "-c", SHOWN],
             "resources": {"limits": build.gpu(2, memory=2000)}}  # fmt: skip
    pod["spec"] |= {"initContainers": [first, {**side, "restartPolicy": "Always"}]}
    runs = await running(api, await create(api, pod))
    names = ("first", "side", "main")
    for name, uuids in zip(names, annotated(runs), strict=True):
        variables = await told(node, runs, name)
        assert variables["NVIDIA_VISIBLE_DEVICES"] == ",".join(uuids)
        limits = [key for key in variables if key.startswith("CUDA_DEVICE_MEMORY_LIMIT_")]
        assert len(limits) == len(uuids)
    assert (await told(node, runs))["CUDA_DEVICE_MEMORY_LIMIT_2"] == "20480m"
    assert (await told(node, runs))["CUDA_DEVICE_SM_LIMIT_2"] == "0"
    held = await allocated(node, RESOURCE)
    assert len({each.rpartition("-")[0] for each in held[namespace, "p", "main"]}) == 3


async def test_pods_of_the_same_moment_and_a_container_that_restarts_have_their_own(
    agent: Agent, node: NodeRig, api: Api, namespace: str
) -> None:
    script = f"{SHOWN}; [ -e /usr/local/again ] || sleep 2; exit 1"
    made = [
        gpu_pod(namespace, f"p{n}", build.gpu(1, memory=1000 + n), script, restartPolicy="Always")
        for n in range(6)
    ]
    pods = await asyncio.gather(*(create(api, each) for each in made))

    async def restarted(name: str) -> Json:
        pod: Json = await api.get(KINDS["Pod"].path(namespace, name))
        return pod if restarts(pod) else {}

    async def sees_its_own(n: int) -> None:
        """Before and after: of a container that has ended the kubelet keeps the last log alone."""
        pod = await wait(partial(restarted, f"p{n}"), f"p{n} has restarted", 90)
        ((uuid,),) = annotated(pod)
        for restart in (restarts(pod) - 1, restarts(pod)):
            variables = await told(node, pod, restart=restart)
            assert variables["NVIDIA_VISIBLE_DEVICES"] == uuid
            assert variables["CUDA_DEVICE_MEMORY_LIMIT_0"] == f"{1000 + n}m"

    await asyncio.gather(*(sees_its_own(n) for n in range(len(pods))))


def restarts(pod: Json) -> int:
    """How often its container was started anew."""
    statuses = pod["status"].get("containerStatuses", [{}])
    return int(statuses[0].get("restartCount", 0))


async def test_a_sick_card_takes_no_new_pods_and_serves_again_when_it_is_well(
    agent: Agent, node: NodeRig, api: Api, namespace: str
) -> None:
    holder = await running(
        api, await create(api, gpu_pod(namespace, "holder", build.gpu(1, memory=1000), "sleep 600"))
    )
    ((sick,),) = annotated(holder)
    agent.has(*CARDS, sick=[{"card": sick, "kind": "xid", "code": 79}])

    async def known() -> bool:
        return not any(each["id"] == sick and each.get("health") for each in
                       await agents.registered(api, node.name))  # fmt: skip

    begun = time.monotonic()
    await wait(known, "the sick card registered as such")
    assert time.monotonic() - begun < 2  # the file is read within 0.2 s; a second is promised
    await asyncio.sleep(0.3)
    for n in range(12):
        pod = gpu_pod(namespace, f"p{n}", build.gpu(1, memory=9000), "sleep 600")
        pod["metadata"]["annotations"] = {"hami.io/gpu-scheduler-policy": "binpack"}
        done = await running(api, await create(api, pod))
        assert annotated(done) != [[sick]]
    after = await api.get(KINDS["Pod"].path(namespace, "holder"))
    assert after["status"]["phase"] == "Running"
    (event,) = await wait(lambda: told_of(api, namespace, "holder", "CardSick"), "pod told")
    assert "Xid 79" in event["message"]
    agent.has(*CARDS)

    async def well() -> bool:
        return all(each.get("health") for each in await agents.registered(api, node.name))

    await wait(well, "the card is well")
    pod = gpu_pod(namespace, "again", build.gpu(1, memory=9000), "sleep 600")
    pod["metadata"]["annotations"] = {"nvidia.com/use-gpuuuid": sick}
    assert annotated(await running(api, await create(api, pod))) == [[sick]]


SIZES = (
    ("1g.10gb", 9728, 14, 1, [[n, 1] for n in range(7)]),
    ("3g.40gb", 40192, 42, 3, [[0, 4], [4, 4]]),
    ("7g.80gb", 80896, 98, 7, [[0, 8]]),
)
CUT: Json = {
    "mig": True,
    "profiles": [
        {"name": name, "memoryMiB": memory, "multiprocessors": sm, "slices": slices,
         "instances": len(places), "places": places}
        for name, memory, sm, slices, places in SIZES
    ],
}  # fmt: skip


async def noted(api: Api, node: NodeRig) -> Json:
    """The annotations of the node."""
    notes: Json = (await api.get(KINDS["Node"].path(name=node.name)))["metadata"]["annotations"]
    return notes


@pytest.mark.timeout(180)
async def test_instances_are_made_before_a_pod_is_bound_and_make_room_when_it_is_gone(
    agent: Agent, node: NodeRig, api: Api, namespace: str
) -> None:
    await agents.install(api, "mig")
    agent.process.stop()
    agent.has(CARDS[0], **CUT)
    agent.set(operatingmode="mig")
    await agent.start(api)
    await has_capacity(api, node, RESOURCE, 7)
    script = f"{SHOWN}; sleep 600"
    seen = set()
    for name, memory in (("small", 5000), ("half", 30000)):
        pod = await create(api, gpu_pod(namespace, name, build.gpu(1, memory=memory), script))
        runs = await running(api, pod)
        (made,) = json.loads(runs["metadata"]["annotations"]["hami.io/vgpu-mig-allocations"])
        variables = await told(node, runs)
        assert variables["NVIDIA_VISIBLE_DEVICES"] == made["migUUID"]
        assert "CUDA_DEVICE_MEMORY_SHARED_CACHE" not in variables
        seen.add((made["profile"], made["migUUID"]))
    assert {profile for profile, _ in seen} == {"1g.10gb", "3g.40gb"}
    answer = json.loads((await noted(api, node))["hami.io/mig-instances"])
    assert {(each["profile"], each["migUUID"]) for each in answer["instances"]} == seen

    whole = gpu_pod(namespace, "whole", build.gpu(1, memory=80000), script)
    await create(api, whole)
    await says(api, namespace, "whole", "CardMigTopologyInfeasible")
    for name in ("small", "half"):
        await api.delete(KINDS["Pod"].path(namespace, name), gracePeriodSeconds=0)
    runs = await running(api, await api.get(KINDS["Pod"].path(namespace, "whole")))
    answer = json.loads((await noted(api, node))["hami.io/mig-instances"])
    ((left,),) = [answer["instances"]]
    assert left["profile"] == "7g.80gb"
    assert (await told(node, runs))["NVIDIA_VISIBLE_DEVICES"] == left["migUUID"]

    async def tidy() -> bool:
        return not any("mig-wanted" in key for key in await noted(api, node))

    await wait(tidy, "nothing is wanted any more")
    await api.delete(KINDS["Pod"].path(namespace, "whole"), gracePeriodSeconds=0)

    agent.process.kill()
    await create(api, gpu_pod(namespace, "later", build.gpu(1, memory=5000), script))
    await says(api, namespace, "later", "does hami-admission's agent run")
    await agent.start(api)
    path = KINDS["Pod"].path(namespace, "later")

    async def runs_later() -> Json:
        pod: Json = await api.get(path)
        return pod if pod["status"].get("phase") == "Running" else {}

    later = await wait(runs_later, "bound after kube-scheduler's back-off of half a minute", 60)
    assert (await told(node, later))["NVIDIA_VISIBLE_DEVICES"].startswith("MIG-")


async def says(api: Api, namespace: str, name: str, words: str) -> None:
    """Wait for an event about the pod that has these words."""

    async def ask() -> bool:
        found = await api.list(KINDS["Event"].path(namespace))
        return any(
            words in each.get("message", "") and each["involvedObject"]["name"] == name
            for each in found
        )

    await wait(ask, f"{name} is told {words}", 30)


async def told_of(api: Api, namespace: str, name: str, reason: str) -> list[Json]:
    """Events about an object."""
    return [
        each
        for each in await api.list(KINDS["Event"].path(namespace))
        if (each["reason"], each["involvedObject"]["name"]) == (reason, name)
    ]


@pytest.mark.parametrize("path", files(), ids=name_of)
async def test_the_values_of_a_serving_chart_run_on_the_cards_that_they_ask_for(
    agent: Agent, node: NodeRig, api: Api, namespace: str, path: Path
) -> None:
    """By busybox; what a server would do with its share, no card is here for."""
    if name_of(path) in JOINED:
        agent.process.stop()  # links are looked at every half minute
        agent.has(*CARDS, links=[{"cards": CARDS[2:4], "nvlinks": 12}])
        await agent.start(api)
        await has_capacity(api, node, RESOURCE, 80)
    await api.apply(quota(path, namespace))
    await api.apply(*(small(each) for each in rendered(path, namespace)))
    expected = sorted(card for each in EXPECTED[name_of(path)][1] for card in each)
    assert sorted(await seen_by_servers(api, node, namespace, expected)) == expected


def small(deployment: Json) -> Json:
    """With busybox in all containers, which say what they see."""
    pod = deployment["spec"]["template"]["spec"]
    pod["terminationGracePeriodSeconds"] = 0
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        script = f"{SHOWN}; {'sleep 600' if container in pod['containers'] else 'true'}"
        container |= {"image": BUSYBOX, "command": ["sh", "-c", script], "args": []}
        for half in container.get("resources", {}).values():
            half |= {"cpu": "10m", "memory": "8Mi"}
    return deployment


async def seen_by_servers(
    api: Api, node: NodeRig, namespace: str, expected: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """MiB and cores of each card, as the containers of the namespace have printed them."""

    async def all_run() -> list[Json]:
        pods = [each for each in await api.list(KINDS["Pod"].path(namespace)) if asks(each)]
        cards = [card for pod in pods if bound_to(pod) for slot in annotated(pod) for card in slot]
        done = all(each["status"]["phase"] == "Running" for each in pods)
        return pods if done and len(cards) == len(expected) else []

    found = []
    for pod in await wait(all_run, f"pods with {len(expected)} cards run", 30):
        for slot, container in zip(annotated(pod), containers(pod), strict=True):
            if slot:
                variables = await told(node, pod, container["name"])
                assert variables["NVIDIA_VISIBLE_DEVICES"].split(",") == slot
                cores = int(variables["CUDA_DEVICE_SM_LIMIT"])
                sizes = [variables[f"CUDA_DEVICE_MEMORY_LIMIT_{n}"] for n in range(len(slot))]
                found += [(int(size.removesuffix("m")), cores) for size in sizes]
    return found


def bound_to(pod: Json) -> str:
    """The node of a pod, or nothing."""
    return str(pod["spec"].get("nodeName", ""))


@pytest.mark.timeout(180)
async def test_another_plugin_for_the_same_resource_is_told_of_and_loses_it(
    agent: Agent, node: NodeRig, api: Api
) -> None:
    for count in (1, 2):

        async def told_again(count: int = count) -> Json:
            found = await told_of(api, "default", node.name, "OtherDevicePlugin")
            return found[0] if found and found[0]["count"] >= count else {}

        async with offered(node, RESOURCE, ["GPU-of-another-0", "GPU-of-another-1"]):
            event = await wait(told_again, "node told", 40)
            assert "GPU-of-another-0" in event["message"]
            await has_capacity(api, node, RESOURCE, 80)
    _, text = await agent.page("metrics")
    assert "hami_admission_agent_foreign_devices" in text


RESTARTS = ("agent", "kubelet", "containerd")


@pytest.mark.parametrize("part", RESTARTS)
async def test_what_is_killed_comes_back_and_pods_run_on(
    agent: Agent, node: NodeRig, api: Api, namespace: str, part: str
) -> None:
    limits = build.gpu(1, memory=1000)
    await api.apply(a_quota(namespace, gpu=20))
    await shows(api, namespace, gpu=0)
    stays = await running(api, await create(api, gpu_pod(namespace, "stays", limits, "sleep 600")))
    process = agent.process if part == "agent" else getattr(node, part)
    process.kill()
    during = [
        await create(api, gpu_pod(namespace, f"during-{n}", limits, f"{SHOWN}; sleep 600"))
        for n in range(3)
    ]
    process.start()
    await agent.ready()
    await has_capacity(api, node, RESOURCE, 80)
    later = await create(api, gpu_pod(namespace, "later", limits, f"{SHOWN}; sleep 600"))
    runs = await running(api, later)
    assert [[(await told(node, runs))["NVIDIA_VISIBLE_DEVICES"]]] == annotated(runs)
    after = await api.get(KINDS["Pod"].path(namespace, "stays"))
    assert after["status"]["phase"] == "Running"
    assert after["status"]["containerStatuses"] == stays["status"]["containerStatuses"]
    run = 2
    for pod in during:  # design.md 5: right, or failed for good; never on other cards
        found = await settled(api, pod)
        if found["status"]["phase"] == "Running":
            run += 1
            assert [[(await told(node, found))["NVIDIA_VISIBLE_DEVICES"]]] == annotated(found)
        else:
            assert found["status"]["reason"] == "UnexpectedAdmissionError"
    await shows(api, namespace, gpu=run)


async def settled(api: Api, pod: Json, seconds: float = 60) -> Json:
    """The pod once it runs or has failed."""
    path = KINDS["Pod"].path(pod["metadata"]["namespace"], pod["metadata"]["name"])

    async def ask() -> Json:
        found: Json = await api.get(path)
        return found if found["status"]["phase"] in {"Running", "Failed"} else {}

    return await wait(ask, f"{pod['metadata']['name']} settled", seconds)


async def test_nobody_changes_what_a_container_sees_after_the_binding(
    agent: Agent, node: NodeRig, api: Api, namespace: str, control_plane: ControlPlane
) -> None:
    runs = await running(
        api, await create(api, gpu_pod(namespace, "p", build.gpu(1), f"{SHOWN}; sleep 600"))
    )
    forged = {"hami.io/env-0.nvidia-visible-devices": CARDS[7]}
    async with Api(control_plane.url, control_plane.ca_file, control_plane.token("user")) as user:
        with pytest.raises(ApiFailure, match="written by the scheduler only"):
            await user.patch(
                KINDS["Pod"].path(namespace, "p"), {"metadata": {"annotations": forged}}
            )
    assert [[(await told(node, runs))["NVIDIA_VISIBLE_DEVICES"]]] == annotated(runs)


@pytest.mark.flags("--mode", "devices")
async def test_by_devices_each_pod_gets_the_cards_that_it_was_placed_on(
    agent: Agent, node: NodeRig, api: Api, namespace: str
) -> None:
    for n in range(6):
        pod = gpu_pod(namespace, f"p{n}", build.gpu(1 + n % 2, memory=1000), "sleep 600")
        runs = await running(api, await create(api, pod))
        held = (await allocated(node, RESOURCE))[namespace, f"p{n}", "main"]
        assert sorted(each.rpartition("-")[0] for each in held) == sorted(annotated(runs)[0])
    assert await metric(agent, "hami_admission_agent_mismatches_total") == 0


@pytest.mark.flags("--mode", "devices")
async def test_by_devices_a_pod_on_other_cards_never_runs_and_goes(
    agent: Agent, node: NodeRig, api: Api, namespace: str
) -> None:
    agent.set(healthquietseconds=1, enablegetpreferredallocation=False)  # the kubelet chooses
    await asyncio.sleep(6)
    (other,) = CARDS[7:]
    pod = gpu_pod(namespace, "p", build.gpu(1, memory=1000), "echo started; sleep 600")
    pod["metadata"]["annotations"] = {"nvidia.com/use-gpuuuid": other}
    made = await create(api, pod)

    async def gone() -> bool:
        try:
            found = await api.get(KINDS["Pod"].path(namespace, "p"))
        except ApiFailure as failure:
            return failure.status == 404
        assert found["status"]["phase"] != "Running"
        return False

    await wait(gone, "the pod has gone", 60)
    assert node.output(made) == ""
    (event,) = await wait(lambda: told_of(api, namespace, "p", "OtherCards"), "pod told")
    assert other in event["message"]
    assert await metric(agent, "hami_admission_agent_mismatches_total") >= 1


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param("environment", marks=pytest.mark.flags("--mode", "environment")),
        pytest.param("devices", marks=pytest.mark.flags("--mode", "devices")),
    ],
)
@pytest.mark.probe(12)
async def test_a_container_that_nobody_placed_never_starts(
    agent: Agent, node: NodeRig, api: Api, namespace: str, mode: str
) -> None:
    """As of a pod that waited before the product was installed, and was bound by another."""
    name = f"early-by-{mode}"
    path = KINDS["Pod"].path("kube-system", name)
    pod = gpu_pod("kube-system", name, {RESOURCE: "1"}, "echo started; sleep 600")
    pod["spec"]["containers"][0]["env"] = [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]
    made = await api.create(KINDS["Pod"].path("kube-system"), pod)
    try:
        target = {"apiVersion": "v1", "kind": "Node", "name": node.name}
        await api.create(f"{path}/binding", {"metadata": {"name": name}, "target": target})
        (event,) = await wait(
            lambda: told_of(api, "kube-system", name, "NotPlaced"), "it is told of", 60
        )
        assert "delete the pod and create it again" in event["message"]
        found = await api.get(path)
        assert "running" not in found["status"]["containerStatuses"][0]["state"]
        assert node.output(made) == ""
        assert await metric(agent, "hami_admission_agent_not_placed_total") >= 1
        assert await metric(agent, "hami_admission_agent_unchecked_total") == 0
    finally:
        await api.delete(path, gracePeriodSeconds=0)
    pod["metadata"]["namespace"] = namespace
    del pod["spec"]["containers"][0]["env"]
    await running(api, await create(api, pod))


@pytest.mark.timeout(400)
async def test_the_api_server_may_be_away_for_a_minute(
    agent: Agent, node: NodeRig, api: Api, namespace: str, product: Product
) -> None:
    limits, control_plane = build.gpu(1, memory=1000), product.plane
    stays = await running(api, await create(api, gpu_pod(namespace, "stays", limits, "sleep 600")))
    control_plane.apiserver.kill()
    agent.has(*CARDS, sick=[{"card": CARDS[0], "kind": "xid", "code": 79}])
    await asyncio.sleep(60)
    assert agent.process.running
    control_plane.apiserver.start()
    await asyncio.to_thread(control_plane.apiserver.await_ready)
    await product.ensure(api)  # kube-scheduler has lost its Lease, and ended

    async def caught_up() -> bool:
        cards = await agents.registered(api, node.name)
        return [each["id"] for each in cards if not each.get("health")] == [CARDS[0]]

    await wait(caught_up, "what befell meanwhile is registered", 60)
    later = await create(api, gpu_pod(namespace, "later", limits, f"{SHOWN}; sleep 600"))
    runs = await settled(api, later, 150)  # the kubelet's own back-off
    assert [[(await told(node, runs))["NVIDIA_VISIBLE_DEVICES"]]] == annotated(runs) != [[CARDS[0]]]
    after = await api.get(KINDS["Pod"].path(namespace, "stays"))
    assert after["status"]["containerStatuses"] == stays["status"]["containerStatuses"]
    # These have backed off for longer than the next test waits.
    await asyncio.to_thread(control_plane.controller_manager.restart)
    await asyncio.to_thread(node.kubelet.restart)
