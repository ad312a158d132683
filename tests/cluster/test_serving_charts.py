"""Manifests as the serving charts render them, from creation to the Binding."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml

from hami_admission.wire import grants
from tests.cluster.api import Api, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import ROOT, a_quota, charged, node_annotations

if TYPE_CHECKING:
    from tests.cluster.product import Product

Json = dict[str, Any]

FOLDER = Path(os.environ.get("SERVING_MANIFESTS", ROOT.parent / "shared" / "manifests"))
FILES = sorted(FOLDER.glob("vllm/*.yaml")) + sorted(FOLDER.glob("xinference/*.yaml"))
OWN = sorted((ROOT / "hami_admission" / "simulate" / "examples").glob("2-*.yaml"))

ASKING = {"gpu", "gpumem", "gpumem-percentage", "gpucores", "priority"}


def containers(pod: Json) -> list[Json]:
    """All containers in slot order."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def asks(pod: Json) -> bool:
    """Does some container ask for an accelerator?"""
    return any(
        key.startswith("nvidia.com/") and key.rpartition("/")[2] in ASKING
        for container in containers(pod)
        for key in (container.get("resources") or {}).get("limits") or {}
    )


async def calls(api: Api) -> float:
    """Reviews that the API server sent to our webhooks, by its own metrics."""
    text = (await api.get("/metrics"))["message"]
    return sum(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith("apiserver_admission_webhook_admission_duration_seconds_count")
        and "hami.io" in line
    )


def expected_pods(documents: list[Json]) -> int:
    """Pods that the controllers will make of the workloads."""
    return sum(
        each["spec"].get("replicas", 1) for each in documents if each["kind"] == "Deployment"
    )


def objects(path: Path) -> list[Json]:
    """The documents of a file."""
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def simulated(path: Path, namespace: str, tmp_path: Path) -> list[Json]:
    """What ``simulate`` says of the same file in the same namespace."""
    documents = objects(path)
    for each in documents:
        each["metadata"]["namespace"] = namespace
    nodes: list[Json] = [
        {"kind": "Node", "metadata": {"name": name, "annotations": node_annotations(name)}}
        for name in ("node-1", "node-2")
    ]
    file = tmp_path / "input.yaml"
    file.write_text(yaml.safe_dump_all([*nodes, *documents]))
    command = [sys.executable, "-m", "hami_admission", "simulate", str(file), "-o", "json"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    found: list[Json] = msgspec.json.decode(done.stdout)["pods"]
    return found


async def bound(api: Api, namespace: str, count: int) -> list[Json]:
    """The namespace's pods once all of them exist and those that ask are bound."""

    async def ask() -> list[Json]:
        pods: list[Json] = (await api.get(KINDS["Pod"].path(namespace)))["items"]
        done = all(pod["spec"].get("nodeName") for pod in pods if asks(pod))
        return pods if len(pods) == count and done else []

    return await wait(ask, f"{count} pods of {namespace}, the asking ones bound")


async def volumes(api: Api, documents: list[Json]) -> None:
    """A volume for each claim, which no provisioner makes here."""
    for each in documents:
        if each["kind"] == "PersistentVolumeClaim":
            volume = {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"generateName": "test-"},
                "spec": {
                    "capacity": {"storage": "100Gi"},
                    "accessModes": ["ReadWriteOnce"],
                    "hostPath": {"path": "/nowhere"},
                },
            }
            await api.create("/api/v1/persistentvolumes", volume)


def check_rewritten(pod: Json, predicted: Json) -> None:
    """Scheduler, environment and limits are as ``simulate`` said they would be stored."""
    assert pod["spec"]["schedulerName"] == "hami-scheduler" == predicted["schedulerName"]
    patched = {
        operation["path"]: operation["value"]
        for operation in predicted["patch"]
        if operation["op"] == "add"
    }
    for index, container in enumerate(pod["spec"]["containers"]):
        base = f"/spec/containers/{index}"
        for path, value in patched.items():
            if path in {f"{base}/env", f"{base}/env/-"}:
                entries = value if isinstance(value, list) else [value]
                assert all(entry in container["env"] for entry in entries)
            elif path.startswith(f"{base}/resources/limits/"):
                name = path.rpartition("/")[2].replace("~1", "/")
                assert container["resources"]["limits"][name] == value
    environment = predicted["environment"]
    for container in containers(pod):
        names = [entry["name"] for entry in container.get("env", [])]
        assert len(names) == len(set(names))
        assert set(environment[container["name"]]) <= set(names)


