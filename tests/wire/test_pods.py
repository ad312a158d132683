"""Pod JSON to the noun."""

from __future__ import annotations

import msgspec
import pytest

from hami_admission.model.pod import Container, EnvSource, EnvVar, Kind, Pod, from_field
from hami_admission.wire import pods
from hami_admission.wire.errors import Malformed
from tests import build


def test_every_field_that_some_decision_reads() -> None:
    env: list[build.Json] = [
        {"name": "A", "value": "1"},
        {"name": "B"},
        {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "D", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    document = build.pod_json(
        build.container("app", build.gpu(1), requests={"cpu": 1}, env=env, privileged=True),
        init=(build.container("init"), build.container("side", {}, sidecar=True)),
        uid="u",
        annotations={"a": "b"},
        labels={"c": "d"},
        phase="Failed",
        schedulerName="s",
        nodeName="n",
        runtimeClassName="r",
        priorityClassName="high",
        priority=7,
        preemptionPolicy="Never",
        activeDeadlineSeconds=1,
        hostNetwork=True,
    )
    entries = (
        EnvVar("A", "1"),
        EnvVar("B"),
        from_field("C", "metadata.name"),
        EnvVar("D", None, EnvSource()),
    )
    app = Container(
        "app", Kind.APP, 0, {"nvidia.com/gpu": 1}, {"cpu": 1}, entries, True, has_resources=True
    )
    assert build.noun(document) == Pod(
        namespace="team",
        name="p",
        uid="u",
        containers=(
            Container("init", Kind.INIT, 0),
            Container("side", Kind.SIDECAR, 1, {}, has_resources=True),
            app,
        ),
        annotations={"a": "b"},
        labels={"c": "d"},
        scheduler_name="s",
        node_name="n",
        runtime_class="r",
        priority_class="high",
        priority=7,
        never_preempts=True,
        terminating_scope=True,
        best_effort=False,
        ended=True,
    )


@pytest.mark.parametrize("body", [b"{}", b'{"metadata": null, "spec": null, "status": null}'])
def test_what_is_absent_is_empty(body: bytes) -> None:
    assert pods.decode(body) == Pod("", "", "", (), best_effort=True)


def test_what_a_pod_lacks_comes_from_around_it() -> None:
    bare = msgspec.json.decode(b'{"metadata": {"generateName": "g-"}}', type=pods.WirePod)
    named = msgspec.json.decode(
        b'{"metadata": {"name": "p", "namespace": "m", "uid": "v"}}', type=pods.WirePod
    )
    assert pods.build(bare).name == "g-"
    for wire, expected in ((bare, ("t", "q", "u")), (named, ("m", "p", "v"))):
        found = pods.build(wire, namespace="t", name="q", uid="u")
        assert (found.namespace, found.name, found.uid) == expected


ENDED = {"Succeeded": True, "Failed": True, "Running": False, "Pending": False}


@pytest.mark.parametrize("phase", ENDED)
def test_ended(phase: str) -> None:
    assert build.pod(build.container(), phase=phase).ended is ENDED[phase]


BEST_EFFORT: dict[str, tuple[build.Json | None, bool]] = {
    "no resources": (None, True),
    "cards only": ({"nvidia.com/gpu": 1}, True),
    "cpu": ({"cpu": "100m"}, False),
    "memory as a number": ({"memory": 1}, False),
    "zero as text": ({"cpu": "0"}, True),
    "zero as a number": ({"memory": 0}, True),
    "zero as a fraction": ({"cpu": 0.0}, True),
    "zero with a suffix": ({"cpu": "0m", "memory": "0Mi"}, True),
}


@pytest.mark.parametrize("sentence", BEST_EFFORT)
def test_best_effort(sentence: str) -> None:
    resources, expected = BEST_EFFORT[sentence]
    by_limits = build.pod(build.container(limits=resources))
    by_requests = build.pod(build.container(requests=resources))
    as_init = build.pod(build.container(), init=(build.container(limits=resources),))
    as_pod = build.pod(build.container(), resources={"limits": resources})
    found = {each.best_effort for each in (by_limits, by_requests, as_init, as_pod)}
    assert found == {expected}


def test_resources_of_the_whole_pod_decide_over_those_of_containers() -> None:
    container = build.container(limits={"cpu": "1"})
    assert build.pod(container, resources={"limits": {"cpu": "0"}}).best_effort
    assert build.pod(container, resources={}).best_effort


def test_256_containers_are_read_and_not_one_more() -> None:
    many = [build.container(str(number)) for number in range(256)]
    assert len(build.pod(*many).containers) == 256
    assert len(build.pod(*many[:200], init=tuple(many[200:])).containers) == 256
    for document in (
        build.pod_json(*many, build.container()),
        build.pod_json(*many, init=(build.container(),)),
        build.pod_json(*many[:1] * 1000),
    ):
        with pytest.raises(Malformed, match=r"^spec.containers: more than 256 containers"):
            build.noun(document)


WRONG = {
    "metadata is a list": {"metadata": []},
    "a container is a text": {"spec": {"containers": ["main"]}},
    "a limit is a boolean": {
        "spec": {"containers": [{"resources": {"limits": {"nvidia.com/gpu": True}}}]}
    },
    "a limit is null": {
        "spec": {"containers": [{"resources": {"limits": {"nvidia.com/gpu": None}}}]}
    },
    "an annotation is a number": {"metadata": {"annotations": {"a": 1}}},
    "privileged is a text": {"spec": {"containers": [{"securityContext": {"privileged": "x"}}]}},
}


@pytest.mark.parametrize("sentence", WRONG)
def test_wrong_types_are_named_with_their_path(sentence: str) -> None:
    with pytest.raises(Malformed, match=r"^not a Pod: Expected .* - at `\$\."):
        pods.decode(msgspec.json.encode(WRONG[sentence]))


def test_who_was_told_to_go_and_whom_the_kubelet_has_taken_in() -> None:
    document = build.pod_json(build.container())
    assert (build.noun(document).leaving, build.noun(document).started) == (False, False)
    document["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    document["status"] = {"phase": "Pending", "startTime": "2026-01-01T00:00:00Z"}
    assert (build.noun(document).leaving, build.noun(document).started) == (True, True)


LEAVES: dict[str, tuple[dict[str, object], float]] = {
    "not told": ({}, 0),
    "told": (
        {"deletionTimestamp": "2026-11-30T18:00:30Z", "deletionGracePeriodSeconds": 30},
        1796061660,
    ),
    "at once": (
        {"deletionTimestamp": "2026-11-30T18:00:30Z", "deletionGracePeriodSeconds": 0},
        1796061630,
    ),
    "without a grace": ({"deletionTimestamp": "2026-11-30T18:00:30Z"}, 0),
    "no time": ({"deletionTimestamp": "soon", "deletionGracePeriodSeconds": 30}, 0),
}


@pytest.mark.parametrize(("fields", "until"), LEAVES.values(), ids=LEAVES)
def test_until_when_native_quota_counts_a_pod(fields: dict[str, object], until: float) -> None:
    document = build.pod_json(build.container())
    document["metadata"] |= fields
    assert build.noun(document).uncounted_after == until
