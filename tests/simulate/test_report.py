"""Results as data, field by field as design 13 has them, and as tables."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console

from hami_admission.settings import Settings
from hami_admission.simulate import report, run, scenario
from tests import build
from tests.build import Json, gpu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

DEPLOYMENT: Json = {
    "kind": "Deployment",
    "metadata": {"name": "chat", "namespace": "team"},
    "spec": {
        "replicas": 2,
        "strategy": {"type": "Recreate"},
        "template": {
            "spec": {"containers": [build.container("c", gpu(1, memory=2000, percent=50))]}
        },
    },
}
ALL = [{"name": "CUDA_DEVICE_MEMORY_LIMIT_9", "value": "x"}, {"name": "A", "value": "1"}]
DOCUMENTS: list[Json] = [
    build.quota_json(gpu=2),
    DEPLOYMENT,
    build.pod_json(build.container("c", gpu(1)), name="denied"),
    build.pod_json(build.container("c", gpu(1)), name="waits", namespace="b", nodeSelector={}),
    build.pod_json(build.container("c"), name="web"),
    build.pod_json(build.container("c", gpu(1), env=ALL), name="own", namespace="b"),
]
DOCUMENTS[3]["metadata"]["annotations"] = {"nvidia.com/use-gputype": "H200"}


def _scenario() -> scenario.Scenario:
    return scenario.build([("f", each) for each in DOCUMENTS])


def _result() -> run.Result:
    return run.simulate(_scenario(), Settings())


def _answer() -> dict[str, Any]:
    return cast("dict[str, Any]", report.of_simulation(_result()))


def _shown(renderables: Sequence[RenderableType]) -> str:
    out = io.StringIO()
    console = Console(file=out, width=200)
    for each in renderables:
        console.print(each)
    return out.getvalue()


def test_an_admitted_pod_field_by_field() -> None:
    pod = _answer()["pods"][0]
    patch, placement = pod.pop("patch"), pod.pop("placement")
    assert [set(operation) for operation in patch] == [{"op", "path", "value"}] * len(patch)
    (uuid,) = {card["uuid"] for card in placement["cards"]}
    assert pod == {
        "namespace": "team",
        "name": "chat-0",
        "owner": "Deployment/chat",
        "verdict": "admitted",
        "message": "",
        "warnings": [
            "spec.containers[0]: both nvidia.com/gpumem and nvidia.com/gpumem-percentage are"
            " given; nvidia.com/gpumem decides"
        ],
        "schedulerName": "hami-scheduler",
        "reasons": {},
        "summary": f"node-1: {uuid} (2000 MiB, 0 cores)",
        "environment": {
            "c": {
                "NVIDIA_VISIBLE_DEVICES": uuid,
                "CUDA_DEVICE_MEMORY_LIMIT_0": "2000m",
                "CUDA_DEVICE_SM_LIMIT": "0",
            }
        },
    }
    annotations = placement.pop("annotations")
    assert annotations["hami.io/env-0.nvidia-visible-devices"] == uuid
    assert placement == {
        "node": "node-1",
        "score": 0.0,
        "cards": [
            {"container": "c", "vendor": "NVIDIA", "uuid": uuid, "memory_mib": 2000, "cores": 0}
        ],
    }


def test_other_pods_have_the_same_fields_and_no_placement() -> None:
    admitted, _, denied, waits, web, _ = _answer()["pods"]
    assert [(each["verdict"], each["placement"]) for each in (denied, waits, web)] == [
        ("denied", None),
        ("admitted", None),
        ("untouched", None),
    ]
    assert set(denied) == set(waits) == set(web) == set(admitted)
    assert waits["reasons"] == dict.fromkeys(("node-1", "node-2"), "8/8 CardTypeMismatch")
    assert web["schedulerName"] == "default-scheduler"
    assert web["owner"] is None


def test_quotas_and_nodes_field_by_field() -> None:
    answer = _answer()
    assert list(answer) == ["pods", "quotas", "nodes"]
    assert answer["quotas"] == [
        {
            "namespace": "team",
            "name": "quota",
            "hard": {"limits.nvidia.com/gpu": 2},
            "used": {"limits.nvidia.com/gpu": 2},
        }
    ]
    assert [node["name"] for node in answer["nodes"]] == ["node-1", "node-2"]
    placement = answer["pods"][0]["placement"]
    (card,) = (
        card
        for card in answer["nodes"][0]["cards"]
        if card["uuid"] == placement["cards"][0]["uuid"]
    )
    uuid = card.pop("uuid")
    assert uuid.startswith("GPU-node-1-")
    assert card == {
        "vendor": "NVIDIA",
        "type": "NVIDIA A100-SXM4-80GB",
        "slots": [1, 10],
        "memory_mib": [2000, 81920],
        "cores": [0, 100],
        "health": True,
    }


def test_check_answers_with_verdict_and_patch_alone() -> None:
    answer = report.of_check(run.check(_scenario(), Settings()))
    pods = cast("list[dict[str, Any]]", answer["pods"])
    assert list(answer) == ["pods"]
    assert list(pods[0]) == [
        "namespace",
        "name",
        "owner",
        "verdict",
        "message",
        "warnings",
        "schedulerName",
        "patch",
    ]
    assert [pod["name"] for pod in pods] == ["chat-0", "chat-1", "denied", "waits", "web", "own"]


def test_tables_of_a_simulation() -> None:
    shown = _shown(report.tables(_result()))
    lines = shown.splitlines()

    def line(*words: str) -> bool:
        return any(all(word in each for word in words) for each in lines)

    assert shown.count("Rewritten: team Deployment/chat") == 1
    assert line("/spec/schedulerName", "hami-scheduler")
    assert line("/spec/containers/0/env/0", "(removed)")
    assert line("NVIDIA_VISIBLE_DEVICES = metadata.annotations['hami.io/env-0.nvidia-visible")
    assert line("CUDA_DEVICE_MEMORY_LIMIT_0 = 2000m")
    assert line("team/chat-0", "admitted", "node-1: GPU-node-1-")
    assert line("team/denied", "denied", "exceeded quota: quota")
    assert line("b/waits", "waiting", "no node fits (0/2)")
    assert line("team/web", "untouched", "no accelerator is asked for")
    assert line("b/own", "NVIDIA_VISIBLE_DEVICES", "GPU-node-")
    assert not line("b/own", "A", " 1 ")
    assert line("team/quota", "limits.nvidia.com/gpu", "2", "2")
    assert line("GPU-node-1-", "1/10", "2000/81920", "0/100")
    assert line("node-2", "8 idle")
    assert shown.count("Warning: Deployment/chat: spec.containers[0]: both") == 1
    assert line("Warning: own: spec.containers[0].env[0]: CUDA_DEVICE_MEMORY_LIMIT_9 is set")


def test_tables_of_nothing_show_the_idle_cluster_only() -> None:
    shown = _shown(report.tables(run.simulate(scenario.Scenario(), Settings())))
    assert "8 idle" in shown
    for title in ("Rewritten", "Quotas", "What containers will see", "Warning"):
        assert title not in shown


def test_a_node_in_full_use_has_no_idle_line() -> None:
    facts = build.facts("n", 1)
    node = {"kind": "Node", "metadata": {"name": "n", "annotations": facts.annotations}}
    pod = build.pod_json(build.container("c", gpu(1)))
    made = scenario.build([("n", node), ("p", pod)])
    shown = _shown(report.tables(run.simulate(made, Settings())))
    assert "81920/81920" in shown
    assert "idle" not in shown


def test_tables_of_a_check() -> None:
    shown = _shown(report.check_tables(run.check(_scenario(), Settings())))
    assert "Admission" in shown
    assert shown.count("Rewritten: team Deployment/chat") == 1
    assert "no accelerator is asked for" in shown
    assert "Quotas" not in shown


def test_what_looks_like_markup_is_shown_as_it_is() -> None:
    pod = build.pod_json(build.container("[red]c", gpu(1, memory="[bold]x")), name="[red]p")
    shown = _shown(report.tables(run.simulate(scenario.build([("p", pod)]), Settings())))
    assert "team/[red]p" in shown
    assert "[bold]x" in shown
