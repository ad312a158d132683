"""Metric families of the scheduler: names, labels and values that dashboards rely on."""

from __future__ import annotations

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from hami_admission.cluster import events, overview
from hami_admission.cluster.state import Cluster
from hami_admission.metrics import control
from hami_admission.metrics.meters import Meters
from hami_admission.model.device import Profile
from hami_admission.model.verdict import Reason
from hami_admission.placement import decision
from hami_admission.settings import Settings
from hami_admission.wire import keys, quotas
from tests import build

MIB = 1 << 20
GPU = "NVIDIA A100-SXM4-80GB"
PROFILE = Profile("2g.20gb", 20480, 28, 2, ((0, 2), (2, 2)))
CARD = {"zone": "vGPU", "node": "n", "device_uuid": "GPU-n-0", "device_index": "0"}
HELD = {
    "zone": "vGPU", "namespace": "team", "node": "n", "pod": "p", "container_index": "1",
    "device_uuid": "GPU-n-0",
}  # fmt: skip

Labels = dict[str, str]


def a_cluster() -> Cluster:
    """A whole card of which a pod's second container has a part, and one in MIG mode."""
    made = Cluster(Settings())
    mig = build.device(1, mode="mig", slots=7, profiles=(PROFILE,), units=8, type="MIG")
    made.apply(events.NodeSeen(build.facts(devices=(build.device(0), mig))), 0)
    made.apply(
        events.PodSeen(
            build.pod(
                build.container("side"),
                build.container(limits=build.gpu(1, memory=2048, cores=30)),
                uid="p", nodeName="n",
                annotations={keys.NVIDIA_ALLOCATED: ";GPU-n-0,NVIDIA,2048,30:;"},
            )
        ), 0,
    )  # fmt: skip
    quota = build.quota_json(gpumem=40000)
    quota["status"]["used"] = {"limits.nvidia.com/gpumem": "2048"}
    made.apply(events.QuotaSeen(quotas.decode(msgspec.json.encode(quota))), 0)
    return made


def samples(cluster: Cluster) -> dict[str, list[tuple[Labels, float]]]:
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in control.families(overview.of(cluster)):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


TYPED = {**CARD, "device_type": GPU}
CORED = {**CARD, "device_cores": "100", "device_type": GPU}
LIMIT = {
    "zone": "vGPU", "namespace": "team", "quota_name": "nvidia.com/gpumem", "quota": "quota",
}  # fmt: skip
USED = {**LIMIT, "limit": "40000"}


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("hami_gpu_memory_limit_bytes", TYPED, 81920 * MIB),
        ("hami_gpu_core_limit_ratio", TYPED, 100),
        ("hami_gpu_memory_allocated_bytes", CORED, 2048 * MIB),
        ("hami_gpu_shared_count", TYPED, 1),
        ("hami_gpu_core_allocated_ratio", TYPED, 30),
        ("hami_node_gpu_overview", {**CORED, "device_memory_limit": "81920"}, 2048 * MIB),
        ("hami_node_gpu_memory_allocated_ratio", TYPED, 2048 / 81920),
        ("hami_vgpu_memory_allocated_bytes", HELD, 2048 * MIB),
        ("hami_vgpu_core_allocated_ratio", HELD, 30),
        ("hami_resource_quota_used", USED, 2048),
        ("hami_resource_quota_limit", LIMIT, 40000),
        ("hami_admission_quota_drift", LIMIT, 0),
        ("hami_admission_nodes", {}, 1),
        ("hami_admission_pods", {}, 1),
        ("hami_admission_bookings", {}, 0),
        ("hami_admission_waiting_pods", {}, 0),
        ("hami_admission_kept_tables", {}, 0),
    ],
)
def test_values(name: str, labels: Labels, value: float) -> None:
    assert (labels, value) in samples(a_cluster())[name]


