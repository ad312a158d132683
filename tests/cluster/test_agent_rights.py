"""What the agent may write: annotations of its own node, and nothing else, by its token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.cluster import agents
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.cluster.control_plane import ControlPlane
    from tests.cluster.product import Product

Json = dict[str, Any]
OWN, OTHER = KINDS["Node"].path(name="n1"), KINDS["Node"].path(name="n2")
WANTED, HANDSHAKE = "hami.io/mig-wanted.u", "hami.io/node-handshake"
REGISTER = "hami.io/node-nvidia-register"


@pytest_asyncio.fixture
async def agent(api: Api, control_plane: ControlPlane, product: Product) -> AsyncIterator[Api]:
    """Requests with the token of the agent on n1."""
    await agents.install(api)
    for name in ("n1", "n2"):
        await api.add_node(name, annotations={"of": "somebody"})
    token = await agents.token(api, "n1")
    async with Api(control_plane.url, control_plane.ca_file, token) as client:

        async def holds() -> bool:
            try:
                await client.patch(f"{OTHER}?dryRun=All", notes(**{REGISTER: "[]"}))
            except ApiFailure as failure:
                return "own Node" in failure.message
            return False

        await wait(holds, "the policy in force")
        yield client
    await api.delete(KINDS["Pod"].path("hami-system"), gracePeriodSeconds=0)


def notes(**given: str | None) -> Json:
    return {"metadata": {"annotations": given}}


async def test_it_writes_the_annotations_of_its_own_node(agent: Api, api: Api) -> None:
    written = await agent.patch(OWN, notes(**{REGISTER: "[]"}))
    assert written["metadata"]["annotations"][REGISTER] == "[]"
    made = await agent.patch(OWN, notes(**{"hami.io/mig-instances": "{}"}))
    assert made["metadata"]["annotations"]["hami.io/mig-instances"] == "{}"
    for theirs in (WANTED, HANDSHAKE):
        await api.patch(OWN, notes(**{theirs: "{}"}))
        done = await agent.patch(OWN, notes(**{theirs: None}))
        assert theirs not in done["metadata"]["annotations"]
    gone = await agent.patch(OWN, notes(**{REGISTER: None}))
    assert REGISTER not in gone["metadata"]["annotations"]


FORBIDDEN: dict[str, tuple[str, Json]] = {
    "another node": (OTHER, notes(**{REGISTER: "[]"})),
    "a label": (OWN, {"metadata": {"labels": {"a": "b"}}}),
    "a taint": (OWN, {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}),
    "an annotation of somebody": (OWN, notes(of="me")),
    "one taken away": (OWN, notes(of=None)),
    "another of ours": (OWN, notes(**{"hami.io/device-cordon": "GPU-a"})),
    "where HAMi's plugin is": (OWN, notes(**{HANDSHAKE: "Reported"})),
    "what a pod wants": (OWN, notes(**{WANTED: "{}"})),
    "a finalizer": (OWN, {"metadata": {"finalizers": ["a/b"]}}),
    "the status": (f"{OWN}/status", {"status": {"capacity": {"nvidia.com/gpu": "99"}}}),
}


@pytest.mark.parametrize("case", FORBIDDEN.values(), ids=FORBIDDEN)
async def test_it_writes_nothing_else(agent: Api, case: tuple[str, Json]) -> None:
    path, patch = case
    with pytest.raises(ApiFailure) as caught:
        await agent.patch(path, patch)
    assert caught.value.status in {403, 422}


@pytest.mark.usefixtures("agent")
async def test_a_token_of_no_pod_writes_no_node(control_plane: ControlPlane) -> None:
    token = control_plane.token("node-agent")
    async with Api(control_plane.url, control_plane.ca_file, token) as client:
        with pytest.raises(ApiFailure, match="own Node"):
            await client.patch(OWN, notes(**{REGISTER: "[]"}))


READS: dict[str, str] = {
    "secrets": KINDS["Secret"].path("hami-system"),
    "config maps": KINDS["ConfigMap"].path("hami-system"),
    "all nodes": KINDS["Node"].path(),
}


@pytest.mark.parametrize("path", READS.values(), ids=READS)
async def test_it_reads_nothing_that_it_does_not_need(agent: Api, path: str) -> None:
    with pytest.raises(ApiFailure) as caught:
        await agent.get(path)
    assert caught.value.status == 403
