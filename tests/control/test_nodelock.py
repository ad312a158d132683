"""Pods that wait for the device plugin of a node, one after another."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

import msgspec
import pytest

from hami_admission.control import nodelock
from hami_admission.control.nodelock import NodeLocks, NotFree, Unsure
from hami_admission.kube import errors
from hami_admission.model.node import Handover, Node
from hami_admission.model.pod import Pod
from hami_admission.wire import keys

pytestmark = pytest.mark.virtual_time

NOW = 1787293239.0
SHARED = Handover(keys.NODE_LOCK)
OWN = Handover("own.example/lock", patience=120, nameless=True)
FRESH = "2026-08-21T06:20:30Z,team,other"


class Api:
    """Nodes with annotations and versions, and the pods that there are."""

    def __init__(self, **locks: str) -> None:
        self.nodes = {name: {keys.NODE_LOCK: text} for name, text in locks.items()}
        self.gone = {"gone"}
        self.phases: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.conflicts = 0
        self.failure: errors.ApiError | None = None
        self.gets = 0

    async def request(
        self, method: str, path: str, body: bytes | None = None, *, content_type: str = ""
    ) -> bytes:
        await asyncio.sleep(0)
        kind, name = path.split("/")[-2:]
        if kind == "pods":
            if name in self.gone:
                raise errors.NotFound(404, "no pod")
            phase = self.phases.get(name, "Pending")
            return msgspec.json.encode({
                "metadata": {"name": name, "namespace": "team", "uid": name},
                "spec": {"containers": []},
                "status": {"phase": phase},
            })
        notes = self.nodes.setdefault(name, {})
        if method == "GET":
            self.gets += 1
            version = str(self.versions.get(name, 0))
            metadata = {"name": name, "annotations": notes, "resourceVersion": version}
            return msgspec.json.encode({"metadata": metadata})
        wanted = msgspec.json.decode(body or b"")["metadata"]
        if self.conflicts or wanted["resourceVersion"] != str(self.versions.get(name, 0)):
            self.conflicts -= 1
            raise errors.Conflict(409, "changed")
        for key, value in wanted["annotations"].items():
            notes.pop(key, None)
            if value is not None:
                notes[key] = value
        self.versions[name] = self.versions.get(name, 0) + 1
        if self.failure is not None:
            raise self.failure
        return b"{}"

    def seen(self, name: str) -> Node:
        """As the watch shows it."""
        return Node(name, locks=dict(self.nodes.get(name, {})))

    def serve(self, node: str) -> None:
        """The plugin has done its work."""
        self.nodes[node].clear()
        self.versions[node] += 1


def locks(api: Api, now: float = NOW) -> NodeLocks:
    return NodeLocks(api, api.seen, lambda: now, 300)


def pod(name: str = "p") -> Pod:
    return Pod("team", name, name, ())


def until(seconds: float = 0.2) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_a_lock_names_the_pod_and_is_left_to_the_plugin() -> None:
    api = Api()
    async with locks(api).held("n", [SHARED, Handover()], pod(), until()):
        assert api.nodes["n"] == {keys.NODE_LOCK: "2026-08-21T06:20:39Z,team,p"}
    assert api.nodes["n"] == {keys.NODE_LOCK: "2026-08-21T06:20:39Z,team,p"}


async def test_a_plugin_with_a_lock_of_its_own_gets_the_time_alone() -> None:
    api = Api()
    async with locks(api).held("n", [OWN, SHARED], pod(), until()):
        assert api.nodes["n"] == {
            OWN.lock: "2026-08-21T06:20:39Z",
            keys.NODE_LOCK: "2026-08-21T06:20:39Z,team,p",
        }


TAKEN = {
    "a fresh one of another pod": (FRESH, False),
    "one that is too old": ("2026-08-21T06:15:39Z,team,other", True),
    "one that is nearly too old": ("2026-08-21T06:15:40Z,team,other", False),
    "one of a pod that is gone": ("2026-08-21T06:20:30Z,team,gone", True),
    "one of a pod that has ended": ("2026-08-21T06:20:30Z,team,ended", True),
    "its own": ("2026-08-21T06:20:30Z,team,p", True),
    "one of nobody": ("2026-08-21T06:20:30Z", False),
    "one that cannot be read": ("soon", False),
}


@pytest.mark.parametrize("sentence", TAKEN)
async def test_whose_lock_is_taken_over(sentence: str) -> None:
    text, over = TAKEN[sentence]
    api = Api(n=text)
    api.phases["ended"] = "Failed"
    try:
        async with locks(api).held("n", [SHARED], pod(), until(0.05)):
            taken = True
    except NotFree as error:
        taken = False
        assert ("kubectl annotate node n hami.io/mutex.lock-" in str(error)) == (text == "soon")
        assert text in str(error)
    assert taken == over
    assert (api.nodes["n"][keys.NODE_LOCK] == text) != over


async def test_another_lock_has_its_own_patience() -> None:
    api = Api()
    api.nodes["n"] = {OWN.lock: "2026-08-21T06:18:40Z"}
    with pytest.raises(NotFree, match="is for 120 s at most"):
        async with locks(api).held("n", [OWN], pod(), until(0.05)):
            pass
    async with locks(api, NOW + 1).held("n", [OWN], pod(), until()):
        assert api.nodes["n"] == {OWN.lock: "2026-08-21T06:20:40Z"}


async def test_what_fails_gives_the_lock_back() -> None:
    api = Api()
    with pytest.raises(ZeroDivisionError):
        async with locks(api).held("n", [SHARED], pod(), until()):
            raise ZeroDivisionError
    assert api.nodes["n"] == {}
    with pytest.raises(Unsure):
        async with locks(api).held("n", [SHARED], pod(), until()):
            raise Unsure
    assert keys.NODE_LOCK in api.nodes["n"]


async def test_a_lock_of_somebody_else_is_not_given_back() -> None:
    api = Api()
    with pytest.raises(ZeroDivisionError):
        async with locks(api).held("n", [SHARED], pod(), until()):
            api.nodes["n"][keys.NODE_LOCK] = FRESH
            raise ZeroDivisionError
    assert api.nodes["n"] == {keys.NODE_LOCK: FRESH}


async def test_a_write_that_came_too_late_is_made_again() -> None:
    api = Api()
    api.conflicts = 1
    async with locks(api).held("n", [SHARED], pod(), until()):
        assert keys.NODE_LOCK in api.nodes["n"]


async def test_a_write_without_an_answer_is_taken_back() -> None:
    api = Api()
    api.failure = errors.Unreachable(0, "no answer")
    with suppress(errors.ApiError):
        async with locks(api).held("n", [SHARED], pod(), until()):
            pytest.fail("nobody knows that it is ours")
    assert api.versions["n"] == 2
    assert api.nodes["n"] == {}


async def test_pods_of_one_node_come_one_after_another_and_hold_up_no_other() -> None:
    api = Api()
    shared = locks(api)
    order: list[str] = []
    one_more = asyncio.Event()

    async def bind(name: str, node: str) -> None:
        async with shared.held(node, [SHARED], pod(name), until(5)):
            order.append(name)
            one_more.set()

    async with asyncio.TaskGroup() as tasks:
        for n in range(20):
            tasks.create_task(bind(f"p{n}", "n"))
        await asyncio.sleep(0.1)
        assert order == ["p0"]
        await bind("elsewhere", "m")
        for _ in range(19):
            one_more.clear()
            api.serve("n")
            await one_more.wait()
    assert order == ["p0", "elsewhere", *(f"p{n}" for n in range(1, 20))]
    assert api.gets < 100


async def test_who_waits_too_long_in_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodelock, "DOUBT_SECONDS", 0.05)
    api = Api(n=FRESH)
    shared = locks(api)

    async def bind(name: str, seconds: float) -> str:
        try:
            async with shared.held("n", [SHARED], pod(name), until(seconds)):
                return "bound"
        except NotFree as error:
            return str(error)

    async with asyncio.TaskGroup() as tasks:
        first, second = tasks.create_task(bind("p", 0.3)), tasks.create_task(bind("q", 0.1))
        third = tasks.create_task(bind("r", 0.6))
        await asyncio.sleep(0.35)
        api.gone.add("other")  # the watch shows nothing of that
    assert "other pods wait for its device plugin as well" in second.result()
    assert FRESH in first.result()
    assert third.result() == "bound"


async def test_how_long_they_waited_is_told() -> None:
    shared, told = locks(Api(n=FRESH)), []
    shared.on_wait = lambda seconds, taken: told.append((seconds > 0.04, taken))
    for node in ("m", "n"):
        with suppress(NotFree):
            async with shared.held(node, [SHARED], pod(), until(0.05)):
                pass
    assert told == [(False, True), (True, False)]


async def test_lines_do_not_stay() -> None:
    shared = locks(Api())
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(shared.held("n", [SHARED], pod(), until()))
    assert len(shared._lines) == 0
