"""The recorder of Events: one per pod and cause, few writes, nothing that waits for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.kube import errors
from hami_admission.kube import events as recorders
from hami_admission.kube.events import Recorder
from hami_admission.wire.notices import Notice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Api:
    """Keeps what is written; refuses the next one of a method with its failure."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, str, Any]] = []
        self.failures: dict[str, errors.ApiError] = {}

    async def request(
        self, method: str, path: str, body: bytes | None = None, *, content_type: str = ""
    ) -> bytes:
        if method in self.failures:
            raise self.failures.pop(method)
        self.writes.append((method, path, msgspec.json.decode(body or b"{}")))
        return b"{}"


class Rig:
    """A recorder with a clock of its own."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.api = Api()
        self.recorder = Recorder(self.api, "hami-scheduler", lambda: self.now)

    async def settle(self, seconds: float = 0) -> list[tuple[str, str, Any]]:
        """Let it write; gives what it wrote meanwhile."""
        self.now += seconds
        if seconds:  # it sleeps by the loop's clock: a notice wakes it
            self.tell("wake", reason="Wake")
        for _ in range(50):
            await asyncio.sleep(0)
        writes, self.api.writes = self.api.writes, []
        return [each for each in writes if each[2].get("reason") != "Wake"]

    def tell(self, uid: str, *, reason: str = "FilteringFailed", **fields: Any) -> None:
        fields = {"kind": "Warning", "message": "no", **fields}
        self.recorder.tell(Notice("team", f"pod-{uid}", uid, reason, **fields))


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    task = asyncio.create_task(made.recorder.run())
    yield made
    task.cancel()


async def test_a_notice_becomes_an_event(rig: Rig) -> None:
    rig.tell("a", message="no room", cause="CardNotHealth")
    ((method, path, event),) = await rig.settle()
    assert (method, path) == ("POST", "/api/v1/namespaces/team/events")
    assert event["metadata"]["name"].startswith("pod-a.")
    assert (event["message"], event["count"]) == ("no room", 1)
    assert event["source"] == {"component": "hami-scheduler"}


async def test_what_happens_again_is_counted_and_written_seldom(rig: Rig) -> None:
    rig.tell("a", cause="x")
    ((_, _, event),) = await rig.settle()
    for n in range(20):
        rig.tell("a", cause="x", message=f"no {n}")
    assert await rig.settle() == []
    ((method, path, patch),) = await rig.settle(recorders.QUIET_SECONDS)
    assert (method, path) == (
        "PATCH", f"/api/v1/namespaces/team/events/{event['metadata']['name']}",
    )  # fmt: skip
    assert (patch["count"], patch["message"]) == (21, "no 19")


async def test_another_cause_is_another_event(rig: Rig) -> None:
    rig.tell("a", cause="x")
    rig.tell("a", cause="y")
    assert [method for method, _, _ in await rig.settle()] == ["POST", "POST"]


async def test_an_event_that_is_gone_is_made_again(rig: Rig) -> None:
    rig.tell("a")
    await rig.settle()
    rig.api.failures = {"PATCH": errors.NotFound(404, "")}
    rig.tell("a")
    found = await rig.settle(recorders.QUIET_SECONDS + 1)
    assert [(method, event["count"]) for method, _, event in found] == [("POST", 2)]


async def test_a_refused_write_is_counted_and_the_next_goes_on(rig: Rig) -> None:
    rig.api.failures = {"POST": errors.ApiError(403, "no")}
    rig.tell("a")
    rig.tell("b")
    ((_, _, event),) = await rig.settle()
    assert event["involvedObject"]["uid"] == "b"
    assert (rig.recorder.written, rig.recorder.dropped) == (1, 1)


async def test_a_flood_is_dropped_and_half_the_room_is_for_warnings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recorders, "MOST_WAITING", 4)
    rig = Rig()
    for n in range(5):
        rig.tell(f"s-{n}", reason="FilteringSucceed", kind="Normal")
    assert rig.recorder.dropped == 3
    for n in range(5):
        rig.tell(f"w-{n}")
    assert rig.recorder.dropped == 6
    task = asyncio.create_task(rig.recorder.run())
    found = [event["involvedObject"]["uid"] for _, _, event in await rig.settle()]
    assert found == ["s-0", "s-1", "w-0", "w-1"]
    task.cancel()


async def test_writes_keep_to_their_rate(rig: Rig) -> None:
    for n in range(int(recorders.BURST) + 20):
        rig.tell(str(n))
    written = 0
    for _ in range(10):
        written += len(await rig.settle())
    assert written == recorders.BURST


async def test_what_is_remembered_is_bounded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorders, "MOST_KNOWN", 2)
    for uid in ("a", "b", "c"):
        rig.tell(uid)
    await rig.settle()
    rig.tell("a")  # forgotten: told anew
    ((method, _, event),) = await rig.settle()
    assert (method, event["count"]) == ("POST", 1)
