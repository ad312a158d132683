"""Waking: one write per freed capacity that serves somebody, none otherwise."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.control import waker as wakers
from hami_admission.control.waker import Waker
from hami_admission.kube import errors
from hami_admission.settings import Settings
from hami_admission.wire import keys
from tests import build

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hami_admission.model.pod import Pod

pytestmark = pytest.mark.virtual_time

GIB = 1024


def a_pod(name: str, memory: int, node: str = "") -> Pod:
    grants = f"GPU-n-0,NVIDIA,{memory},0:;"
    return build.pod(
        build.container(limits=build.gpu(1, memory=memory)), name=name, uid=name, nodeName=node,
        annotations={keys.NVIDIA_ALLOCATED: grants} if node else {},
    )  # fmt: skip


class Rig:
    """A node of one card, filled by two pods of 40 GiB, and a waker."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, str, Any]] = []
        self.failures: list[errors.ApiError] = []
        self.cluster = Cluster(Settings())
        self.cluster.apply(events.NodeSeen(build.facts("n", 1)), 0)
        for name in ("a", "b"):
            self.cluster.apply(events.PodSeen(a_pod(name, 40 * GIB, "n")), 0)
        self.waker = Waker(self.cluster, self, lambda: 7.0)
        self.cluster.waiting.on_room = self.waker.ring

    async def request(
        self, method: str, path: str, body: bytes | None = None, *, content_type: str = ""
    ) -> bytes:
        if self.failures:
            raise self.failures.pop(0)
        self.writes.append((method, path, msgspec.json.decode(body or b"")))
        return b"{}"

    def ask(self, memory: int) -> None:
        pod = a_pod("w", memory)
        demand = self.cluster.demand(pod)
        assert demand is not None
        assert self.cluster.plan(pod, demand, ["n"], 0).best is None


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(wakers, "GATHER_SECONDS", 0.001)
    monkeypatch.setattr(wakers, "RETRY_SECONDS", 0.001)
    made = Rig()
    task = asyncio.create_task(made.waker.run())
    yield made
    task.cancel()


async def test_what_becomes_free_together_is_one_write(rig: Rig) -> None:
    rig.ask(80 * GIB)
    rig.cluster.apply(events.PodGone("a"), 0)
    rig.cluster.apply(events.PodGone("b"), 0)
    await asyncio.sleep(0.05)
    assert rig.writes == [
        ("PATCH", "/api/v1/nodes/n", {"metadata": {"annotations": {"hami.io/wake": "7.000000"}}})
    ]
    assert rig.waker.writes == 1


async def test_room_that_is_too_small_for_who_waits_writes_nothing(rig: Rig) -> None:
    rig.ask(80 * GIB)
    rig.cluster.apply(events.PodGone("a"), 0)
    await asyncio.sleep(0.05)
    assert rig.writes == []


async def test_nobody_waits(rig: Rig) -> None:
    rig.cluster.apply(events.PodGone("a"), 0)
    await asyncio.sleep(0.05)
    assert rig.writes == []


async def test_a_refused_write_is_tried_again(rig: Rig) -> None:
    rig.failures = [errors.ApiError(500, "not now"), errors.NotFound(404, "")]
    rig.ask(40 * GIB)
    rig.cluster.apply(events.PodGone("a"), 0)
    await asyncio.sleep(0.1)
    assert len(rig.writes) == 1