def test_what_a_quota_shows_too_much_or_too_little() -> None:
    made = a_cluster()
    for shown, drift in ((5000, 5000 - 2048), (0, -2048)):
        quota = build.quota_json(gpumem=40000)
        quota["status"]["used"] = {"limits.nvidia.com/gpumem": str(shown)}
        made.apply(events.QuotaSeen(quotas.decode(msgspec.json.encode(quota))), 0)
        assert (LIMIT, drift) in samples(made)["hami_admission_quota_drift"]
    # Counted by somebody who has seen more than we have: we cannot tell.
    quota["metadata"] |= {"resourceVersion": "100", "annotations": {keys.QUOTA_COUNTED: "99"}}
    made.apply(events.QuotaSeen(quotas.decode(msgspec.json.encode(quota))), 0)
    assert "hami_admission_quota_drift" not in samples(made)


def test_reserved_instances() -> None:
    made = a_cluster()
    pod = build.pod(build.container(limits=build.gpu(1, memory=1000)), name="m", uid="m",
                    annotations={keys.NVIDIA_MODE: "mig"})  # fmt: skip
    demand = made.demand(pod)
    assert demand is not None
    assert made.plan(pod, demand, ["n"], 0).best == "n"
    booking = made.bookings.get("m")
    assert booking is not None
    cards = made.usage()["n"].cards
    notes = decision.notes(
        decision.Site("n", 0, cards), demand, booking.placement.grants, made.vendors
    )
    held = build.pod(build.container(limits=build.gpu(1, memory=1000)), name="m", uid="m",
                     nodeName="n", annotations=notes)  # fmt: skip
    made.apply(events.PodSeen(held), 0)
    ((labels, value),) = samples(made)["hami_node_gpu_mig_instance_info"]
    assert value == 1
    assert (labels["profile"], labels["device_uuid"], labels["device_index"]) == (
        "2g.20gb", "GPU-n-1", "1",
    )  # fmt: skip
    assert (labels["placement_start"], labels["placement_size"]) == ("0", "2")


def test_answers_kept_and_computed() -> None:
    made = a_cluster()
    for uid in ("a", "b"):
        pod = build.pod(build.container(limits=build.gpu(1, memory=999999)), name=uid, uid=uid)
        demand = made.demand(pod)
        assert demand is not None
        made.plan(pod, demand, ["n"], 0)
    found = samples(made)
    assert found["hami_admission_plan_nodes_total"] == [
        ({"answer": "computed"}, 1), ({"answer": "kept"}, 1),
    ]  # fmt: skip
    assert found["hami_admission_waiting_pods"] == [({}, 2)]


def test_since_when_and_why_pods_wait() -> None:
    made = a_cluster()
    assert "hami_admission_waiting_since_timestamp_seconds" not in samples(made)
    for uid, asked, now in (
        ("a", build.gpu(1, memory=999999), 70),
        ("b", build.gpu(1, memory=999999), 90),
        ("c", build.gpu(1, memory=81000, cores=90), 95),
        ("a", build.gpu(1, memory=999999), 99),
    ):
        pod = build.pod(build.container(limits=asked), name=uid, uid=uid)
        demand = made.demand(pod)
        assert demand is not None
        made.plan(pod, demand, ["n", "nobody"], now)
    found = samples(made)
    assert found["hami_admission_waiting_since_timestamp_seconds"] == [({}, 70)]
    rows = found["hami_admission_waiting_pods_by_reason"]
    reasons = {labels["reason"]: value for labels, value in rows}
    assert reasons["CardInsufficientMemory"] == 3
    assert reasons["node unregistered"] == 3
    assert set(reasons) <= {*Reason, "node unregistered"}


