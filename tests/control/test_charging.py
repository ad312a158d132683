"""The ledger's writer against an API server in memory that knows versions and conflicts."""

from __future__ import annotations

import asyncio
from itertools import permutations
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.control import charging, upkeep
from hami_admission.control.charging import Charging
from hami_admission.control.surprises import Surprises
from hami_admission.control.upkeep import Upkeep
from hami_admission.kube import errors
from hami_admission.settings import Settings
from hami_admission.wire import quotas
from tests import build

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from hami_admission.model.pod import Pod
    from hami_admission.model.quota import Quota
    from hami_admission.quota.ledger import Refusal
    from hami_admission.wire.notices import Notice

pytestmark = pytest.mark.virtual_time

Json = dict[str, Any]


class Memory:
    """Quotas by path, with versions; ``disturb`` runs before a write and may change things."""

    def __init__(self, *objects: Json) -> None:
        self.quotas = {self._path(each): each for each in objects}
        for each in objects:  # versions are of the whole store: those of pods are below
            each["metadata"]["resourceVersion"] = "1000"
        self.reads = self.writes = 0
        self.disturb: Callable[[], None] = lambda: None
        self.gate: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(0)
        self.failure: errors.ApiError | None = None
        self.pods: errors.ApiError = errors.NotFound(404, "no such pod")
        """What is answered to who looks for a pod, and how often one was looked for."""
        self.looks = 0

    def _path(self, quota: Json) -> str:
        meta = quota["metadata"]
        return f"/api/v1/namespaces/{meta['namespace']}/resourcequotas/{meta['name']}"

    async def request(
        self, method: str, path: str, body: bytes | None = None, *, content_type: str = ""
    ) -> bytes:
        await self.gate()
        if self.failure is not None:
            raise self.failure
        if "/pods" in path:
            self.looks += 1
            raise self.pods
        found = self.quotas.get(path.removesuffix("/status"))
        if found is None:
            raise errors.NotFound(404, path)
        if method == "PATCH":
            assert content_type == "application/merge-patch+json"
            self.disturb()
            self._patch(found, msgspec.json.decode(body or b"{}"))
        else:
            self.reads += 1
        return msgspec.json.encode(found)

    def _patch(self, found: Json, patch: Json) -> None:
        if patch["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]:
            raise errors.Conflict(409, "changed")
        self.writes += 1
        found["status"]["used"].update(patch["status"]["used"])
        notes = found["metadata"].setdefault("annotations", {})
        notes.update(patch["metadata"]["annotations"])
        found["metadata"]["annotations"] = {k: v for k, v in notes.items() if v is not None}
        self.touch(found)

    def touch(self, found: Json) -> None:
        """Somebody changed the object."""
        meta = found["metadata"]
        meta["resourceVersion"] = str(int(meta["resourceVersion"]) + 1)

    def quota(self, name: str = "quota") -> Quota:
        """The object as it is now."""
        found = self.quotas[f"/api/v1/namespaces/team/resourcequotas/{name}"]
        return quotas.decode(msgspec.json.encode(found))

    def used(self, name: str = "quota") -> dict[str, int]:
        """What the status says."""
        used = self.quotas[f"/api/v1/namespaces/team/resourcequotas/{name}"]["status"]["used"]
        return {key.rpartition("/")[2]: int(value) for key, value in used.items()}


class Rig:
    """A cluster with these quotas, all listed in that order, and its writer."""

    def __init__(
        self,
        memory: Memory,
        tasks: asyncio.TaskGroup,
        order: Iterable[events.Kind] = tuple(events.Kind),
    ) -> None:
        self.now = 100.0
        self.leads = True
        self.memory = memory
        self.cluster = Cluster(Settings())
        self.told: list[Notice] = []
        self.surprises = Surprises(self.told.append)
        self.charging = Charging(
            self.cluster,
            memory,
            lambda: self.now,
            tasks,
            lambda: self.leads,
            self.surprises,
        )
        self.upkeep = Upkeep(
            self.cluster,
            self.charging,
            memory,
            lambda: self.now,
            lambda: self.leads,
            lambda: None,
        )
        for kind in order:
            self.listed(kind)

    def listed(self, kind: events.Kind) -> None:
        """A complete list came."""
        if kind is events.Kind.QUOTAS:
            for each in self.memory.quotas.values():
                quota = quotas.decode(msgspec.json.encode(each))
                self.apply(events.QuotaSeen(quota))
        keys = self.cluster.quotas.keys() if kind is events.Kind.QUOTAS else frozenset[str]()
        self.apply(events.Listed(kind, keys))

    def apply(self, event: events.Event) -> None:
        """As the feed does."""
        touched = self.cluster.apply(event, self.now)
        self.charging.touch(touched, moved=not isinstance(event, events.QuotaSeen))

    async def enter(self, pod: Pod, *, dry_run: bool = False) -> Refusal | None:
        """As the webhook does."""
        claim = self.cluster.claim(pod, self.cluster.admit(pod), self.now)
        if dry_run:
            return self.charging.judge(pod, claim)
        return await self.charging.charge(pod, claim)

    async def until(self, **amounts: int) -> None:
        """Wait until the quota shows these."""
        await eventually(lambda: self.memory.used() == amounts)


async def eventually(check: Callable[[], bool]) -> None:
    """Wait, five seconds at most."""
    for _ in range(500):
        if check():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not within five seconds")


def a_pod(number: int = 0, memory: int = 1000, **fields: Any) -> Pod:
    container = build.container(limits=build.gpu(1, memory=memory))
    return build.pod(container, name=f"p-{number}", uid=f"u-{number}", **fields)


async def test_a_batch_is_one_write_and_exact(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(Memory(build.quota_json(gpu=50, gpumem=50_000)), tasks)
    answers = await asyncio.gather(*(rig.enter(a_pod(number)) for number in range(200)))
    assert sum(answer is None for answer in answers) == 50
    assert rig.memory.used() == {"gpu": 50, "gpumem": 50_000}
    assert rig.memory.writes <= 3


async def test_a_conflict_is_decided_anew_on_what_is_there_now(tasks: asyncio.TaskGroup) -> None:
    memory = Memory(build.quota_json(gpumem=3000))
    rig = Rig(memory, tasks)
    (found,) = memory.quotas.values()

    def taken_by_another_replica() -> None:
        memory.disturb = lambda: None
        found["status"]["used"]["limits.nvidia.com/gpumem"] = "2500"
        other = {"u-9": {"pod": "p-9", "until": 200, "amounts": {"nvidia.com/gpumem": 2500}}}
        found["metadata"]["annotations"] = {
            "hami.io/quota-holds": msgspec.json.encode(other).decode()
        }
        memory.touch(found)

    memory.disturb = taken_by_another_replica
    refusal = await rig.enter(a_pod())
    assert "used: limits.nvidia.com/gpumem=2500, limited: limits.nvidia.com/gpumem=3000" in str(
        refusal
    )
    assert memory.used() == {"gpumem": 2500}


@pytest.mark.parametrize(("seen", "asked"), [(False, 1), (True, 0)])
async def test_what_won_a_race_is_asked_for_if_it_was_not_seen(
    tasks: asyncio.TaskGroup, *, seen: bool, asked: int
) -> None:
    memory = Memory(build.quota_json(gpumem=3000))
    rig = Rig(memory, tasks)
    (found,) = memory.quotas.values()

    def written_by_another_replica() -> None:
        memory.disturb = lambda: None
        memory.touch(found)
        if seen:
            rig.apply(events.QuotaSeen(memory.quota()))

    memory.disturb = written_by_another_replica
    assert await rig.enter(a_pod()) is None
    assert (memory.reads, memory.writes) == (asked, 1)


async def test_what_a_later_quota_refuses_is_taken_back(tasks: asyncio.TaskGroup) -> None:
    first, second = build.quota_json("a", gpumem=9000), build.quota_json("b", gpu=1)
    rig = Rig(Memory(first, second), tasks)
    answers = await asyncio.gather(rig.enter(a_pod(1)), rig.enter(a_pod(2)))
    assert [answer is None for answer in answers] == [True, False]
    assert "exceeded quota: b" in str(answers[1])
    assert (rig.memory.used("a"), rig.memory.used("b")) == ({"gpumem": 1000}, {"gpu": 1})


async def test_a_hold_ends_when_its_pod_is_seen_and_the_charge_when_it_ends(
    tasks: asyncio.TaskGroup,
) -> None:
    rig = Rig(Memory(build.quota_json(gpumem=9000)), tasks)
    assert await rig.enter(a_pod()) is None
    (found,) = rig.memory.quotas.values()
    assert "u-0" in found["metadata"]["annotations"]["hami.io/quota-holds"]
    rig.apply(events.PodSeen(a_pod()))
    await eventually(lambda: not found["metadata"]["annotations"])
    assert rig.memory.used() == {"gpumem": 1000}
    rig.apply(events.PodSeen(a_pod(phase="Succeeded")))
    await rig.until(gpumem=0)


async def test_a_limit_that_is_added_counts_what_is_held(tasks: asyncio.TaskGroup) -> None:
    """Whether the pod was seen by then or not."""
    rig = Rig(Memory(build.quota_json(gpumem=9000)), tasks)
    assert await rig.enter(a_pod()) is None
    (found,) = rig.memory.quotas.values()
    found["spec"]["hard"]["limits.nvidia.com/gpu"] = "1"
    rig.memory.touch(found)
    rig.apply(events.QuotaSeen(rig.memory.quota()))
    await rig.until(gpu=1, gpumem=1000)
    assert "used: limits.nvidia.com/gpu=1" in str(await rig.enter(a_pod(1)))
    rig.apply(events.PodSeen(a_pod()))
    await eventually(lambda: not found["metadata"]["annotations"])
    assert rig.memory.used() == {"gpu": 1, "gpumem": 1000}


async def test_a_hold_whose_pod_never_came_ends_after_a_look(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(Memory(build.quota_json(gpumem=9000)), tasks)
    assert await rig.enter(a_pod()) is None
    await rig.upkeep.round()
    assert rig.memory.used() == {"gpumem": 1000}
    rig.now += Settings().hold_seconds
    await rig.upkeep.round()
    await asyncio.sleep(0.1)
    assert rig.memory.used() == {"gpumem": 1000}
    rig.now += upkeep.BETWEEN_LOOKS_SECONDS
    await rig.upkeep.round()
    await rig.until(gpumem=0)


@pytest.mark.parametrize(
    ("failure", "ends"),
    [(400, True), (403, True), (404, True), (405, True), (0, False), (429, False), (503, False)],
)
async def test_a_hold_ends_by_an_answer_that_lasts_and_not_by_one_that_passes(
    tasks: asyncio.TaskGroup, failure: int, ends: bool
) -> None:
    rig = Rig(Memory(build.quota_json(gpumem=9000)), tasks)
    assert await rig.enter(a_pod()) is None
    rig.memory.pods = errors.of(failure, "no")
    for _ in range(3):
        rig.now += Settings().hold_seconds
        await rig.upkeep.round()
    await asyncio.sleep(0.1)
    assert rig.memory.used() == {"gpumem": 0 if ends else 1000}


@pytest.mark.parametrize(
    ("uid", "name"), [("u", "../../../pods"), ("u", "a/log"), ("", "p"), ("u", "")]
)
async def test_a_hold_that_can_have_no_pod_is_not_looked_for(
    tasks: asyncio.TaskGroup, uid: str, name: str
) -> None:
    """The previous version has let such in."""
    held = {uid: {"pod": name, "until": 1, "amounts": {"nvidia.com/gpumem": 1000}}}
    quota = build.quota_json(gpumem=9000)
    quota["metadata"]["annotations"] = {"hami.io/quota-holds": msgspec.json.encode(held).decode()}
    quota["status"]["used"] = {"limits.nvidia.com/gpumem": "1000"}
    rig = Rig(Memory(quota), tasks)
    for _ in range(3):
        rig.now += Settings().hold_seconds
        await rig.upkeep.round()
    await rig.until(gpumem=0)
    assert rig.memory.looks == 0


async def test_replicas_share_one_ledger(tasks: asyncio.TaskGroup) -> None:
    memory = Memory(build.quota_json(gpu=50, gpumem=50_000))
    rigs = [Rig(memory, tasks) for _ in range(3)]
    for rig in rigs[1:]:
        rig.leads = False
    answers = await asyncio.gather(
        *(rigs[number % 3].enter(a_pod(number)) for number in range(200))
    )
    assert sum(answer is None for answer in answers) == 50
    assert memory.used() == {"gpu": 50, "gpumem": 50_000}


async def test_who_has_seen_less_than_the_ledger_counts_does_not_count(
    tasks: asyncio.TaskGroup,
) -> None:
    """Its charges are relative: what it has not seen stays."""
    memory = Memory(build.quota_json(gpumem=3000))
    leader, late = Rig(memory, tasks), Rig(memory, tasks)
    late.leads = False
    for number in (1, 2):
        assert await leader.enter(a_pod(number)) is None
        leader.apply(events.PodSeen(a_pod(number), 10 + number))
    (found,) = memory.quotas.values()
    await eventually(lambda: "hami.io/quota-holds" not in found["metadata"]["annotations"])
    assert found["metadata"]["annotations"]["hami.io/quota-counted"] == "12"
    late.apply(events.PodSeen(a_pod(1), 11))
    assert await late.enter(a_pod(3)) is None
    assert memory.used() == {"gpumem": 3000}
    assert "exceeded quota" in str(await late.enter(a_pod(4)))
    # Once it has seen as much it counts as well; nothing changes by that.
    late.apply(events.PodSeen(a_pod(2), 12))
    assert "exceeded quota" in str(await late.enter(a_pod(5)))
    assert memory.used() == {"gpumem": 3000}


async def test_only_the_leader_gives_back(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(Memory(build.quota_json(gpumem=9000)), tasks)
    assert await rig.enter(a_pod()) is None
    rig.apply(events.PodSeen(a_pod(), 5))
    await eventually(lambda: not rig.memory.quota().holds)
    rig.leads = False
    rig.apply(events.PodGone("u-0", 6))
    await asyncio.sleep(0.2)
    assert rig.memory.used() == {"gpumem": 1000}
    rig.leads = True
    rig.charging.touch(rig.cluster.quotas.namespaces(), moved=False)
    await rig.until(gpumem=0)


async def test_a_pod_that_ends_before_its_hold_takes_it_along(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(Memory(build.quota_json(gpumem=9000)), tasks)
    assert await rig.enter(a_pod()) is None
    rig.apply(events.PodSeen(a_pod(), 5))
    rig.apply(events.PodGone("u-0", 6))
    await rig.until(gpumem=0)


async def test_who_gave_up_waiting_is_not_charged(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(Memory(build.quota_json(gpumem=9000)), tasks)
    gate = asyncio.Event()
    rig.memory.gate = gate.wait
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await rig.enter(a_pod())
    gate.set()
    await eventually(lambda: rig.memory.writes == 2)
    assert rig.memory.used() == {"gpumem": 0}
    assert not rig.memory.quota().holds


async def test_a_failure_that_passes_is_waited_out(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(Memory(build.quota_json(gpumem=9000)), tasks)
    rig.memory.failure = errors.ApiError(429, "too many requests")
    entering = asyncio.create_task(rig.enter(a_pod()))
    await asyncio.sleep(0.15)
    assert not entering.done()
    rig.memory.failure = None
    assert await entering is None
    assert rig.memory.used() == {"gpumem": 1000}


@pytest.mark.parametrize(
    ("key", "pauses"), [("pods", True), ("limits.cpu", True), ("limits.nvidia.com/gpu", False)]
)
async def test_kubernetes_has_its_turn_at_a_quota_that_it_counts_too(
    tasks: asyncio.TaskGroup, key: str, pauses: bool
) -> None:
    """It tries three times, and refuses a pod, of whatever kind, that always lost to us."""
    quota = build.quota_json(gpumem=9000)
    quota["spec"]["hard"][key] = "100"
    memory = Memory(quota)
    rig = Rig(memory, tasks)
    memory.gate = lambda: asyncio.sleep(0.01)
    await rig.enter(a_pod(0))
    ended = asyncio.get_running_loop().time()
    await rig.enter(a_pod(1))
    waited = asyncio.get_running_loop().time() - ended
    assert (waited > 0.01 * charging.TURNS) == pauses


async def test_holds_have_room_in_an_annotation(
    tasks: asyncio.TaskGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is over that waits until some pods have been seen."""
    rig = Rig(Memory(build.quota_json(gpumem=9000)), tasks)
    one = rig.cluster.claim(a_pod(), rig.cluster.admit(a_pod()), rig.now)
    size = quotas.size(one.uid, one.hold)
    monkeypatch.setattr(quotas, "MOST_HOLDS_BYTES", 3 * size + 10)
    entering = [asyncio.create_task(rig.enter(a_pod(number))) for number in range(5)]
    await eventually(lambda: sum(task.done() for task in entering) == 3)
    await asyncio.sleep(0.2)
    assert rig.memory.used() == {"gpumem": 3000}
    assert rig.charging.crowded("team") == 3
    for number in range(3):
        rig.apply(events.PodSeen(a_pod(number), number + 1))
    assert await asyncio.gather(*entering) == [None] * 5
    assert rig.memory.used() == {"gpumem": 5000}
    assert rig.charging.crowded("team") == 0


async def test_more_than_there_is_room_for_may_wait_when_their_quota_goes(
    tasks: asyncio.TaskGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody counts them then, and all enter."""
    monkeypatch.setattr(quotas, "MOST_HOLDS_BYTES", 200)
    rig = Rig(Memory(build.quota_json(gpumem=9000)), tasks)
    entering = [asyncio.create_task(rig.enter(a_pod(number))) for number in range(5)]
    await asyncio.sleep(0)
    rig.apply(events.QuotaGone("team", "quota"))
    assert await asyncio.gather(*entering) == [None] * 5


async def test_a_charge_that_never_fits_is_refused_and_holds_up_nobody(
    tasks: asyncio.TaskGroup,
) -> None:
    """The annotations of others leave room for holds of short names only."""
    quota = build.quota_json(gpumem=9000)
    quota["metadata"]["annotations"] = {"example.com/notes": "x" * (quotas.MOST_BYTES - 400)}
    rig = Rig(Memory(quota), tasks)
    long = msgspec.structs.replace(a_pod(1), name="p" * 253)
    refusal, entered = await asyncio.gather(rig.enter(long), rig.enter(a_pod(2)))
    assert "quota quota has no room to note a charge" in str(refusal)
    assert f"{quotas.MOST_BYTES - 400 + 17} of {quotas.MOST_BYTES} bytes" in str(refusal)
    assert entered is None
    assert rig.memory.used() == {"gpumem": 1000}


async def test_a_clock_that_is_hours_off_ends_no_hold_early_or_late(
    tasks: asyncio.TaskGroup,
) -> None:
    memory = Memory(build.quota_json(gpumem=9000))
    leader = Rig(memory, tasks)
    for hours in (-2, 2):
        other = Rig(memory, tasks)
        other.leads = False
        other.now = leader.now + hours * 3600
        leader.apply(events.QuotaSeen(memory.quota()))
        other.apply(events.QuotaSeen(memory.quota()))
        assert await other.enter(a_pod(hours)) is None
        leader.apply(events.QuotaSeen(memory.quota()))
        leader.now += Settings().hold_seconds - 1
        await leader.upkeep.round()
        await asyncio.sleep(0.1)
        assert memory.used() == {"gpumem": 1000}
        leader.now += 1
        await leader.upkeep.round()
        leader.now += upkeep.BETWEEN_LOOKS_SECONDS
        await leader.upkeep.round()
        await leader.until(gpumem=0)


async def test_a_dry_run_writes_nothing(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(Memory(build.quota_json(gpumem=1500)), tasks)
    assert await rig.enter(a_pod(), dry_run=True) is None
    assert await rig.enter(a_pod(memory=2000), dry_run=True) is not None
    assert rig.memory.writes == 0


async def test_an_api_server_that_fails_is_an_error_not_an_admission(
    tasks: asyncio.TaskGroup,
) -> None:
    rig = Rig(Memory(build.quota_json(gpumem=1500)), tasks)
    rig.memory.failure = errors.ApiError(403, "forbidden")
    with pytest.raises(errors.ApiError, match="forbidden"):
        await rig.enter(a_pod())
    rig.memory.failure = None
    assert await rig.enter(a_pod()) is None


async def test_a_quota_that_was_deleted_asks_nothing(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(Memory(build.quota_json(gpumem=10)), tasks)
    rig.memory.quotas.clear()
    assert await rig.enter(a_pod()) is None
    assert rig.cluster.quotas.of("team") == []


@pytest.mark.parametrize("order", list(permutations(events.Kind)))
async def test_whichever_list_comes_last_the_ledger_is_put_right(
    tasks: asyncio.TaskGroup, order: tuple[events.Kind, ...]
) -> None:
    """What ended while nobody looked is given back at the start."""
    quota = build.quota_json(gpumem=9000)
    quota["status"]["used"]["limits.nvidia.com/gpumem"] = "5000"
    rig = Rig(Memory(quota), tasks, order=())
    for kind in order:
        rig.listed(kind)
        await asyncio.sleep(0.01)  # whoever was woken by this list alone has looked in vain
    await rig.until(gpumem=0)


async def edited(rig: Rig, gpumem: int) -> None:
    """Somebody writes the status by hand, and the watch tells."""
    (found,) = rig.memory.quotas.values()
    found["status"]["used"]["limits.nvidia.com/gpumem"] = str(gpumem)
    rig.memory.touch(found)
    rig.apply(events.QuotaSeen(rig.memory.quota()))


async def test_what_somebody_wrote_into_a_status_is_put_right_and_told(
    tasks: asyncio.TaskGroup,
) -> None:
    rig = Rig(Memory(build.quota_json(gpumem=9000)), tasks)
    assert await rig.enter(a_pod()) is None
    rig.apply(events.PodSeen(a_pod(), 5))
    await eventually(lambda: not rig.memory.quota().holds)
    for wrong in (7000, 0):
        await edited(rig, wrong)
        await rig.until(gpumem=1000)
    await eventually(lambda: len(rig.told) == 2)
    notice = rig.told[0]
    assert (notice.about, notice.name, notice.reason) == ("ResourceQuota", "quota", "QuotaRepaired")
    assert "limits.nvidia.com/gpumem 7000, which is 1000" in notice.message
    assert rig.surprises.repairs == 2


async def test_what_pods_change_is_no_surprise(tasks: asyncio.TaskGroup) -> None:
    """Nor is it for a replica that leads only after the pods have changed."""
    memory = Memory(build.quota_json(gpumem=9000))
    rig = Rig(memory, tasks)
    rig.apply(events.PodSeen(a_pod(1), 5))
    await rig.until(gpumem=1000)
    rig.apply(events.PodGone("u-1", 6))
    await rig.until(gpumem=0)
    assert await rig.enter(a_pod(2)) is None
    rig.apply(events.PodSeen(a_pod(2), 7))
    await eventually(lambda: not memory.quota().holds)
    rig.leads = False
    rig.apply(events.PodGone("u-2", 8))
    rig.leads = True
    rig.charging.touch({"team"}, moved=False)
    await rig.until(gpumem=0)
    rig.charging.forget("team", ["nobody"])
    await asyncio.sleep(0.1)
    assert rig.told == []


async def test_upkeep_finds_what_nothing_has_told(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(Memory(build.quota_json(gpumem=9000)), tasks)
    rig.apply(events.PodSeen(a_pod(), 5))
    await rig.until(gpumem=1000)
    rig.leads = False
    await edited(rig, 4000)
    rig.leads = True
    for _ in range(upkeep.PROOF_ROUNDS):
        await rig.upkeep.round()
    await rig.until(gpumem=1000)
    assert len(rig.told) == 1


async def test_only_the_leaders_rounds_look_further(tasks: asyncio.TaskGroup) -> None:
    rig = Rig(Memory(build.quota_json(gpumem=9000)), tasks)
    looks: list[int] = []
    rig.upkeep.on_round = (lambda: looks.append(1),)
    rig.leads = False
    await rig.upkeep.round()
    assert looks == []
    rig.leads = True
    await rig.upkeep.round()
    assert looks == [1]
