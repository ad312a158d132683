"""The extender's handlers: errors to kube-scheduler, never a guess; and every way a bind ends."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.control import bind as binds
from hami_admission.control import extender as extenders
from hami_admission.control.bind import Binder
from hami_admission.control.catchup import NotCaughtUp
from hami_admission.control.charging import Charging
from hami_admission.control.extender import Extender
from hami_admission.control.surprises import Surprises
from hami_admission.kube import errors
from hami_admission.settings import Settings
from tests import build

if TYPE_CHECKING:
    from hami_admission.wire.notices import Notice

pytestmark = pytest.mark.virtual_time

POD = build.pod_json(build.container(limits=build.gpu(1, memory=1000)), uid="u")
FILTER = msgspec.json.encode({"Pod": POD, "NodeNames": ["n", "other"]})
BIND = msgspec.json.encode({"PodName": "p", "PodNamespace": "team", "PodUID": "u", "Node": "n"})


class Api:
    """Answers each request with the next of ``answers``; keeps what was posted."""

    def __init__(self, *answers: bytes | errors.ApiError) -> None:
        self.answers = list(answers)
        self.posted: list[tuple[str, Any]] = []

    async def request(
        self, method: str, path: str, body: bytes | None = None, *, content_type: str = ""
    ) -> bytes:
        if method == "POST":
            self.posted.append((path, msgspec.json.decode(body or b"{}")))
        answer = self.answers.pop(0)
        if isinstance(answer, errors.ApiError):
            raise answer
        return answer


class Rig:
    """A cluster with one node, and the extender over it."""

    def __init__(
        self, tasks: asyncio.TaskGroup, api: Api, *, listed: bool = True, **fields: Any
    ) -> None:
        self.api = api
        self.cluster = Cluster(Settings(**fields))
        self.cluster.apply(events.NodeSeen(build.facts("n", 1)), 0)
        if listed:
            self.list()
        charging = Charging(self.cluster, api, time.time, tasks, lambda: True, Surprises())
        binder = Binder(self.cluster, charging, api, time.time)
        self.told: list[Notice] = []
        self.hurdle: Exception | None = None
        self.extender = Extender(self.cluster, binder, self.catch_up, self.told.append, time.time)

    async def catch_up(self) -> None:
        """As when another replica has led: at once, or not at all."""
        if self.hurdle is not None:
            raise self.hurdle

    def list(self) -> None:
        """Everything was seen."""
        for kind in events.Kind:
            keys = frozenset({"n"}) if kind is events.Kind.NODES else frozenset[str]()
            self.cluster.apply(events.Listed(kind, keys), 0)

    async def filter(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode((await self.extender.filter(FILTER)).body)
        return found

    async def bind(self, body: bytes = BIND) -> str:
        return str(msgspec.json.decode((await self.extender.bind(body)).body)["Error"])


async def test_while_starting_nothing_is_placed_or_bound(
    tasks: asyncio.TaskGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extenders, "PATIENCE_SECONDS", 0.01)
    rig = Rig(tasks, Api(), listed=False)
    assert "has not seen all pods, nodes" in (await rig.filter())["Error"]
    assert "has not seen all pods, nodes" in await rig.bind()


async def test_a_question_waits_for_the_state_to_be_complete(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(tasks, Api(), listed=False)
    asked = asyncio.create_task(rig.filter())
    await asyncio.sleep(0.1)
    assert not asked.done()
    rig.list()
    assert (await asked)["NodeNames"] == ["n"]


async def test_who_cannot_catch_up_decides_nothing(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(tasks, Api())
    rig.hurdle = NotCaughtUp("no way")
    assert (await rig.filter())["Error"] == await rig.bind() == "no way"
    rig.hurdle = TimeoutError()
    assert "has not seen all pods that another replica has placed" in await rig.bind()


async def test_filter_prioritize_bind(tasks: asyncio.TaskGroup) -> None:
    api = Api(b"{}")
    rig = Rig(tasks, api)
    found = await rig.filter()
    assert (found["NodeNames"], found["FailedNodes"]) == (["n"], {"other": "node unregistered"})
    scores = msgspec.json.decode((await rig.extender.prioritize(FILTER)).body)
    assert scores == [{"Host": "n", "Score": 10}, {"Host": "other", "Score": 0}]
    assert await rig.bind() == ""
    ((path, binding),) = api.posted
    assert path == "/api/v1/namespaces/team/pods/p/binding"
    assert binding["metadata"]["uid"] == "u"
    assert binding["metadata"]["annotations"]["hami.io/vgpu-devices-allocated"] == (
        "GPU-n-0,NVIDIA,1000,0:;"
    )


async def test_a_pod_that_nobody_filtered_here_is_read_and_placed(
    tasks: asyncio.TaskGroup,
) -> None:
    api = Api(msgspec.json.encode(POD), b"{}")
    assert await Rig(tasks, api).bind() == ""
    assert len(api.posted) == 1


async def test_a_pod_without_accelerators_is_bound_as_it_is(tasks: asyncio.TaskGroup) -> None:
    plain = build.pod_json(build.container(), uid="u")
    api = Api(msgspec.json.encode(plain), b"{}")
    rig = Rig(tasks, api)
    body = msgspec.json.encode({"Pod": plain, "NodeNames": ["n", "x"]})
    answer = msgspec.json.decode((await rig.extender.filter(body)).body)
    assert answer["NodeNames"] == ["n", "x"]
    assert await rig.bind() == ""
    assert api.posted[0][1]["metadata"]["annotations"] == {}


BOUND = build.pod_json(build.container(limits=build.gpu(1)), uid="u", nodeName="x")
OTHER = build.pod_json(build.container(limits=build.gpu(1)), uid="v")
FAILURES: dict[str, tuple[tuple[bytes | errors.ApiError, ...], str]] = {
    "gone": ((errors.NotFound(404, "no pod"),), "pod cannot be read"),
    "no pod at all": ((b"[]",), "pod cannot be read"),
    "bound already": ((msgspec.json.encode(BOUND),), "bound to x already"),
    "re-created": ((msgspec.json.encode(OTHER),), "the pod has uid v now, not u"),
    "refused": ((msgspec.json.encode(POD), errors.Conflict(409, "no")), "binding refused: 409: no"),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_bind_that_fails_says_why_and_keeps_nothing(
    tasks: asyncio.TaskGroup, name: str
) -> None:
    answers, text = FAILURES[name]
    rig = Rig(tasks, Api(*answers))
    assert text in await rig.bind()
    assert len(rig.cluster.bookings) == 0


async def test_without_an_answer_the_cards_stay_booked(
    tasks: asyncio.TaskGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binds, "POST_SECONDS", 0.05)
    for failure in (errors.Unreachable(0, "away"), errors.of(500, "etcd timed out")):
        rig = Rig(tasks, Api(failure))
        await rig.filter()
        assert f"no answer to the binding: {failure}" in await rig.bind()
        assert len(rig.cluster.bookings) == 1


async def test_what_is_refused_for_the_whole_time_is_not_booked(
    tasks: asyncio.TaskGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binds, "POST_SECONDS", 0.05)
    rig = Rig(tasks, Api(errors.of(429, "too many requests")))
    await rig.filter()
    assert "binding refused: 429" in await rig.bind()
    assert len(rig.cluster.bookings) == 0


PLACED = build.pod_json(build.container(limits=build.gpu(1)), uid="u", nodeName="n")
AGAIN: dict[str, tuple[tuple[bytes | errors.ApiError, ...], str]] = {
    "too many": ((errors.of(429, "later"), b"{}"), ""),
    "an error, and it was not done": ((errors.of(503, "later"), b"{}"), ""),
    "no answer, and it was done": (
        (errors.Unreachable(0, "cut"), errors.Conflict(409, "bound"), msgspec.json.encode(PLACED)),
        "",
    ),
    "no answer, and somebody else did": (
        (errors.Unreachable(0, "cut"), errors.Conflict(409, "bound"), msgspec.json.encode(BOUND)),
        "binding refused: 409: bound",
    ),
    "too many, then taken": (
        (errors.of(429, "later"), errors.Conflict(409, "bound")),
        "binding refused: 409: bound",
    ),
    "no answer, and then no way to look": (
        (errors.Unreachable(0, "cut"), errors.Conflict(409, "bound"), errors.of(403, "no")),
        "no answer to the binding: 409: bound",
    ),
    "no answer, and then no pod that can be read": (
        (errors.Unreachable(0, "cut"), errors.Conflict(409, "bound"), b"[]"),
        "no answer to the binding: 409: bound",
    ),
}


@pytest.mark.parametrize("name", AGAIN)
async def test_a_binding_is_asked_for_again(
    tasks: asyncio.TaskGroup, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Otherwise the pod would wait for kube-scheduler's back-off, or lose its cards to another."""
    monkeypatch.setattr(binds, "AGAIN_SECONDS", 0.01)
    answers, text = AGAIN[name]
    rig = Rig(tasks, Api(*answers))
    await rig.filter()
    assert (text in await rig.bind()) if text else await rig.bind() == ""
    kept = not text or "no answer" in text
    assert len(rig.cluster.bookings) == kept
    assert all(each == rig.api.posted[0] for each in rig.api.posted)


