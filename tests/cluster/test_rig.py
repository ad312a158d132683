"""The rig itself: a control plane that starts, works, counts and leaves nothing behind."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from tests.cluster import binaries
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.audit import Audit
from tests.cluster.control_plane import ControlPlane
from tests.cluster.credentials import Authority
from tests.cluster.kinds import KINDS
from tests.cluster.load import unexcused
from tests.cluster.processes import Process, StartFailure

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


def deployment(name: str, replicas: int) -> dict[str, Any]:
    """A Deployment of pods that nothing will run."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "example.com/none"}]},
            },
        },
    }


def config_map(name: str) -> dict[str, Any]:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


@pytest.fixture
def scheduler(control_plane: ControlPlane) -> Iterator[Process]:
    """A kube-scheduler as it comes."""
    process = control_plane.start_scheduler({})
    yield process
    process.stop()


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended may wait for its parent to take note."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_second_plane_is_ready_quickly_and_stops_without_leftovers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    binaries.ensure()
    started = time.monotonic()
    with ControlPlane() as plane:
        took = time.monotonic() - started
        with capsys.disabled():
            sys.stdout.write(f"[control plane ready in {took:.1f} s] ")
        assert took < 30
        scheduler = plane.start_scheduler({})
        shell = plane.run_process(
            "shell", ["sh", "-c", "sleep 600 & echo $! $MARK; wait"], {"MARK": "marked"}
        )
        while "marked" not in shell.log.read_text():
            time.sleep(0.01)
        grandchild = int(shell.log.read_text().split()[0])
        scheduler.pause()
        pids = [process.pid for process in plane.processes]
        assert len(pids) == 5
        assert all(map(alive, pids))
    gone = time.monotonic() + 5
    while alive(grandchild) and time.monotonic() < gone:
        time.sleep(0.01)  # A killed process ends a moment later.
    assert not any(map(alive, [*pids, grandchild]))
    assert not plane.folder.exists()


