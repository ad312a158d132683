"""The agent on a real kubelet: each container sees the cards that its pod was placed on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest_asyncio

from tests import build
from tests.cluster import agents
from tests.cluster.agents import Agent
from tests.cluster.device_plugin import allocated
from tests.cluster.node_rig import NodeRig, node_pod
from tests.cluster.test_node_rig import has_capacity, running
from tests.cluster.test_quota import create

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.cluster.api import Api
    from tests.cluster.control_plane import ControlPlane
    from tests.cluster.product import Product

Json = dict[str, Any]

CARDS = [f"GPU-{n:08}-0000-4000-8000-000000000000" for n in range(8)]
RESOURCE = "nvidia.com/gpu"
SHOWN = "env | grep -E '^(NVIDIA_VISIBLE|CUDA_)' | sort"


@pytest_asyncio.fixture
async def agent(
    node: NodeRig, product: Product, api: Api, control_plane: ControlPlane
) -> AsyncIterator[Agent]:
    """With eight cards, ten shares each."""
    assert product.process is not None
    await agents.install(api)
    made = Agent(node, await agents.configured(control_plane, api, node.name))
    made.install_library()
    made.has(*CARDS)
    made.set(healthquietseconds=1)
    await made.start(api)
    await has_capacity(api, node, RESOURCE, 80)
    yield made
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


async def test_a_container_sees_its_share_and_the_kubelet_names_its_card(
    agent: Agent, node: NodeRig, api: Api, namespace: str
) -> None:
    limits = build.gpu(1, memory=8000, cores=30)
    script = f"{SHOWN}; mount | grep -o '{agent.hook}/vgpu[^ ]*'; sleep 600"
    pod = await create(api, gpu_pod(namespace, "p", limits, script))
    runs = await running(api, pod)
    ((uuid,),) = annotated(runs)
    told = dict(line.split("=", 1) for line in node.output(runs).splitlines() if "=" in line)
    usage = told.pop("CUDA_DEVICE_MEMORY_SHARED_CACHE")
    assert told == {
        "NVIDIA_VISIBLE_DEVICES": uuid,
        "CUDA_DEVICE_MEMORY_LIMIT_0": "8000m",
        "CUDA_DEVICE_SM_LIMIT": "30",
    }
    assert usage.startswith(f"{agent.hook}/vgpu/")
    assert f"{agent.hook}/vgpu/libvgpu.so" in node.output(runs)
    ((device,),) = (await allocated(node, RESOURCE)).values()
    assert device.startswith(uuid)