def test_a_process_tells_how_it_stands() -> None:
    registry = CollectorRegistry()
    state = {"leads": 0.0, "ready": 1.0, "certificate_expiry_timestamp_seconds": 5.0}
    Meters(registry).standing(
        lambda: bool(state["leads"]),
        lambda: bool(state["ready"]),
        lambda: state["certificate_expiry_timestamp_seconds"],
    )
    for now in (
        state,
        {"leads": 1.0, "ready": 0.0, "certificate_expiry_timestamp_seconds": 9.0},
    ):
        state.update(now)
        for name, value in state.items():
            assert registry.get_sample_value(f"hami_admission_{name}") == value


def test_labels_never_carry_what_users_write_without_bound() -> None:
    """Names of pods and nodes are bounded by Kubernetes; annotations are not, and stay out."""
    allowed = {
        *CORED, *HELD, *USED, "device_memory_limit", "answer", "version", "compiler", "platform",
        "mig_uuid", "profile", "gpu_instance_id", "compute_instance_id", "placement_start",
        "placement_size", "reason",
    }  # fmt: skip
    for rows in samples(a_cluster()).values():
        assert all(set(labels) <= allowed for labels, _ in rows)


def test_requests_are_measured_by_route_and_status() -> None:
    registry = CollectorRegistry()
    meters = Meters(registry)
    meters.expect(["/filter", "/mutate"])
    mutates = {"route": "/mutate", "status": "200"}
    assert registry.get_sample_value("hami_admission_request_duration_seconds_count", mutates) == 0
    meters.request("/filter", 200, 0.004)
    meters.request("/filter", 200, 0.2)
    meters.request("/bind", 500, 0.1)
    name = "hami_admission_request_duration_seconds"
    filters = {"route": "/filter", "status": "200"}
    assert registry.get_sample_value(f"{name}_count", filters) == 2
    assert registry.get_sample_value(f"{name}_bucket", {**filters, "le": "0.005"}) == 1
    assert registry.get_sample_value(f"{name}_count", {"route": "/bind", "status": "500"}) == 1


def test_cards_of_which_more_is_given_out_than_there_is() -> None:
    made = a_cluster()
    assert "hami_admission_card_exceeded" not in samples(made)
    notes = {keys.NVIDIA_ALLOCATED: "GPU-n-0,NVIDIA,81920,30:;"}
    asks = build.container(limits=build.gpu(1, memory=81920))
    by_hand = build.pod(asks, uid="q", name="q", nodeName="n", annotations=notes)
    made.apply(events.PodSeen(by_hand), 0)
    assert samples(made)["hami_admission_card_exceeded"] == [(TYPED, 1)]
    made.apply(events.PodGone("q"), 0)
    assert "hami_admission_card_exceeded" not in samples(made)


def test_pods_with_cards_that_they_do_not_ask_for() -> None:
    made = a_cluster()
    assert samples(made)["hami_admission_unasked_pods"] == [({}, 0)]
    notes = {keys.NVIDIA_ALLOCATED: "GPU-n-0,NVIDIA,81920,30:;"}
    by_hand = build.pod(build.container(), uid="q", name="q", nodeName="n", annotations=notes)
    made.apply(events.PodSeen(by_hand), 0)
    found = samples(made)
    assert found["hami_admission_unasked_pods"] == [({}, 1)]
    assert "hami_admission_card_exceeded" not in found


def test_pods_whose_cards_cannot_be_read() -> None:
    made = a_cluster()
    assert samples(made)["hami_admission_damaged_pods"] == [({}, 0)]
    notes = {keys.NVIDIA_ALLOCATED: "GPU-n-0,NVIDIA,x,30:GPU:;"}
    asks = build.container(limits=build.gpu(2))
    pod = build.pod(asks, uid="q", name="q", nodeName="n", annotations=notes)
    made.apply(events.PodSeen(pod), 0)
    found = samples(made)
    assert found["hami_admission_damaged_pods"] == [({}, 1)]
    shares = found["hami_vgpu_memory_allocated_bytes"]
    of_pod = [labels["device_uuid"] for labels, _ in shares if labels["pod"] == "q"]
    assert of_pod == ["GPU-n-0"]