# Starts a child in a group of its own, says its pid and waits to be killed.
PARENT = """
import sys, time
from pathlib import Path
from tests.cluster.processes import Process
child = Process("child", ["sleep", "600"], Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""


def test_children_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "child.log")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    gone = time.monotonic() + 5
    while alive(child) and time.monotonic() < gone:
        time.sleep(0.01)
    assert not alive(child)


def test_a_start_that_fails_shows_the_log(tmp_path: Path) -> None:
    broken = Process(
        "broken", ["sh", "-c", "echo no such flag; exit 3"], tmp_path / "log", ready=lambda: False
    )
    broken.start()
    with pytest.raises(StartFailure, match=r"broken ended with 3\n--- log\nno such flag"):
        broken.await_ready()


def test_restarts_keep_objects_tokens_and_the_audit() -> None:
    with ControlPlane() as plane:
        plane.kubectl("create", "configmap", "kept")
        for process in (plane.etcd, plane.apiserver):
            first = process.pid
            process.restart()
            assert process.pid != first
        assert plane.kubectl("get", "configmap", "kept", "-o=name") == "configmap/kept\n"
        made = plane.audit().requests("admin", "create", "configmaps", name="kept")
        assert [event["responseStatus"]["code"] for event in made] == [201]
        # It ends when it asks for a token while the API server is away.
        plane.controller_manager.restart()
        assert plane.controller_manager.running


async def test_a_dry_run_keeps_nothing(
    api: Api, control_plane: ControlPlane, namespace: str
) -> None:
    path = KINDS["ConfigMap"].path(namespace)
    tried = await api.create(path, config_map("tried"), dryRun="All")
    assert tried["metadata"]["uid"]
    as_text = json.dumps(config_map("piped"))
    control_plane.kubectl(
        "create", "-n", namespace, "--dry-run=server", "-f", "-", input=as_text, identity="user"
    )
    refused = control_plane.try_kubectl("get", "nodes", identity="user")
    assert refused.returncode == 1
    assert "alice" in refused.stderr
    names = {item["metadata"]["name"] for item in await api.list(path)}
    assert names.isdisjoint({"tried", "piped"})


@pytest.mark.parametrize("as_file", [False, True])
def test_a_scheduler_takes_its_configuration_as_yaml(
    control_plane: ControlPlane, tmp_path: Path, as_file: bool
) -> None:
    text = "profiles:\n- schedulerName: other\n"
    file = tmp_path / "config.yaml"
    file.write_text(text)
    scheduler = control_plane.start_scheduler(file if as_file else text)
    assert scheduler.running
    scheduler.kill()
    assert not scheduler.running


async def test_real_controllers_and_scheduler_place_a_deployment(
    api: Api, namespace: str, scheduler: Process
) -> None:
    await api.add_node("rig-node", labels={"zone": "a"}, extra={"nvidia.com/gpu": "80"})
    await api.apply(deployment("web", 3), namespace=namespace)

    async def bound() -> list[str]:
        pods = (await api.get(KINDS["Pod"].path(namespace)))["items"]
        nodes = [pod["spec"]["nodeName"] for pod in pods if "nodeName" in pod["spec"]]
        return nodes if len(nodes) == 3 else []

    assert await wait(bound, "three bound pods") == ["rig-node"] * 3
    assert scheduler.running
    first = scheduler.pid
    scheduler.restart()
    assert scheduler.pid != first
    await api.apply(deployment("web", 1), namespace=namespace)
    await api.delete(KINDS["Node"].path(name="rig-node"))


async def test_the_audit_counts_requests_by_identity(
    control_plane: ControlPlane, namespace: str
) -> None:
    audit = control_plane.audit(from_now=True)
    path = KINDS["ConfigMap"].path(namespace)
    async with Api(control_plane.url, control_plane.ca_file, control_plane.token("user")) as user:
        for name in ("one", "two"):
            await user.create(path, config_map(name))
        await user.get(f"{path}/one")
        with pytest.raises(ApiFailure) as refused:
            await user.get("/api/v1/nodes")
    assert refused.value.status == 403

    async def counted() -> bool:
        return len(audit.requests(user="alice")) >= 4

    await wait(counted, "four requests")
    assert len(audit.requests(user="alice")) == 4
    assert len(audit.requests("alice", "create", "configmaps", "", namespace)) == 2
    verbs = [event["verb"] for event in audit.requests(namespace=namespace, name="one")]
    assert verbs == ["create", "get"]
    assert audit.requests(user="alice", verb="list")[0]["responseStatus"]["code"] == 403
    assert len(control_plane.audit().requests()) > 4


async def test_a_webhook_by_service_reaches_a_server_on_loopback(
    api: Api, namespace: str, tmp_path: Path
) -> None:
    address, port = f"127.100.7.{2 + secrets.randbelow(250)}", 443
    if os.geteuid():
        port = 8443  # Low ports are the superuser's.
    authority = Authority(tmp_path)
    certificate, key = authority.issue("hook", [f"hook.{namespace}.svc"])
    seen: list[str] = []

    async def refuse(request: web.Request) -> web.Response:
        review = (await request.json())["request"]
        seen.append(review["name"])
        response = {"uid": review["uid"], "allowed": False, "status": {"message": "not today"}}
        return web.json_response({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": response,
        })

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    app = web.Application()
    app.router.add_post("/check", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, address, port, ssl_context=context).start()
    try:
        await api.apply(*hook(namespace, address, port, authority.file), namespace=namespace)

        async def refused() -> str:
            name = f"probe-{secrets.token_hex(4)}"
            try:
                await api.apply(config_map(name), namespace=namespace)
            except ApiFailure as failure:
                return failure.message
            return ""

        assert "not today" in await wait(refused, "a refusal by the webhook")
        assert seen
    finally:
        await api.delete(KINDS["ValidatingWebhookConfiguration"].path(name=namespace))
        await runner.cleanup()


def hook(namespace: str, address: str, port: int, authority: Path) -> list[dict[str, Any]]:
    """A Service on an address of loopback, and a webhook that names it."""
    service = {"name": "hook", "namespace": namespace, "path": "/check", "port": port}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "hook"},
            "spec": {"clusterIP": address, "ports": [{"port": port}]},
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": namespace},
            "webhooks": [
                {
                    "name": "hook.example.com",
                    "clientConfig": {
                        "service": service,
                        "caBundle": base64.b64encode(authority.read_bytes()).decode(),
                    },
                    "rules": [
                        {
                            "apiGroups": [""],
                            "apiVersions": ["v1"],
                            "resources": ["configmaps"],
                            "operations": ["CREATE"],
                        }
                    ],
                    "namespaceSelector": {
                        "matchLabels": {"kubernetes.io/metadata.name": namespace}
                    },
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                    "failurePolicy": "Ignore",
                }
            ],
        },
    ]


async def test_apply_patches_what_exists_and_skips_unknown_kinds(
    api: Api, namespace: str, control_plane: ControlPlane
) -> None:
    ray = {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "ray"}}
    await api.apply(config_map("settings"), ray, namespace=namespace)
    applied = await api.apply({**config_map("settings"), "data": {"a": "b"}}, namespace=namespace)
    assert [item["data"] for item in applied] == [{"a": "b"}]
    assert api.skipped == [ray]
    printed = control_plane.kubectl("get", "cm", "settings", "-n", namespace, "-o=jsonpath={.data}")
    assert printed == '{"a":"b"}'
    with pytest.raises(RuntimeError, match="NotFound"):
        control_plane.kubectl("get", "cm", "nothing", "-n", namespace)


def test_given_assets_must_be_complete(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in set(binaries.NAMES) - {"etcd", "kubectl", "kubelet"}:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(binaries.MissingBinaries, match=r"does not hold etcd, kubectl\."):
        binaries.ensure()
    for name in ("etcd", "kubectl"):
        (tmp_path / name).touch(mode=0o755)
    assert binaries.ensure() == tmp_path
    with pytest.raises(binaries.MissingBinaries, match=r"does not hold kubelet\."):
        binaries.ensure(binaries.KUBELET)


def test_without_go_and_assets_the_message_says_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("go") is None
    with pytest.raises(binaries.MissingBinaries, match=r"install Go .* or set KUBEBUILDER"):
        binaries.ensure()
    assert binaries.main() == 2
    assert "kube-apiserver" in capsys.readouterr().err


def test_a_late_answer_is_excused_by_a_slow_write_before_it_and_by_no_other(
    tmp_path: Path,
) -> None:
    log = tmp_path / "audit.log"
    about = {"resource": "resourcequotas", "subresource": "status", "namespace": "team"}
    writes = {"00:00.000": "00:00.100", "00:10.000": "00:10.400", "00:30.000": "00:30.100"}
    log.write_text(
        "".join(
            json.dumps({
                "auditID": begun,
                "verb": "patch",
                "user": {},
                "objectRef": about,
                "requestReceivedTimestamp": f"2026-11-30T18:{begun}000Z",
                "stageTimestamp": f"2026-11-30T18:{end}000Z",
            })
            + "\n"
            for begun, end in writes.items()
        )
    )
    moment = datetime(2026, 11, 30, 18, 0, 0, tzinfo=UTC)
    found = {
        seconds: unexcused([moment + timedelta(seconds=seconds)], Audit(log), "team") == []
        for seconds in (1, 9, 11, 13, 20, 31)
    }
    assert found == {1: False, 9: False, 11: True, 13: True, 20: False, 31: False}
    assert unexcused([], Audit(log), "team") == []
    assert unexcused([moment + timedelta(seconds=11)], Audit(log), "other")
