"""Which pods are seen: ours by whichever name, and those of others that hold cards."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from hami_admission.cluster.state import Cluster
from hami_admission.control.charging import Charging
from hami_admission.control.feed import Feed
from hami_admission.control.surprises import Surprises
from hami_admission.model.amounts import Amounts
from hami_admission.model.quota import Hold
from hami_admission.settings import Settings
from hami_admission.wire import keys, quotas
from tests import build
from tests.control.rig import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from hami_admission.model.quota import Quota

Json = build.Json
SHARE = build.container(limits=build.gpu(1, memory=30000))
TEXT = "GPU-n-0,NVIDIA,30000,0:;"
BOUND = {keys.NVIDIA_ALLOCATED: TEXT, keys.ASSIGNED_NODE: "n"}
MIB = ("GPU-n-0", "memory")
OF_VOLCANO = build.container(limits={"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 500})


def a_pod(name: str, scheduler: str, container: Json = SHARE, **fields: Any) -> Json:
    return build.pod_json(container, name=name, uid=name, schedulerName=scheduler, **fields)


class Api:
    """One page of pods; then what is put into ``changes``, as a watch tells it."""

    def __init__(self, *listed: Json) -> None:
        self._listed = listed
        self.queries: list[Mapping[str, str]] = []
        self.changes: asyncio.Queue[bytes] = asyncio.Queue()
        self._version = 7

    async def page(self, *_: Any, query: Mapping[str, str], **__: Any) -> bytes:
        self.queries.append(query)
        metadata = {"resourceVersion": str(self._version)}
        return msgspec.json.encode({"metadata": metadata, "items": self._listed})

    @asynccontextmanager
    async def lines(self, *_: Any, **__: Any) -> AsyncIterator[AsyncIterator[bytes]]:
        yield self._lines()

    async def _lines(self) -> AsyncIterator[bytes]:
        while True:
            yield await self.changes.get()

    def tell(self, kind: str, document: Json) -> None:
        self._version += 1
        versioned = {**document["metadata"], "resourceVersion": str(self._version)}
        line = {"type": kind, "object": {**document, "metadata": versioned}}
        self.changes.put_nowait(msgspec.json.encode(line))


class Rig:
    """A feed over a cluster that knows nothing else."""

    def __init__(self, tasks: asyncio.TaskGroup, *listed: Json, **fields: Any) -> None:
        self.cluster = Cluster(Settings(**fields))
        self.api = Api(*listed)
        api = cast("Any", self.api)
        charging = Charging(self.cluster, api, time.time, tasks, lambda: False, Surprises())
        self.task = tasks.create_task(Feed(self.cluster, charging, api, time.time).pods())

    async def known(self) -> dict[str, tuple[int, bool]]:
        """Of each pod that counts MiB of the card, and whether it costs something, once all that
        was told has been taken in."""
        await until(lambda: "pods" not in self.cluster.missing() and self.api.changes.empty())
        return {
            each.pod.name: (each.held[MIB], bool(each.amounts)) for each in self.cluster.records()
        }


async def test_all_who_name_a_scheduler_are_followed_in_one_watch(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(tasks)
    await rig.known()
    assert rig.api.queries[0]["fieldSelector"] == "spec.schedulerName!=default-scheduler"
    rig.task.cancel()


async def test_all_pods_only_where_that_name_is_ours(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(tasks, more_scheduler_names=("default-scheduler",))
    await rig.known()
    assert "fieldSelector" not in rig.api.queries[0]
    rig.task.cancel()


async def test_a_pod_that_runs_counts_after_the_name_has_changed(tasks: asyncio.TaskGroup) -> None:
    runs = a_pod("runs", "before", nodeName="n", annotations=BOUND)
    rig = Rig(tasks, runs, a_pod("waits", "before"), scheduler_name="now")
    assert await rig.known() == {"runs": (30000, True)}
    # Also when its annotations are gone; it holds what it has held, until it ends.
    rig.api.tell("MODIFIED", a_pod("runs", "before", nodeName="n"))
    assert await rig.known() == {"runs": (30000, True)}
    rig.api.tell("DELETED", a_pod("runs", "before", nodeName="n"))
    await until(lambda: not rig.cluster.records())
    rig.task.cancel()


async def test_a_pod_that_waits_under_a_further_name_counts(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(tasks, a_pod("waits", "before"), more_scheduler_names=("before",))
    assert await rig.known() == {"waits": (0, True)}
    rig.task.cancel()


VOLCANO = {keys.VOLCANO_ALLOCATED: "GPU-n-0,NVIDIA,500,20:"}
OTHERS: dict[str, tuple[Json, dict[str, tuple[int, bool]]]] = {
    "waits": (a_pod("p", "volcano"), {}),
    "runs, and was given a whole card by a device plugin": (
        a_pod("p", "volcano", nodeName="n"),
        {},
    ),
    "waits, with annotations": (a_pod("p", "volcano", annotations=BOUND), {}),
    "what Volcano gave it takes the card, and Volcano counts it": (
        a_pod("p", "volcano", OF_VOLCANO, nodeName="n", annotations=VOLCANO),
        {"p": (500, False)},
    ),
    "what it does not ask for it has not": (
        a_pod("p", "volcano", build.container(), nodeName="n", annotations=BOUND),
        {"p": (0, False)},
    ),
}


@pytest.mark.parametrize("name", OTHERS)
async def test_pods_of_other_schedulers(tasks: asyncio.TaskGroup, name: str) -> None:
    document, known = OTHERS[name]
    rig = Rig(tasks, document)
    assert await rig.known() == known
    rig.api.tell("MODIFIED", document)
    assert await rig.known() == known
    rig.task.cancel()


async def test_of_the_others_the_version_is_known_and_their_end_is_not_kept(
    tasks: asyncio.TaskGroup,
) -> None:
    """Thousands of them may end in a burst; those that we remember are few."""
    rig = Rig(tasks)
    await rig.known()
    rig.api.tell("DELETED", a_pod("p", "volcano"))
    rig.api.tell("MODIFIED", a_pod("q", "volcano", phase="Succeeded"))
    holding = quota(counted=9)
    await until(lambda: rig.cluster.quotas.may_count(holding))
    assert not rig.cluster.quotas.ended(holding)
    assert not rig.cluster.quotas.may_count(quota(counted=10))
    rig.task.cancel()


def quota(counted: int) -> Quota:
    """With holds of both, counted at that version."""
    made = quotas.decode(msgspec.json.encode(build.quota_json(gpu=1)))
    holds = {uid: Hold(uid, 10, Amounts()) for uid in ("p", "q")}
    return msgspec.structs.replace(made, counted=counted, holds=holds)
