"""What a workload does to its pods: each caution names the field and the fix, or there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hami_admission.settings import Settings
from hami_admission.simulate import run, scenario
from tests import build
from tests.build import Json, gpu

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARE = gpu(1, memory=2000)


def _workload(
    kind: str = "Deployment",
    *,
    limits: Json | None = None,
    requests: Json | None = None,
    command: list[str] | None = None,
    **spec: object,
) -> Json:
    made = build.container(limits=limits, requests=requests)
    if command is not None:
        made |= {"command": command[:1], "args": command[1:]}
    template = {"spec": {"containers": [made]}}
    return {
        "kind": kind,
        "metadata": {"name": "w"},
        "spec": {"strategy": {"type": "Recreate"}, **spec, "template": template},
    }


def _warnings(document: Json) -> list[str]:
    found = scenario.build([("f", document)], templates_only=True)
    (outcome,) = run.check(found, Settings())
    return list(outcome.warnings)


def _rolling(surge: object = None, unavailable: object = None) -> Json:
    values = {"maxSurge": surge, "maxUnavailable": unavailable}
    given = {name: value for name, value in values.items() if value is not None}
    return {"rollingUpdate": given} if given else {}


ROLLOUTS: dict[str, tuple[int, Json, str]] = {
    "the way of the vLLM chart": (3, _rolling("100%", 0), "starts 3 more before it stops one of 3"),
    "nothing said, one replica": (1, {}, "starts 1 more before it stops one of 1"),
    "nothing said, three replicas": (3, {}, "starts 1 more before it stops one of 3"),
    "nothing said, four replicas": (4, {}, ""),
    "an absolute surge": (4, _rolling(2, "10%"), "starts 2 more before it stops one of 4"),
    "one goes first": (1, _rolling("100%", 1), ""),
    "no surge, so one goes first": (1, _rolling(0, 0), ""),
    "recreated": (1, {"type": "Recreate"}, ""),
    "no replicas": (0, {}, ""),
    "what the API server will refuse": (1, _rolling("many", 0), ""),
    "a list for a number": (1, _rolling([1], 0), ""),
}


@pytest.mark.parametrize("sentence", ROLLOUTS)
def test_an_update_that_needs_the_cards_twice(sentence: str) -> None:
    replicas, strategy, expected = ROLLOUTS[sentence]
    found = _warnings(_workload(limits=SHARE, replicas=replicas, strategy=strategy))
    assert len(found) == bool(expected)
    for text in found:
        assert text.startswith(f"spec.strategy: an update {expected}")
        assert text.endswith("write type: Recreate, or maxUnavailable: 1")


def test_only_deployments_with_accelerators_are_rolled_out_like_that() -> None:
    assert _warnings(_workload("StatefulSet", limits=SHARE, strategy={})) == []
    assert _warnings(_workload(limits={"cpu": 1}, strategy={})) == []


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_requests_without_limits_do_not_pass_in_a_template(kind: str) -> None:
    (found,) = _warnings(_workload(kind, limits=gpu(1), requests=gpu(1, memory=2000)))
    where = "spec.template.spec.containers[0].resources"
    assert found.startswith(f"{where}.requests[nvidia.com/gpumem]: there is no limit beside it")
    assert f"refuses a {kind}" in found
    assert found.endswith(f"write the same under {where}.limits")


def test_in_a_pod_they_are_copied_and_in_a_template_that_is_refused_nothing_is_said() -> None:
    pod = build.pod_json(build.container(requests=SHARE))
    assert _warnings(pod) == []
    assert _warnings(_workload(requests=gpu(1, memory="8Gi"), strategy={})) == []


COMMANDS: dict[str, tuple[Json, list[str], str]] = {
    "tensor parallel on shares": (
        gpu(2, memory=20000),
        ["vllm", "serve", "m", "--tensor-parallel-size", "2"],
        "add the flag",
    ),
    "with an equals sign": (gpu(2, percent=50), ["vllm", "--tensor-parallel-size=2"], "add the f"),
    "the short one, in a shell": (gpu(2, cores=50), ["sh", "-c", "vllm serve m -tp 2"], "add the"),
    "with the flag": (
        gpu(2, memory=20000),
        ["vllm", "--tensor-parallel-size", "2", "--disable-custom-all-reduce"],
        "",
    ),
    "of one card": (SHARE, ["vllm", "--tensor-parallel-size", "1"], ""),
    "with no number": (SHARE, ["vllm", "--tensor-parallel-size"], ""),
    "on whole cards": (gpu(2), ["vllm", "--tensor-parallel-size", "2"], ""),
    "a supervisor": (gpu(1), ["/opt/bin/xinference-supervisor"], "take the accelerators out"),
    "a worker": (gpu(1), ["xinference-worker", "-e", "http://xinference-supervisor"], ""),
}


@pytest.mark.parametrize("sentence", COMMANDS)
def test_what_a_command_says_of_its_cards(sentence: str) -> None:
    limits, command, expected = COMMANDS[sentence]
    found = _warnings(_workload(limits=limits, command=command))
    assert len(found) == bool(expected)
    assert all(text.startswith("spec.containers[0]: ") and expected in text for text in found)


def test_a_command_of_an_init_container_is_found_in_its_place() -> None:
    document = _workload(limits=SHARE)
    init = {**build.container("i", gpu(1)), "command": ["xinference-supervisor"]}
    spec: Mapping[str, Json] = document["spec"]["template"]
    spec["spec"]["initContainers"] = [build.container("plain"), init]
    (found,) = _warnings(document)
    assert found.startswith("spec.initContainers[1]: a supervisor")
