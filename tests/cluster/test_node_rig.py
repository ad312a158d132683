"""The node of the tests: pods really run on it, it keeps them, and it leaves nothing behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hami_admission.wire import keys
from tests import build
from tests.cluster import node_machine, node_rig
from tests.cluster.api import Api, wait
from tests.cluster.device_plugin import allocated, offered
from tests.cluster.kinds import KINDS
from tests.cluster.node_machine import CGROUP, FOLDER, LINK, Machine
from tests.cluster.node_rig import NodeRig, node_pod
from tests.cluster.product import node_annotations
from tests.cluster.test_quota import create

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.control_plane import ControlPlane
    from tests.cluster.product import Product

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
CARD = "test.example/card"
MADE_BY_OTHERS = (
    *("/var/lib/kubelet", "/var/lib/cni", "/var/log/containers", "/var/log/pods"),
    *("/run/containerd", "/run/netns", "/opt/containerd", "/etc/cni"),
)
"""Folders that kubelet, containerd and CNI plugins use where nobody tells them others."""

SYSCTLS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")


async def ended(api: Api, pod: Json, phase: str = "Succeeded") -> Json:
    """The pod once it has reached a phase."""
    return await reached(api, pod, lambda status: status.get("phase") == phase, phase)


async def running(api: Api, pod: Json) -> Json:
    """The pod once it runs."""
    return await reached(api, pod, lambda status: status.get("phase") == "Running", "Running")


async def reached(api: Api, pod: Json, check: Callable[[Json], bool], what: str) -> Json:
    """The pod once its status is as wanted."""
    path = KINDS["Pod"].path(pod["metadata"]["namespace"], pod["metadata"]["name"])
    last: list[Json] = [pod]

    async def ask() -> bool:
        last.append(await api.get(path))
        return check(last[-1]["status"])

    await wait(ask, f"{pod['metadata']['name']} {what}", 30)
    return last[-1]


async def has_capacity(api: Api, node: NodeRig, resource: str, amount: int) -> None:
    """Wait until the Node says so."""

    async def ask() -> bool:
        shown = await api.get(KINDS["Node"].path(name=node.name))
        return bool(shown["status"]["allocatable"].get(resource) == str(amount))

    await wait(ask, f"{amount} {resource} on the node")


def everything() -> dict[str, Any]:
    """Whatever a node could leave on this machine."""
    return {
        "processes": node_machine.processes() | daemons(),
        "mounts": {line for line in mounts() if str(FOLDER) in line},
        "cgroups": [each for each in node_machine.hierarchies() if (each / CGROUP).exists()],
        "link": LINK in node_machine.links(),
        "folder": FOLDER.exists(),
        "folders of others": [each for each in MADE_BY_OTHERS if Path(each).exists()],
        "sysctls": [Path("/proc/sys", each).read_text() for each in SYSCTLS],
    }


def mounts() -> set[str]:
    """The mounts of all namespaces that a process is in."""
    found: set[str] = set()
    for path in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            found.update(path.read_text().splitlines())
        except OSError:  # It has ended meanwhile.
            continue
    return found


def daemons() -> set[int]:
    """Processes that name the node's folder."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(str(FOLDER).encode() in each for each in arguments[1:]):
            found.add(int(path.parent.name))
    return found


