"""Every reason of the closed list, as kube-scheduler gets it: through the real route."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.control.app import routes
from hami_admission.control.bind import Binder
from hami_admission.control.charging import Charging
from hami_admission.control.extender import Extender
from hami_admission.control.http import Server
from hami_admission.control.probes import Probes
from hami_admission.control.senders import Senders
from hami_admission.control.snapshots import Snapshots
from hami_admission.control.surprises import Surprises
from hami_admission.control.webhook import Webhook
from hami_admission.model.device import Profile
from hami_admission.model.verdict import NODE_UNREGISTERED, Reason
from hami_admission.settings import Settings
from hami_admission.wire import keys, quotas, registers
from hami_admission.wire.nodes import NodeFacts
from tests import build
from tests.placement.test_fit import OF_FAMILIES

if TYPE_CHECKING:
    from hami_admission.wire.notices import Notice

SMALL = Profile("1g.5gb", 4864, 14, 1, ((0, 1),))
UNLINKED = ((0, 10), (10, 0))


class Case(msgspec.Struct, frozen=True):
    """A node, what its cards already give, and a pod that finds no place there."""

    text: str
    limits: build.Json = msgspec.field(default_factory=lambda: build.gpu(1))
    wishes: dict[str, str] = {}
    devices: tuple[Any, ...] = (build.device(0), build.device(1))
    notes: dict[str, str] = {}
    held: tuple[str, ...] = ()
    quota: dict[str, Any] = {}


MIG = build.device(0, mode="mig", slots=7, profiles=(SMALL,), units=8)
SCORES = {keys.NVIDIA_SCORES: registers.encode_scores(("GPU-n-0", "GPU-n-1"), UNLINKED)}
APART = (build.device(0, numa=0), build.device(1, numa=1))
FULL = tuple(f"GPU-n-{n},NVIDIA,10,0:;" for n in (0, 1))

CASES: dict[str, Case] = {
    Reason.CARD_NOT_HEALTH: Case(
        "2/2 CardNotHealth",
        devices=(build.device(0, healthy=False), build.device(1, healthy=False)),
    ),
    Reason.CARD_CORDONED: Case("2/2 CardCordoned", notes={keys.NVIDIA_CORDON: "GPU-n-0,GPU-n-1"}),
    Reason.CARD_USE_UNKNOWN: Case("2/2 CardUseUnknown", held=("GPU-n-0,NVIDIA,x,0:;", "GPU-n-1")),
    Reason.CARD_TYPE_MISMATCH: Case("2/2 CardTypeMismatch", wishes={keys.NVIDIA_USE_TYPE: "H100"}),
    Reason.CARD_UUID_MISMATCH: Case(
        "1/2 AllocatedCardsInsufficientRequest, 1/2 CardUuidMismatch",
        build.gpu(2),
        wishes={keys.NVIDIA_NOUSE_UUID: "GPU-n-0"},
    ),
    Reason.CARD_SLOTS_EXHAUSTED: Case(
        "2/2 CardTimeSlicingExhausted",
        build.gpu(1, memory=1),
        devices=(build.device(0, slots=1), build.device(1, slots=1)),
        held=FULL,
    ),
    Reason.CARD_INSUFFICIENT_MEMORY: Case("2/2 CardInsufficientMemory", build.gpu(1, memory=90000)),
    Reason.CARD_INSUFFICIENT_CORE: Case(
        "2/2 CardInsufficientCore",
        build.gpu(1, memory=1, cores=60),
        held=("GPU-n-0,NVIDIA,1,50:;", "GPU-n-1,NVIDIA,1,50:;"),
    ),
    Reason.CARD_EXCLUSIVE_CONFLICT: Case(
        "2/2 ExclusiveDeviceAllocateConflict",
        build.gpu(1, memory=1),
        wishes={keys.CARD_POLICY: "mutex"},
        held=FULL,
    ),
    Reason.CARD_CORES_EXHAUSTED: Case(
        "2/2 CardComputeUnitsExhausted",
        build.gpu(1, memory=1),
        held=("GPU-n-0,NVIDIA,1,100:;", "GPU-n-1,NVIDIA,1,100:;"),
    ),
    Reason.CARD_MIG_INFEASIBLE: Case(
        "1/1 CardMigTopologyInfeasible", build.gpu(1, memory=9000), devices=(MIG,)
    ),
    Reason.NUMA_NOT_FIT: Case(
        "2/2 NumaNotFit",
        build.gpu(2),
        wishes={keys.NVIDIA_NUMA_BIND: "true"},
        devices=APART,
    ),
    Reason.TOPOLOGY_NOT_FIT: Case(
        "2/2 TopologyNotFit", build.gpu(2), wishes={keys.TOPOLOGY: "required"}, notes=SCORES
    ),
    Reason.NODE_INSUFFICIENT_DEVICE: Case("2/2 NodeInsufficientDevice", build.gpu(3)),
    Reason.ALLOCATED_TOO_FEW: Case(
        "1/2 AllocatedCardsInsufficientRequest, 1/2 CardInsufficientMemory",
        build.gpu(2, memory=81920),
        held=("GPU-n-0,NVIDIA,10,0:;",),
    ),
    Reason.QUOTA_NOT_FIT: Case(
        "2/2 ResourceQuotaNotFit", build.gpu(1, percent=50), quota={"gpumem": 1000}
    ),
    NODE_UNREGISTERED: Case("node unregistered", devices=()),
}


def test_no_reason_is_left_out() -> None:
    assert set(CASES) == {*Reason, NODE_UNREGISTERED} - set(OF_FAMILIES)


def a_cluster(case: Case) -> Cluster:
    made = Cluster(Settings())
    annotations = {keys.NVIDIA_REGISTER: registers.encode(case.devices)} if case.devices else {}
    made.apply(events.NodeSeen(NodeFacts("n", {**annotations, **case.notes})), 0)
    for n, text in enumerate(case.held):
        notes = {keys.NVIDIA_ALLOCATED: text}
        pod = build.pod(build.container(limits=build.gpu(1)), name=f"h-{n}", uid=f"h-{n}",
                        namespace="other", nodeName="n", annotations=notes)  # fmt: skip
        made.apply(events.PodSeen(pod), 0)
    seen = dict.fromkeys(events.Kind, frozenset[str]())
    if case.quota:
        quota = quotas.decode(msgspec.json.encode(build.quota_json(**case.quota)))
        made.apply(events.QuotaSeen(quota), 0)
        seen[events.Kind.QUOTAS] = frozenset({"team/quota"})
    seen[events.Kind.NODES] = frozenset({"n"})
    seen[events.Kind.PODS] = frozenset(f"h-{n}" for n in range(len(case.held)))
    for kind, names in seen.items():
        made.apply(events.Listed(kind, names), 0)
    return made


async def ask(cluster: Cluster, pod: build.Json, tell: list[Notice]) -> dict[str, Any]:
    """POST /filter to a server."""

    async def nobody_else() -> None:
        """No other replica decides."""

    class Nobody:
        async def request(self, *_: object, **__: object) -> bytes:
            raise AssertionError("a filter asks nothing of the API server")

    async with asyncio.TaskGroup() as tasks:
        charging = Charging(cluster, Nobody(), time.time, tasks, lambda: True, Surprises())
        binder = Binder(cluster, charging, Nobody(), time.time)
        extender = Extender(cluster, binder, nobody_else, tell.append, time.time)
        webhook = Webhook(cluster, charging, time.time)
        door = Senders(Settings(), Nobody()).guard
        snapshots = Snapshots(cluster, time.time)
        server = Server(routes(webhook, extender, Probes(cluster), snapshots, door))
        port = await server.start("127.0.0.1", 0, None)
        try:
            body = {"Pod": pod, "NodeNames": ["n"]}
            url = f"http://127.0.0.1:{port}/filter"
            async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
                assert answer.status == 200
                found: dict[str, Any] = await answer.json()
        finally:
            await server.stop()
    return found


@pytest.mark.parametrize("tag", CASES)
async def test_each_reason_reaches_kube_scheduler_and_the_event(tag: str) -> None:
    case = CASES[tag]
    pod = build.pod_json(build.container(limits=case.limits), uid="u", annotations=case.wishes)
    told: list[Notice] = []
    found = await ask(a_cluster(case), pod, told)
    assert found == {
        "NodeNames": [], "FailedNodes": {"n": case.text},
        "FailedAndUnresolvableNodes": {"n": case.text},
        "Error": "",
    }  # fmt: skip
    (notice,) = told
    assert (notice.reason, notice.kind) == ("FilteringFailed", "Warning")
    assert f"1 node {tag}(n)" in notice.message
    assert tag in notice.cause.split(",")