def check_cards(pods: list[Json]) -> dict[str, int]:
    """Annotations decode to cards with room at the peak; gives MiB by card over all apps."""
    used: dict[str, int] = {}
    for pod in pods:
        notes = pod["metadata"]["annotations"]
        assert notes["hami.io/vgpu-node"] == pod["spec"]["nodeName"]
        slots = grants.decode(notes["hami.io/vgpu-devices-allocated"])
        assert len(slots) == len(containers(pod))
        apps = slots[len(pod["spec"].get("initContainers", [])) :]
        for slot in apps:
            assert len({grant.uuid for grant in slot}) == len(slot)
            for grant in slot:
                used[grant.uuid] = used.get(grant.uuid, 0) + grant.memory_mib
    assert all(memory <= 81920 for memory in used.values())
    return used


@pytest.mark.skipif(not FILES, reason="SERVING_MANIFESTS names no folder of rendered charts")
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_a_rendered_chart_runs_as_simulated(
    product: Product, api: Api, namespace: str, path: Path, tmp_path: Path
) -> None:
    await check_whole_line(product, api, namespace, path, tmp_path)


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
async def test_our_examples_run_as_simulated(
    product: Product, api: Api, namespace: str, path: Path, tmp_path: Path
) -> None:
    await check_whole_line(product, api, namespace, path, tmp_path)


async def check_whole_line(
    product: Product, api: Api, namespace: str, path: Path, tmp_path: Path
) -> None:
    """Rewritten, charged, bound; plain pods never sent; stored as predicted."""
    assert product.process is not None
    for name in ("node-1", "node-2"):
        notes = node_annotations(name)
        await api.add_node(name, annotations=notes, extra={"nvidia.com/gpu": "80"})
    await api.apply(a_quota(namespace, gpu=100, gpumem=10_000_000, gpucores=10_000))
    documents = objects(path)
    await volumes(api, documents)
    before = await calls(api)
    await api.apply(*documents, namespace=namespace)

    pods = await bound(api, namespace, expected_pods(documents))

    ours = [pod for pod in pods if asks(pod)]
    assert await calls(api) - before == 2 * len(ours)
    predictions = {
        each["owner"]: each
        for each in simulated(path, namespace, tmp_path)
        if each["verdict"] == "admitted"
    }
    assert len(ours) == sum(
        each["spec"].get("replicas", 1)
        for each in documents
        if f"{each['kind']}/{each['metadata']['name']}" in predictions
    )
    for pod in ours:
        owner = pod["metadata"]["generateName"].rstrip("-").rpartition("-")[0]
        check_rewritten(pod, predictions[f"Deployment/{owner}"])
    check_cards(ours)
    await check_charge(api, namespace, ours)


async def check_charge(api: Api, namespace: str, pods: list[Json]) -> None:
    """The quota shows the peak of each pod: the largest init container or the sum of the apps."""
    total = {"gpu": 0, "gpumem": 0, "gpucores": 0}
    for pod in pods:
        slots = grants.decode(pod["metadata"]["annotations"]["hami.io/vgpu-devices-allocated"])
        split = len(pod["spec"].get("initContainers", []))
        for key, of in (
            ("gpu", lambda grant: 1),
            ("gpumem", lambda grant: grant.memory_mib),
            ("gpucores", lambda grant: grant.cores),
        ):
            sums = [sum(of(grant) for grant in slot) for slot in slots]
            total[key] += max([sum(sums[split:]), *sums[:split]])

    async def ask() -> bool:
        quota = await api.get(KINDS["ResourceQuota"].path(namespace, "quota"))
        return charged(quota) == total

    await wait(ask, f"the quota shows {total}")
