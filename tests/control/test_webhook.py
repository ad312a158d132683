"""Verdicts that depend on how far we are, over the handlers themselves."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from hami_admission.admission import changes
from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.control.charging import Charging
from hami_admission.control.probes import Probes
from hami_admission.control.surprises import Surprises
from hami_admission.control.webhook import Webhook
from hami_admission.kube import errors
from hami_admission.settings import Settings
from hami_admission.wire import keys, quotas
from tests import build

if TYPE_CHECKING:
    from hami_admission.model.pod import Pod

pytestmark = pytest.mark.virtual_time

Json = dict[str, Any]


class Silent:
    """An API server that answers after ``seconds``, with a failure if there is one."""

    def __init__(self, seconds: float = 0, failure: errors.ApiError | None = None) -> None:
        self.seconds = seconds
        self.failure = failure

    async def request(self, *_: object, **__: object) -> bytes:
        await asyncio.sleep(self.seconds)
        raise self.failure or AssertionError("nothing to answer")


def webhook(
    tasks: asyncio.TaskGroup, api: Silent, *, listed: bool = True, **settings: Any
) -> Webhook:
    return serving(Cluster(Settings(**settings)), tasks, api, listed=listed)


def serving(
    cluster: Cluster, tasks: asyncio.TaskGroup, api: Silent, *, listed: bool = True
) -> Webhook:
    """A webhook of this cluster."""
    if listed:
        quota = quotas.decode(msgspec.json.encode(build.quota_json(gpumem=9000)))
        cluster.apply(events.QuotaSeen(quota), 0)
        for kind in events.Kind:
            keys = cluster.quotas.keys() if kind is events.Kind.QUOTAS else frozenset()
            cluster.apply(events.Listed(kind, keys), 0)
    return Webhook(
        cluster, Charging(cluster, api, time.time, tasks, lambda: True, Surprises()), time.time
    )


def review(pod: Json, **request: Any) -> bytes:
    asked = {"uid": "r", "operation": "CREATE", "object": pod, **request}
    return msgspec.json.encode({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": asked,
    })


def rewritten() -> Json:
    """A pod as the mutating call leaves it."""
    pod = build.pod_json(build.container(limits=build.gpu(1, memory=1000)), uid="u")
    decision = Cluster(Settings()).admit(build.noun(pod))
    return changes.apply(pod, changes.operations(decision.changes))


async def asked(hook: Webhook, pod: Json, **request: Any) -> Json:
    reply = await hook.validate(review(pod, **request))
    response: Json = msgspec.json.decode(reply.body)["response"]
    return response


async def test_before_all_is_listed_nothing_is_charged_on_a_guess(
    tasks: asyncio.TaskGroup,
) -> None:
    response = await asked(webhook(tasks, Silent(), listed=False), rewritten())
    assert response["status"]["code"] == 503
    assert (
        "has not seen all pods, nodes, resourcequotas; try again" in response["status"]["message"]
    )


async def test_an_api_server_that_does_not_answer_in_time_is_a_denial_in_time(
    tasks: asyncio.TaskGroup,
) -> None:
    gone = errors.Unreachable(0, "away")
    response = await asked(webhook(tasks, Silent(0.3, gone), review_seconds=0.05), rewritten())
    assert (response["allowed"], response["status"]["code"]) == (False, 429)
    forbidden = errors.ApiError(403, "no")
    response = await asked(webhook(tasks, Silent(0, forbidden)), rewritten())
    assert (response["allowed"], response["status"]["code"]) == (False, 503)
    assert "could not be written (403: no)" in response["status"]["message"]


async def test_a_silence_is_waited_for_once_and_another_replica_asked_at_once(
    tasks: asyncio.TaskGroup,
) -> None:
    """Who comes while it lasts has not the time for a second of waiting at each replica."""
    hook = webhook(tasks, Silent(20, errors.Unreachable(0, "away")))
    assert await turn(hook) == (503, 0, 1)
    assert await turn(hook) == (503, 1, 0)
    await asyncio.sleep(1)
    assert await turn(hook) == (503, 1, 0)
    # Our probe fails: whoever comes now has no other replica.
    await asyncio.sleep(3)
    assert await turn(hook) == (503, 0, 1)


async def test_with_no_question_on_its_way_the_next_review_asks(tasks: asyncio.TaskGroup) -> None:
    """Or nobody would hear that the silence is over."""
    hook = webhook(tasks, Silent(2, errors.Unreachable(0, "away")))
    assert await turn(hook) == (503, 0, 1)
    await asyncio.sleep(1.5)
    assert await turn(hook) == (503, 0, 1)


async def turn(hook: Webhook) -> tuple[int, int | None, int]:
    """The status, when to ask again, and how long it took to say so, in whole seconds."""
    begun = asyncio.get_running_loop().time()
    reply = await hook.validate(review(rewritten()))
    return reply.status, reply.again, round(asyncio.get_running_loop().time() - begun)


async def test_a_charge_that_depends_on_cards_is_noted_and_asked_again_when_these_change(
    tasks: asyncio.TaskGroup,
) -> None:
    cluster = Cluster(Settings())
    hook = serving(cluster, tasks, Silent())
    cluster.apply(events.NodeSeen(build.facts("a", 1, memory_mib=4000)), 0)
    half = build.pod_json(build.container(limits=build.gpu(1, percent=50)), uid="u")
    reply = msgspec.json.decode((await hook.mutate(review(half))).body)["response"]
    pod: Json = changes.apply(half, msgspec.json.decode(base64.b64decode(reply["patch"])))
    assert pod["metadata"]["annotations"][keys.ADMITTED_AMOUNTS] == (
        "nvidia.com/gpu=1,nvidia.com/gpumem=2000"
    )
    assert (await asked(hook, pod, dryRun=True))["allowed"]
    cluster.apply(events.NodeSeen(build.facts("b", 1, memory_mib=1000)), 0)
    response = await asked(hook, pod, dryRun=True)
    assert (response["status"]["code"], hook.verdicts["later"]) == (429, 1)
    assert "the cards have changed while pod" in response["status"]["message"]


async def test_what_somebody_changed_after_us_is_refused(tasks: asyncio.TaskGroup) -> None:
    pod = rewritten()
    pod["spec"]["containers"][0]["env"] = []
    response = await asked(webhook(tasks, Silent()), pod)
    assert "not as the mutating webhook left it" in response["status"]["message"]


async def test_other_objects_and_operations_are_let_through(tasks: asyncio.TaskGroup) -> None:
    hook = webhook(tasks, Silent())
    for request in (
        {"operation": "UPDATE"},
        {"subResource": "ephemeralcontainers"},
        {"resource": {"group": "", "resource": "nodes"}},
    ):
        assert (await asked(hook, rewritten(), **request))["allowed"]
        reply = await hook.mutate(review(rewritten(), **request))
        assert msgspec.json.decode(reply.body)["response"] == {"uid": "r", "allowed": True}


NAMES = ("a/log", "../x", "%2e%2e/x", "../../../pods", "Upper", "a" * 254)


@pytest.mark.parametrize("field", ["name", "namespace"])
@pytest.mark.parametrize("name", NAMES)
async def test_names_that_kubernetes_has_not_are_refused_before_anything_else(
    tasks: asyncio.TaskGroup, field: str, name: str
) -> None:
    hook, pod = webhook(tasks, Silent()), rewritten()
    pod["metadata"][field] = name
    for asking in (hook.validate, hook.mutate):
        response = msgspec.json.decode((await asking(review(pod))).body)["response"]
        assert response["status"]["code"] == 403
        assert f"metadata.{field}: Invalid value: " in response["status"]["message"]


async def test_the_beginning_of_a_generated_name_is_one(tasks: asyncio.TaskGroup) -> None:
    pod = build.pod_json(build.container(limits=build.gpu(1, memory=1000)), uid="u")
    del pod["metadata"]["name"]
    pod["metadata"]["generateName"] = "web-"
    reply = await webhook(tasks, Silent()).mutate(review(pod))
    assert msgspec.json.decode(reply.body)["response"]["allowed"]


async def test_a_pod_without_a_uid_is_charged_nothing(tasks: asyncio.TaskGroup) -> None:
    pod = rewritten()
    del pod["metadata"]["uid"]
    response = await asked(webhook(tasks, Silent()), pod)
    assert "metadata.uid: Invalid value: " in response["status"]["message"]


async def test_verdicts_are_counted(tasks: asyncio.TaskGroup) -> None:
    hook = webhook(tasks, Silent(0, errors.ApiError(403, "no")))
    large = build.pod_json(build.container(limits=build.gpu(1, memory=9001)), uid="v")
    decision = Cluster(Settings()).admit(build.noun(large))
    large = changes.apply(large, changes.operations(decision.changes))
    undone = build.pod_json(build.container(limits=build.gpu(1, memory=1000)), uid="u")
    await hook.mutate(review(undone))
    for pod in (large, large, undone, undone, undone, rewritten()):
        await asked(hook, pod, dryRun=pod is large)
    assert hook.verdicts == {"allowed": 1, "objection": 3, "quota": 2, "later": 1}


async def test_readiness_names_what_is_missing() -> None:
    cluster = Cluster(Settings())
    probes = Probes(cluster)
    reply = await probes.readyz(b"")
    missing = ["pods", "nodes", "resourcequotas", "webhook configurations"]
    assert (reply.status, msgspec.json.decode(reply.body)["missing"]) == (503, missing)
    for kind in events.Kind:
        cluster.apply(events.Listed(kind, frozenset()), 0)
    probes.published = True
    assert (await probes.readyz(b"")).status == 200
    probes.leaving = True
    assert (await probes.readyz(b"")).status == 503
    assert (await probes.healthz(b"")).status == 200


class Asked:
    """Charges nothing; keeps the pods."""

    def __init__(self) -> None:
        self.pods: list[Pod] = []

    async def charge(self, pod: Pod, _: object) -> None:
        self.pods.append(pod)

    def asking(self) -> bool:
        return False


async def test_while_a_quota_is_written_nothing_is_kept_that_a_user_makes_large(
    tasks: asyncio.TaskGroup,
) -> None:
    """A pod of 1.5 MB with a hundred thousand variables takes 11 MiB as long as it is held."""
    hook, charging = webhook(tasks, Silent()), Asked()
    hook = Webhook(hook._cluster, cast("Any", charging), time.time)
    pod = rewritten()
    pod["metadata"]["labels"] = {"x": "x" * 1000}
    assert (await asked(hook, pod))["allowed"]
    (charged,) = charging.pods
    assert charged.labels == {}
    assert all(each.env is None for each in charged.containers)
