"""Evictions: whom the API server protects stays, and what fails is tried again when asked again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.cluster import events
from hami_admission.control import preempt
from hami_admission.control.preempt import Preemptor
from hami_admission.kube import errors, paths
from tests import build
from tests.cluster_state.test_preemption import a_pod, asked, leaving, seen
from tests.cluster_state.test_state import cluster

if TYPE_CHECKING:
    from hami_admission.cluster.state import Cluster
    from hami_admission.model.pod import Pod
    from hami_admission.wire.notices import Notice

Json = dict[str, Any]


class Api:
    """The pods that there are, the budgets, and what an eviction of each is answered."""

    def __init__(self, *pods: Json, budgets: tuple[Json, ...] = ()) -> None:
        self.pods = {paths.pod("team", pod["metadata"]["name"]): pod for pod in pods}
        self.budgets = budgets
        self.refusals: dict[str, errors.ApiError] = {}
        self.evicted: list[str] = []

    async def request(
        self, method: str, path: str, body: bytes | None = None, *, content_type: str = ""
    ) -> bytes:
        if method == "POST":
            name = msgspec.json.decode(body or b"")["metadata"]["name"]
            if name in self.refusals:
                raise self.refusals[name]
            self.evicted.append(name)
            return b"{}"
        if path == paths.BUDGETS:
            return msgspec.json.encode({"items": self.budgets})
        if path not in self.pods:
            raise errors.NotFound(404, path)
        return msgspec.json.encode(self.pods[path])


def as_it_is(uid: str, name: str = "", **fields: Any) -> Json:
    """The JSON of the pod ``p-<uid>``."""
    name, labels = name or f"p-{uid}", {"app": uid}
    return build.pod_json(build.container(), name=name, uid=uid, labels=labels, **fields)


def budget(app: str) -> Json:
    """Nobody with that label may go."""
    return {
        "metadata": {"namespace": "team", "name": f"b-{app}"},
        "spec": {"selector": {"matchLabels": {"app": app}}},
        "status": {"disruptionsAllowed": 0},
    }


class Rig:
    """Two nodes of one card with pod 1 (priority 0) and pod 2 (priority 1); ``u`` (5) waits."""

    def __init__(self, tasks: asyncio.TaskGroup, api: Api) -> None:
        self.now = 1000.0
        self.cluster: Cluster = cluster("a", "b", cards=1)
        seen(self.cluster, a_pod("1", 0, node="a"), a_pod("2", 1, node="b"))
        self.told: list[Notice] = []
        self.preemptor = Preemptor(self.cluster, api, self.told.append, lambda: self.now)
        self._task = tasks.create_task(self.preemptor.run())

    async def ask(self, pod: Pod) -> None:
        """As the extender does it, and until the preemptor is at rest."""
        assert asked(self.cluster, pod, "a", "b").fits == []
        demand = self.cluster.demand(pod)
        assert demand is not None
        self.preemptor.ask(pod, demand, ["a", "b"])
        for _ in range(50):
            await asyncio.sleep(0)

    @property
    def kept(self) -> str | None:
        """The node that is kept for the pod."""
        found = self.cluster.nominations.get("u")
        return None if found is None else found.node

    @property
    def reasons(self) -> list[tuple[str, str]]:
        return [(each.name, each.reason) for each in self.told]


async def test_the_lowest_goes_and_its_place_is_kept(tasks: asyncio.TaskGroup) -> None:
    api = Api(as_it_is("1", terminationGracePeriodSeconds=60), as_it_is("2"))
    rig = Rig(tasks, api)
    await rig.ask(a_pod("u", 5))
    assert (api.evicted, rig.kept, rig.preemptor.evicted) == (["p-1"], "a", 1)
    assert rig.reasons == [("p-1", "Preempted"), ("p-u", "Preempting")]
    nomination = rig.cluster.nominations.get("u")
    assert nomination is not None
    assert nomination.until == 1000 + 60 + 30


async def test_who_was_evicted_is_given_time_to_be_seen_leaving(tasks: asyncio.TaskGroup) -> None:
    api = Api(as_it_is("1"), as_it_is("2"))
    rig = Rig(tasks, api)
    await rig.ask(a_pod("u", 5))
    await rig.ask(a_pod("u", 5))
    assert api.evicted == ["p-1"]
    seen(rig.cluster, leaving(a_pod("1", 0, node="a")))
    rig.now += 6
    await rig.ask(a_pod("u", 5))
    assert (api.evicted, rig.kept) == (["p-1"], "a")


async def test_whom_a_budget_protects_stays_and_another_goes(tasks: asyncio.TaskGroup) -> None:
    api = Api(as_it_is("1"), as_it_is("2"), budgets=(budget("1"),))
    rig = Rig(tasks, api)
    await rig.ask(a_pod("u", 5))
    assert (api.evicted, rig.kept) == (["p-2"], "b")


async def test_where_all_are_protected_nobody_goes(tasks: asyncio.TaskGroup) -> None:
    api = Api(as_it_is("1"), as_it_is("2"), budgets=(budget("1"), budget("2")))
    rig = Rig(tasks, api)
    await rig.ask(a_pod("u", 5))
    assert (api.evicted, rig.kept, rig.told) == ([], None, [])


REFUSALS: dict[str, errors.ApiError] = {
    "a budget that was used up in between": errors.of(429, "Cannot evict pod"),
    "no right": errors.of(403, "forbidden"),
    "the API server is away": errors.Unreachable(0, "no answer"),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_an_eviction_that_is_refused_keeps_nothing(
    tasks: asyncio.TaskGroup, refusal: errors.ApiError
) -> None:
    api = Api(as_it_is("1"), as_it_is("2"))
    api.refusals = {"p-1": refusal}
    rig = Rig(tasks, api)
    await rig.ask(a_pod("u", 5))
    assert (api.evicted, rig.kept, rig.preemptor.refused) == ([], None, 1)
    api.refusals = {}
    rig.now += 6
    await rig.ask(a_pod("u", 5))
    assert (api.evicted, rig.kept) == (["p-1"], "a")


async def test_a_victim_that_has_gone_or_is_leaving_is_not_evicted(
    tasks: asyncio.TaskGroup,
) -> None:
    going = as_it_is("1")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    for api in (Api(as_it_is("2")), Api(going), Api(as_it_is("other", name="p-1"))):
        rig = Rig(tasks, api)
        await rig.ask(a_pod("u", 5))
        assert (api.evicted, rig.kept) == ([], "a")
        assert rig.reasons == [("p-u", "Preempting")]


async def test_a_pod_that_waits_no_more_has_nobody_evicted(tasks: asyncio.TaskGroup) -> None:
    api = Api(as_it_is("1"), as_it_is("2"))
    rig = Rig(tasks, api)
    assert asked(rig.cluster, a_pod("u", 5), "a", "b").fits == []
    demand = rig.cluster.demand(a_pod("u", 5))
    assert demand is not None
    rig.preemptor.ask(a_pod("u", 5), demand, ["a", "b"])
    rig.cluster.apply(events.PodGone("u"), 0)
    for _ in range(50):
        await asyncio.sleep(0)
    assert (api.evicted, rig.kept) == ([], None)


async def test_an_answer_that_cannot_be_read_ends_nothing_but_the_attempt(
    tasks: asyncio.TaskGroup,
) -> None:
    api = Api(as_it_is("1"), as_it_is("2"))
    api.budgets = ({"metadata": 1},)
    rig = Rig(tasks, api)
    await rig.ask(a_pod("u", 5))
    assert api.evicted == []
    api.budgets = ()
    await rig.ask(a_pod("u", 5))
    assert api.evicted == ["p-1"]


async def test_with_too_many_the_lowest_is_let_go(
    tasks: asyncio.TaskGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preempt, "MOST_ASKED", 1)
    rig = Rig(tasks, Api(as_it_is("1"), as_it_is("2")))
    for uid, priority in (("high", 7), ("low", 5)):
        pod = a_pod(uid, priority)
        assert asked(rig.cluster, pod, "a", "b").fits == []
        demand = rig.cluster.demand(pod)
        assert demand is not None
        rig.preemptor.ask(pod, demand, ["a", "b"])
    for _ in range(50):
        await asyncio.sleep(0)
    assert [each.pod.uid for each in rig.cluster.nominations] == ["high"]


async def test_of_who_waits_nothing_is_kept_that_a_user_makes_large(
    tasks: asyncio.TaskGroup,
) -> None:
    rig = Rig(tasks, Api(as_it_is("1"), as_it_is("2")))
    await rig.ask(msgspec.structs.replace(a_pod("u", 5), labels={"x": "x" * 1000}))
    nomination = rig.cluster.nominations.get("u")
    assert nomination is not None
    assert nomination.pod.labels == {}
