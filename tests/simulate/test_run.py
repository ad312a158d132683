"""Scenarios through the production code: admission, quota, placement, environment."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from hami_admission.settings import Settings
from hami_admission.simulate import report, run, scenario
from tests import build, yamls
from tests.build import Json, gpu
from tests.vendors import samples

if TYPE_CHECKING:
    from hami_admission.model.device import Device

GIB80 = 81920


def _simulate(*documents: Json, settings: Settings | None = None) -> run.Result:
    placed = [(f"f, document {n}", each) for n, each in enumerate(documents, 1)]
    return run.simulate(scenario.build(placed), settings or Settings())


def _pod(name: str, *limits: Json, **fields: Any) -> Json:
    containers = [build.container(f"c{n}", each) for n, each in enumerate(limits)]
    return build.pod_json(*containers, name=name, **fields)


def _node(name: str, *cards: Device) -> Json:
    facts = build.facts(name, devices=cards)
    return {"kind": "Node", "metadata": {"name": name, "annotations": facts.annotations}}


def _verdicts(result: run.Result) -> list[str]:
    return [each.verdict for each in result.outcomes]


def test_the_default_cluster_is_two_nodes_of_eight_cards() -> None:
    usage = _simulate().cluster.usage()
    assert list(usage) == ["node-1", "node-2"]
    cards = [card for node in usage.values() for card in node.cards["NVIDIA"]]
    assert len({card.device.uuid for card in cards}) == 16
    assert {(card.device.memory_mib, card.device.slots) for card in cards} == {(GIB80, 10)}


def test_a_pod_gets_a_card_and_sees_it() -> None:
    (found,) = _simulate(_pod("p", gpu(1, memory=2000, cores=30))).outcomes
    assert found.verdict == "admitted"
    assert found.scheduler == "hami-scheduler"
    assert found.placed is not None
    ((grant,),) = found.placed.grants
    assert (grant.memory_mib, grant.cores) == (2000, 30)
    assert found.environment == {
        "c0": {
            "NVIDIA_VISIBLE_DEVICES": grant.uuid,
            "CUDA_DEVICE_MEMORY_LIMIT_0": "2000m",
            "CUDA_DEVICE_SM_LIMIT": "30",
        }
    }
    text = f"{grant.uuid},NVIDIA,2000,30:;"
    assert found.placed.annotations["hami.io/vgpu-devices-allocated"] == text
    assert found.placed.annotations["hami.io/vgpu-node"] == found.placed.node


def test_a_percentage_is_of_the_card_that_is_found() -> None:
    card = build.device(memory_mib=40960)
    (found,) = _simulate(_node("n", card), _pod("p", gpu(1, percent=33))).outcomes
    assert found.environment["c0"]["CUDA_DEVICE_MEMORY_LIMIT_0"] == "13516m"


def test_a_pod_without_cards_is_left_alone() -> None:
    document = _pod("web", {"cpu": 1})
    (found,) = _simulate(document).outcomes
    assert (found.verdict, found.message) == ("untouched", "no accelerator is asked for")
    assert (found.patch, found.document, found.placed) == ([], document, None)


def test_a_namespace_that_opted_out_is_left_alone() -> None:
    labels = {"hami.io/webhook": "ignore"}
    namespace: Json = {"kind": "Namespace", "metadata": {"name": "team", "labels": labels}}
    (found,) = _simulate(_pod("p", gpu(1)), namespace).outcomes
    assert found.verdict == "untouched"
    assert found.message == "namespace team has label hami.io/webhook: ignore"


def test_what_can_never_work_is_denied_with_the_way_out() -> None:
    (found,) = _simulate(_pod("p", gpu(1, memory="8Gi"))).outcomes
    assert found.verdict == "denied"
    assert "for 8Gi bytes write 8192" in found.message
    assert found.patch == []


def test_a_pod_that_fits_nowhere_waits_with_reasons() -> None:
    sick, small = build.device(0, healthy=False), build.device(1, memory_mib=1000)
    nodes = (_node("n", sick, small), _node("m"))
    (found,) = _simulate(*nodes, _pod("p", gpu(1, memory=2000))).outcomes
    assert (found.verdict, found.placed) == ("admitted", None)
    assert found.reasons["n"] == "1/2 CardInsufficientMemory, 1/2 CardNotHealth"
    assert found.summary.startswith("no node fits (0/")


def test_quota_is_linked_memory_and_cores_count_per_card() -> None:
    quota = build.quota_json(gpu=10, gpumem=10000, gpucores=200)
    result = _simulate(quota, _pod("p", gpu(2, memory=2000, cores=30)))
    assert result.quotas[0].used == {
        "nvidia.com/gpu": 2,
        "nvidia.com/gpumem": 4000,
        "nvidia.com/gpucores": 60,
    }
    assert result.quotas[0].holds == {}


def test_quota_refuses_what_is_over_it_and_keeps_what_was_in() -> None:
    pods = [_pod(name, gpu(2, memory=2000)) for name in ("a", "b", "c")]
    result = _simulate(build.quota_json(gpumem=8000), *pods)
    assert _verdicts(result) == ["admitted", "admitted", "denied"]
    assert result.outcomes[2].message == (
        "exceeded quota: quota, requested: limits.nvidia.com/gpumem=4000,"
        " used: limits.nvidia.com/gpumem=8000, limited: limits.nvidia.com/gpumem=8000"
    )
    assert result.quotas[0].used == {"nvidia.com/gpumem": 8000}


def test_the_summary_of_a_pod_that_quota_denied_says_so() -> None:
    (found,) = _simulate(build.quota_json(gpu=0), _pod("p", gpu(1))).outcomes
    assert found.verdict == "denied"
    assert found.summary == f"denied: {found.message}"


def test_init_containers_count_by_the_peak() -> None:
    """Facts 23, Webhook init: limit 24000."""

    def pod(init: int, app: int) -> Json:
        made = (build.container("init", gpu(1, memory=init)),)
        return build.pod_json(build.container("app", gpu(1, memory=app)), init=made)

    quota = build.quota_json(gpumem=24000)
    assert _verdicts(_simulate(quota, pod(30000, 4000))) == ["denied"]
    result = _simulate(quota, pod(20000, 10000))
    assert _verdicts(result) == ["admitted"]
    assert result.quotas[0].used == {"nvidia.com/gpumem": 20000}


def test_a_denied_pod_is_charged_in_no_quota() -> None:
    wide, narrow = build.quota_json("a", gpumem=8000), build.quota_json("b", gpu=0)
    result = _simulate(wide, narrow, _pod("p", gpu(1, memory=2000)))
    assert _verdicts(result) == ["denied"]
    assert [each.used for each in result.quotas] == [
        {"nvidia.com/gpumem": 0},
        {"nvidia.com/gpu": 0},
    ]


def test_a_card_too_large_for_the_quota_is_passed_over() -> None:
    """Design 3, rule 3: reserved is the smallest card, settled is the real one."""
    small, large = build.device(0, memory_mib=10000), build.device(1, memory_mib=GIB80)
    quota = build.quota_json(gpumem=15000)
    wants = {"nvidia.com/use-gpuuuid": "GPU-n-0,GPU-n-1"}
    pods = [_pod(name, gpu(1), annotations=wants) for name in ("a", "b")]
    result = _simulate(_node("n", small, large), quota, *pods)
    assert _verdicts(result) == ["admitted", "denied"]
    assert result.quotas[0].used == {"nvidia.com/gpumem": 10000}


def test_a_quota_that_a_settlement_would_break_keeps_the_pod_waiting() -> None:
    small, large = build.device(0, memory_mib=10000), build.device(1, memory_mib=GIB80)
    quota = build.quota_json(gpumem=15000)
    other = _pod(
        "other", gpu(1), namespace="elsewhere", annotations={"nvidia.com/use-gpuuuid": "GPU-n-0"}
    )
    result = _simulate(_node("n", small, large), quota, other, _pod("p", gpu(1)))
    waiting = result.outcomes[1]
    assert (waiting.verdict, waiting.placed) == ("admitted", None)
    assert "1/2 ResourceQuotaNotFit" in waiting.reasons["n"]
    assert result.quotas[0].used == {"nvidia.com/gpumem": 10000}


def test_a_quota_of_other_things_is_shown_as_it_was() -> None:
    quota = build.quota_json()
    quota["spec"]["hard"] = {"pods": "5"}
    result = _simulate(quota, _pod("p", gpu(1)))
    assert _verdicts(result) == ["admitted"]
    assert result.quotas[0].hard == {}


def test_a_daemon_set_is_placed_on_its_own_nodes() -> None:
    daemon: Json = {
        "kind": "DaemonSet",
        "metadata": {"name": "d", "namespace": "team"},
        "spec": {"template": {"spec": {"containers": [build.container("c", gpu(1, memory=1))]}}},
    }
    nodes = (_node("a", build.device()), _node("b", build.device(node="b")), _node("c"))
    found = _simulate(*nodes, daemon).outcomes
    assert [each.placed.node if each.placed else None for each in found] == ["a", "b", None]
    assert found[2].reasons == {"c": "node unregistered"}


def test_no_card_is_given_out_beyond_its_size() -> None:
    node = _node("n", build.device(memory_mib=10000, slots=3))
    pods = [_pod(str(number), gpu(1, memory=3000)) for number in range(4)]
    result = _simulate(node, *pods)
    assert [each.placed is not None for each in result.outcomes] == [True, True, True, False]
    (card,) = result.cluster.usage()["n"].cards["NVIDIA"]
    assert (card.slots, card.memory_mib) == (3, 9000)


def test_cards_of_the_old_register_form_have_no_index_and_still_serve() -> None:
    """Facts 11.3: seven fields mean index 0, for every card of the node."""
    text = "".join(f"GPU-{letter},10,40960,100,A100,0,true:" for letter in "abc")
    annotations = {"hami.io/node-nvidia-register": text}
    node: Json = {"kind": "Node", "metadata": {"name": "n", "annotations": annotations}}
    (found,) = _simulate(node, _pod("p", gpu(2, memory=2000))).outcomes
    assert found.placed is not None
    assert [grant.uuid for grant in found.placed.grants[0]] == ["GPU-a", "GPU-b"]


def test_check_looks_at_neither_quota_nor_nodes() -> None:
    made = scenario.build([("q", build.quota_json(gpu=0)), ("p", _pod("p", gpu(64)))])
    (found,) = run.check(made, Settings())
    assert (found.verdict, found.summary, found.placed) == ("admitted", "admitted", None)
    assert {operation["path"] for operation in found.patch} == {
        "/spec/containers/0/resources/limits/nvidia.com~1gpucores",
        "/spec/containers/0/env",
        "/metadata/annotations",
        "/spec/schedulerName",
    }


def _examples() -> list[Json]:
    folder = resources.files("hami_admission.simulate") / "examples"
    files = sorted(folder.iterdir(), key=lambda each: each.name)
    return [document for each in files for document in yamls.load_all(each.read_text())]


def test_two_runs_say_the_same() -> None:
    first, second = (report.of_simulation(_simulate(*_examples())) for _ in range(2))
    assert first == second


def test_the_examples_of_the_package() -> None:
    result = _simulate(*_examples())
    verdicts = {each.name: (each.verdict, each.placed is not None) for each in result.outcomes}
    assert verdicts == {
        "chat-0": ("admitted", True),
        "chat-1": ("admitted", True),
        "chat-large-0": ("admitted", True),
        "worker-0": ("admitted", True),
        "too-much": ("denied", False),
        "in-bytes": ("denied", False),
        "wants-h200": ("admitted", False),
        "web": ("untouched", False),
    }
    (quota,) = result.quotas
    assert quota.used == {
        "nvidia.com/gpu": 5,
        "nvidia.com/gpumem": 2 * 8000 + 2 * 20000 + 40960,
        "nvidia.com/gpucores": 2 * 30 + 2 * 50 + 50,
    }


def test_pods_for_a_device_plugin_of_others_are_handed_to_it_by_the_containers_name() -> None:
    node = samples.document(samples.SAMPLES["Enflame"].facts("n", 1))
    (found,) = _simulate(node, _pod("p", {"cpu": 1}, {"enflame.com/drs-gcu": 3})).outcomes
    assert found.placed is not None
    notes = found.placed.annotations
    assert notes["hami.io/bind-phase"] == "allocating"
    assert notes["assigned-containers"] == (
        '{"c1":{"allocated":false,"request":3,"profileID":"1","profileName":"3g.20gb"}}'
    )