async def test_bindings_are_few_at_a_time_but_none_waits_long(
    tasks: asyncio.TaskGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binds, "LONGEST_TURN_SECONDS", 0.3)
    gate = asyncio.Event()

    class Slow(Api):
        async def request(
            self, method: str, path: str, body: bytes | None = None, *, content_type: str = ""
        ) -> bytes:
            self.posted.append((path, body))
            await gate.wait()
            return b"{}"

    rig = Rig(tasks, Slow())
    bodies = []
    for number in range(binds.MOST_AT_ONCE + 2):
        pod = build.pod_json(build.container(limits=build.gpu(1, memory=1000)), uid=f"u-{number}")
        rig.cluster.apply(events.PodSeen(build.noun(pod)), 0)
        bodies.append(BIND.replace(b'"u"', f'"u-{number}"'.encode()))
    binding = [asyncio.create_task(rig.bind(body)) for body in bodies]
    await asyncio.sleep(0.1)
    assert len(rig.api.posted) == binds.MOST_AT_ONCE
    await asyncio.sleep(0.4)
    assert len(rig.api.posted) == len(bodies)
    gate.set()
    assert set(await asyncio.gather(*binding)) == {""}


async def test_a_node_without_room_is_refused(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(tasks, Api())
    await rig.filter()
    body = BIND.replace(b'"n"', b'"other"')
    assert await rig.bind(body) == "node other no longer fits: node unregistered"


FOREIGN = {**POD, "spec": {**POD["spec"], "schedulerName": "second"}}


async def test_pods_of_another_scheduler_are_given_no_cards(tasks: asyncio.TaskGroup) -> None:
    """A second profile of kube-scheduler that points at us: its pods were charged by nobody."""
    rig = Rig(tasks, Api(msgspec.json.encode(FOREIGN)))
    body = msgspec.json.encode({"Pod": FOREIGN, "NodeNames": ["n"]})
    answers = [await rig.extender.filter(body), await rig.extender.bind(BIND)]
    for reply in answers:
        error = msgspec.json.decode(reply.body)["Error"]
        assert "the pod names scheduler second, and only pods of hami-scheduler" in error
    assert (rig.api.posted, len(rig.cluster.bookings)) == ([], 0)


async def test_pods_of_a_further_profile_of_ours_are_placed(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(tasks, Api(b"{}"), more_scheduler_names=("second",))
    body = msgspec.json.encode({"Pod": FOREIGN, "NodeNames": ["n"]})
    assert msgspec.json.decode((await rig.extender.filter(body)).body)["NodeNames"] == ["n"]
    assert await rig.bind() == ""


async def test_pods_that_ask_for_nothing_are_of_whatever_scheduler(
    tasks: asyncio.TaskGroup,
) -> None:
    rig = Rig(tasks, Api())
    plain = build.pod_json(build.container(), uid="u", schedulerName="second")
    body = msgspec.json.encode({"Pod": plain, "NodeNames": ["n"]})
    found = msgspec.json.decode((await rig.extender.filter(body)).body)
    assert found["NodeNames"] == ["n"]
