"""Each values file of helm/examples does what its document says, by the charts' own keys."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml

from hami_admission.settings import Settings
from hami_admission.simulate import report, run, scenario
from hami_admission.wire import keys, registers
from tests import build, yamls
from tests.serving import charts
from tests.topology import matrices

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "helm" / "examples"
CHARTS: dict[str, Callable[[Json], list[Json]]] = {
    "vllm": charts.vllm,
    "xinference": charts.xinference,
}
MANIFESTS = Path(os.environ.get("SERVING_MANIFESTS", ROOT.parent / "shared" / "manifests"))
RENDERED = [path for chart in CHARTS for path in sorted(MANIFESTS.glob(f"{chart}/*.yaml"))]


def files() -> list[Path]:
    """The values files."""
    return [
        path
        for chart in CHARTS
        for path in sorted((EXAMPLES / chart).glob("*.yaml"))
        if not path.name.endswith(".resourcequota.yaml")
    ]


def values_used(text: str) -> Json:
    """The values that a rendered file says it was made with, in its head."""
    head = text.partition("\n---")[0].partition("# values used:\n")[2]
    lines = [line.removeprefix("#").removeprefix("   ") for line in head.splitlines()]
    found: Json = yamls.load("\n".join(lines)) or {}
    return found


def about_cards(deployment: Json) -> Json:
    """What decides about cards, without what the charts leave out or add beside it."""
    spec = deployment["spec"]
    pod = spec["template"]["spec"]
    asks = [
        {
            "name": each["name"],
            "resources": {
                half: {name: str(value) for name, value in (given or {}).items()}
                for half, given in (each.get("resources") or {}).items()
            },
        }
        for each in (*pod.get("initContainers", []), *pod["containers"])
    ]
    return {
        "replicas": spec["replicas"],
        "strategy": spec.get("strategy") or {},
        "containers": [each for each in asks if each["name"] != "check-supervisor"],
        "runtimeClassName": pod.get("runtimeClassName"),
        "annotations": spec["template"]["metadata"].get("annotations"),
    }


@pytest.mark.skipif(not RENDERED, reason="SERVING_MANIFESTS names no folder of rendered charts")
@pytest.mark.parametrize("path", RENDERED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_keys_mean_what_the_chart_renders(path: Path) -> None:
    text = path.read_text()
    rendered = {
        each["metadata"]["name"]: each
        for each in yamls.load_all(text)
        if each and each["kind"] == "Deployment" and "router" not in each["metadata"]["name"]
    }
    values = values_used(text) or {"servingEngineSpec": {}}
    ours = {each["metadata"]["name"]: each for each in CHARTS[path.parent.name](values)}
    assert {name: about_cards(each) for name, each in ours.items()} == {
        name: about_cards(each) for name, each in rendered.items()
    }
    for name, each in ours.items():
        flags = each["spec"]["template"]["spec"]["containers"][0]["command"]
        (shown, *_) = rendered[name]["spec"]["template"]["spec"]["containers"]
        assert set(flags) <= {*shown["command"], *shown.get("args", [])}


def linked(name: str) -> dict[str, str]:
    """Annotations of a node of eight A100-80G; NVLinks join 2 and 3, and 4 to 7."""
    devices = tuple(build.device(index, node=name) for index in range(8))
    pairs = {(2, 3): 4, (4, 5): 4, (4, 6): 4, (4, 7): 4, (5, 6): 4, (5, 7): 4, (6, 7): 4}
    uuids = tuple(each.uuid for each in devices)
    scores = registers.encode_scores(uuids, matrices.links(8, pairs))
    return {**build.facts(name, devices=devices).annotations, keys.NVIDIA_SCORES: scores}


def simulated(path: Path, settings: Settings) -> Json:
    """The values file through its chart, admission, quota and placement, as ``simulate`` has it."""
    node = {"kind": "Node", "metadata": {"name": "n", "annotations": linked("n")}}
    documents: list[Json] = [node]
    quota = path.with_name(f"{path.stem}.resourcequota.yaml")
    if quota.exists():
        found = yamls.load(quota.read_text())
        found["metadata"]["namespace"] = "serving"
        documents.append(found)
    documents += CHARTS[path.parent.name](yamls.load(path.read_text()))
    steps = scenario.build([(path.name, each) for each in documents])
    answer = report.of_simulation(run.simulate(steps, settings))
    decoded: Json = msgspec.json.decode(msgspec.json.encode(answer))
    return decoded


Cards = list[list[tuple[int, int]]]
SPREAD, PACKED = Settings(), Settings(gpu_scheduler_policy="binpack")
LINKED = Settings(gpu_scheduler_policy="topology-aware")

EXPECTED: dict[str, tuple[Settings, Cards]] = {
    "vllm/share-mib": (SPREAD, [[(8000, 0)]]),
    "vllm/percentage": (SPREAD, [[(40960, 50)]]),
    "vllm/replicas-on-one-card": (SPREAD, [[(24000, 30)]] * 3),
    "vllm/tensor-parallel-2": (SPREAD, [[(40000, 50)] * 2]),
    "vllm/quota-per-team": (SPREAD, [[(20000, 30)], [(20000, 30)], [(8000, 10)]]),
    "vllm/init-container": (SPREAD, [[(12000, 0), (8000, 0)]]),
    "xinference/share-mib": (SPREAD, [[(8000, 0)]]),
    "xinference/percentage": (SPREAD, [[(40960, 50)]]),
    "xinference/workers-on-one-card": (PACKED, [[(2048, 0)]] * 5),
    "xinference/two-cards": (LINKED, [[(40000, 50)] * 2]),
    "xinference/quota-per-team": (SPREAD, [[(20000, 30)]] * 2),
}
"""MiB and cores of each card, by pod that asks for some."""

SAME_CARD = {"vllm/replicas-on-one-card", "xinference/workers-on-one-card", "vllm/init-container"}
JOINED = {"vllm/tensor-parallel-2", "xinference/two-cards"}


def name(path: Path) -> str:
    """``vllm/share-mib``."""
    return f"{path.parent.name}/{path.stem}"


def test_every_example_is_expected_and_told() -> None:
    assert sorted(map(name, files())) == sorted(EXPECTED)
    for path in (path for chart in CHARTS for path in (EXAMPLES / chart).glob("*.yaml")):
        document = ROOT / "docs" / "serving" / f"{path.parent.name}.md"
        assert f"helm/examples/{path.parent.name}/{path.name}" in document.read_text()


@pytest.mark.parametrize("path", files(), ids=name)
def test_an_example_is_admitted_without_a_warning_and_placed(path: Path) -> None:
    settings, expected = EXPECTED[name(path)]
    answer = simulated(path, settings)
    asking = [each for each in answer["pods"] if each["verdict"] != "untouched"]
    assert [each["warnings"] for each in asking] == [[]] * len(expected)
    cards = [each["placement"]["cards"] for each in asking]
    assert [[(card["memory_mib"], card["cores"]) for card in each] for each in cards] == expected
    uuids = [card["uuid"] for each in cards for card in each]
    if name(path) in SAME_CARD:
        assert len(set(uuids)) == 1
    if name(path) in JOINED:
        assert sorted(uuids) == ["GPU-n-2", "GPU-n-3"]


@pytest.mark.parametrize("chart", CHARTS)
def test_the_quota_beside_an_example_is_just_enough(chart: str) -> None:
    """All of it is used: one replica more is refused, with the numbers."""
    path = EXAMPLES / chart / "quota-per-team.yaml"
    (quota,) = simulated(path, SPREAD)["quotas"]
    assert quota["used"] == quota["hard"]
    assert all(quota["hard"].values())


def test_of_an_init_container_and_a_server_the_larger_is_charged(tmp_path: Path) -> None:
    for needs, admitted in ((12000, 1), (11999, 0)):
        path = tmp_path / "vllm" / "init-container.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text((EXAMPLES / "vllm" / "init-container.yaml").read_text())
        quota = build.quota_json(gpumem=needs)
        path.with_name("init-container.resourcequota.yaml").write_text(yaml.safe_dump(quota))
        verdicts = Counter(each["verdict"] for each in simulated(path, SPREAD)["pods"])
        assert verdicts["admitted"] == admitted


DEFAULTS: dict[str, tuple[Json, list[str]]] = {
    "vGPU on with the chart's defaults": ({}, []),
    "memory added, the defaults kept": (
        {"nvidia.com/gpumem": 4096},
        ["gpucores: 100 keeps the card to this container alone", "gpumem decides"],
    ),
    "half of the memory, the cores kept": (
        {"nvidia.com/gpumem-percentage": 50},
        ["gpucores: 100 keeps the card to this container alone"],
    ),
}


@pytest.mark.parametrize("sentence", DEFAULTS)
def test_what_merged_maps_leave_of_the_xinference_charts_defaults_is_told(sentence: str) -> None:
    limits, expected = DEFAULTS[sentence]
    worker = {"vgpu": {"enabled": True, "resources": {"limits": limits}}}
    supervisor, made = charts.xinference({"xinferenceWorker": {"worker": worker}})
    found = run.check(scenario.build([("s", supervisor), ("w", made)]), Settings())
    assert len(found[1].warnings) == len(expected)
    for warning, part in zip(found[1].warnings, expected, strict=True):
        assert part in warning
    assert any("a supervisor runs no model" in each for each in found[0].warnings)