async def test_a_node_starts_quickly_and_leaves_nothing(
    control_plane: ControlPlane, api: Api, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with node_machine.locked():
        before = everything()
    started = time.monotonic()
    with NodeRig(control_plane) as rig:
        with capsys.disabled():
            sys.stdout.write(f"[node ready in {time.monotonic() - started:.1f} s] ")
        pod = await create(api, node_pod(namespace, "p", "sleep 600", nodeName=rig.name))
        await running(api, pod)
        during = everything()
    with node_machine.locked():
        assert everything() == before
    assert len(during["processes"]) >= 5  # Two daemons, a shim, two containers.
    assert all(during[each] for each in ("mounts", "cgroups", "link", "folder"))
    same = ("folders of others", "sysctls")
    assert [during[each] for each in same] == [before[each] for each in same]
    names = [each["metadata"]["name"] for each in await api.list(KINDS["Node"].path())]
    assert rig.name not in names
    assert await api.list(KINDS["Pod"].path(namespace)) == []


# Runs a node with a pod until it is killed.
KILLED = """
import json, sys, time
from tests.cluster.control_plane import ControlPlane
from tests.cluster.node_rig import NodeRig, node_pod
with ControlPlane() as plane, NodeRig(plane) as node:
    plane.kubectl("wait", "--for=create", "serviceaccount/default")
    pod = node_pod("default", "p", "echo started; sleep 600", nodeName=node.name)
    plane.kubectl("create", "-f", "-", input=json.dumps(pod))
    plane.kubectl("wait", "--for=condition=Ready", "pod/p", "--timeout=30s")
    print(plane.folder, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_rig_left_is_swept_by_the_next() -> None:
    with node_machine.locked():
        before = everything()
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as rig:
        assert rig.stdout is not None
        folder = Path(rig.stdout.readline().strip())
        rig.kill()
    shutil.rmtree(folder)
    with node_machine.locked():
        left = everything()
        with Machine().taken():
            pass
        assert everything() == before
    assert len(node_machine.processes()) == 0 < len(left["processes"])
    assert left["folder"]


def test_a_machine_without_the_programs_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, control_plane: ControlPlane
) -> None:
    (tmp_path / "ip").touch(mode=0o755)
    monkeypatch.setitem(node_machine.ENV, "PATH", str(tmp_path))
    with pytest.raises(
        node_rig.MissingPrograms, match=r"busybox-static.* Missing: containerd, ctr, runc"
    ):
        NodeRig(control_plane).__enter__()


async def test_a_pod_runs_and_prints(node: NodeRig, api: Api, namespace: str) -> None:
    script = "echo on $(cat /proc/sys/kernel/hostname); echo twice >&2; exit 3"
    pod = await create(api, node_pod(namespace, "printer", script, nodeName=node.name))
    done = await ended(api, pod, "Failed")
    assert done["status"]["hostIP"] == node_machine.ADDRESS
    (container,) = done["status"]["containerStatuses"]
    assert container["state"]["terminated"]["exitCode"] == 3
    assert sorted(node.output(done).splitlines()) == ["on printer", "twice"]


def test_a_program_on_the_node_sees_its_files_and_changes_none_of_ours(node: NodeRig) -> None:
    script = "ls /var/lib/kubelet/device-plugins; touch /var/lib/only-there"
    program = node.run("look", ["sh", "-c", script])
    program.start()
    while program.running:
        time.sleep(0.01)
    assert program.returncode == 0
    assert "kubelet.sock" in program.log.read_text().split()
    assert (node.device_plugins / "kubelet.sock").is_socket()
    assert not Path("/var/lib/only-there").exists()


async def test_a_container_sees_what_its_binding_brought(
    node: NodeRig, product: Product, api: Api, namespace: str
) -> None:
    """From admission to the container: our webhooks, our placement, the Binding, the kubelet."""
    path = KINDS["Node"].path(name=node.name)
    cards = node_annotations(node.name, 2)
    await api.patch(path, {"metadata": {"annotations": cards}})
    script = "env | grep -E '^(NVIDIA_VISIBLE|CUDA_DEVICE_MEMORY_LIMIT)'"
    asked = node_pod(namespace, "p", script)
    asked["spec"]["containers"][0]["resources"] = {"limits": build.gpu(1, percent=50)}
    slots = [f"GPU-{node.name}-{card}-{slot}" for card in range(2) for slot in range(10)]
    async with offered(node, "nvidia.com/gpu", slots):
        await has_capacity(api, node, "nvidia.com/gpu", 20)
        done = await ended(api, await create(api, asked))
    await api.patch(path, {"metadata": {"annotations": dict.fromkeys(cards)}})
    bound = done["metadata"]["annotations"]
    assert f"GPU-{node.name}-" in bound[f"{keys.ENV_PREFIX}0.nvidia-visible-devices"]
    assert sorted(node.output(done).splitlines()) == [
        "CUDA_DEVICE_MEMORY_LIMIT_0=40960m",
        f"NVIDIA_VISIBLE_DEVICES={bound[f'{keys.ENV_PREFIX}0.nvidia-visible-devices']}",
    ]


async def test_a_pod_gets_a_device_and_the_kubelet_tells_which(
    node: NodeRig, api: Api, namespace: str
) -> None:
    ids = [f"card-{number}" for number in range(20)]
    pod = node_pod(namespace, "p", "echo got $DEVICES; sleep 600", nodeName=node.name)
    pod["spec"]["containers"][0]["resources"] = {"limits": {CARD: "1"}}
    async with offered(node, CARD, ids):
        await has_capacity(api, node, CARD, 20)
        runs = await running(api, await create(api, pod))
        told = await allocated(node, CARD)
    assert set(told) == {(namespace, "p", "main")}
    (device,) = told[namespace, "p", "main"]
    assert device in ids
    assert node.output(runs) == f"got {device}\n"


@pytest.mark.parametrize("part", ["kubelet", "containerd"])
@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_restart_leaves_running_pods_alone(
    node: NodeRig, api: Api, namespace: str, part: str, how: str
) -> None:
    pod = node_pod(namespace, "p", "echo started; sleep 600", nodeName=node.name)
    runs = await running(api, await create(api, pod))
    process = getattr(node, part)
    first = process.pid
    getattr(process, how)()
    process.start()
    process.await_ready()
    assert process.pid != first
    # A new one is accepted and runs beside it.
    later = await create(api, node_pod(namespace, "later", "echo later", nodeName=node.name))
    assert node.output(await ended(api, later)) == "later\n"
    after = await api.get(KINDS["Pod"].path(namespace, "p"))
    kept = ("containerID", "restartCount", "state")
    (one,), (other,) = (each["status"]["containerStatuses"] for each in (runs, after))
    assert [one[each] for each in kept] == [other[each] for each in kept]
    assert node.output(after) == "started\n"
