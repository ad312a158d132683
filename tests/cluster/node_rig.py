"""A real node on this machine: kubelet, containerd and runc, against the API server under test."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.cluster import binaries, images
from tests.cluster.node_machine import (
    ADDRESS,
    CGROUP,
    ENV,
    FOLDER,
    LINK,
    SOCKET,
    SUBNET,
    Machine,
    locked,
)
from tests.cluster.processes import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cluster.control_plane import ControlPlane

Json = dict[str, Any]

NAME = "rig-node"
LABEL = "test.example/kubelet"
"""On nodes that have one: they are not deleted between tests, for a kubelet registers once."""

SERVICES = "198.51.100.0/24"
"""A range for documentation that pods reach through their node: addresses of Services, for a
control plane that has them there."""

CNI = Path("/usr/lib/cni")
PROGRAMS = ("containerd", "ctr", "runc", "busybox", "ip", "nsenter", "unshare")
HOW_TO = (
    "The tests of a node run a real one, as root, and need these packages of Debian: "
    "containerd, runc, busybox-static, containernetworking-plugins, iproute2."
)

RIGHTS = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "test-kubelet"},
    "roleRef": {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "system:node",
    },
    "subjects": [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}
    ],
}

RUNTIME = """
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}.options]
Root = "{folder}/runc"
SystemdCgroup = false
"""

# restrict_oom_score_adj: without CAP_SYS_RESOURCE no sandbox starts that wants a lower score.
# The plugin opt would make a folder in /opt.
CONTAINERD = """
version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{cni}"
conf_dir = "{folder}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "runc"
"""

NETWORK = {
    "cniVersion": "1.0.0",
    "name": "rig",
    "plugins": [
        {
            "type": "bridge",
            "bridge": LINK,
            "ipMasq": False,
            "ipam": {
                "type": "host-local",
                "dataDir": str(FOLDER / "addresses"),
                "ranges": [[{"subnet": SUBNET, "rangeStart": "203.0.113.10"}]],
                "routes": [{"dst": SERVICES, "gw": ADDRESS}],
            },
        }
    ],
}

KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "address": ADDRESS,
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
    "healthzPort": 0,
    "containerRuntimeEndpoint": f"unix://{SOCKET}",
    "podLogsDir": str(FOLDER / "pods"),
    "volumePluginDir": str(FOLDER / "volume-plugins"),
    "resolvConf": "",
    "cgroupDriver": "cgroupfs",
    "cgroupRoot": f"/{CGROUP}",
    "failCgroupV1": False,
    "failSwapOn": False,
    "enforceNodeAllocatable": ["none"],
    "makeIPTablesUtilChains": False,
    "localStorageCapacityIsolation": False,
    # A full disk of the machine is not the tests' concern.
    "evictionHard": {
        "memory.available": "0%",
        "nodefs.available": "0%",
        "nodefs.inodesFree": "0%",
        "imagefs.available": "0%",
        "imagefs.inodesFree": "0%",
    },
    "imageGCHighThresholdPercent": 100,
    "oomScoreAdj": 0,
    # Ten seconds otherwise until devices are seen in the capacity.
    "nodeStatusUpdateFrequency": "1s",
}


class MissingPrograms(Exception):
    """The node cannot run here; the message says what is needed."""


class Kubelet(Process):
    """A kubelet; ready once its node is said to be, by this process and not the one before."""

    def start(self) -> None:
        """Starts without waiting."""
        self.started = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        super().start()


class NodeRig:
    """The node; `with` starts and stops it. One at a time for a worker: others wait."""

    name = NAME
    root = FOLDER / "kubelet"
    """What processes on the node know as /var/lib/kubelet."""
    device_plugins = root / "device-plugins"
    """The folder of the sockets of device plugins, and of the kubelet's."""
    pod_resources = root / "pod-resources" / "kubelet.sock"

    def __init__(self, plane: ControlPlane) -> None:
        """Starts nothing."""
        self.plane = plane
        self.containerd: Process
        self.kubelet: Kubelet
        self._machine = Machine()
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        """Starts all parts and waits until the Node is ready."""
        _check_programs()
        kubelet = binaries.ensure(binaries.KUBELET) / "kubelet"
        with ExitStack() as undo:
            undo.enter_context(locked())
            undo.enter_context(self._machine.taken())
            undo.callback(self._keep_logs)
            self._start_containerd(undo)
            undo.callback(self._forget)
            self._start_kubelet(kubelet, undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Deletes the Node and its pods, ends all processes, leaves nothing on the machine."""
        self._undo.close()

    def run(self, name: str, argv: Sequence[str | Path], **options: Any) -> Process:
        """A process with the node's view of the file system, not started yet; see `Process`.

        Its working folder is the root.
        """
        log = FOLDER / "logs" / f"{name}.log"
        return Process(name, self._machine.inside(argv), log, **options)

    def output(self, pod: Json, container: str = "main", *, restart: int = 0) -> str:
        """What a container of a pod has printed, or nothing yet."""
        metadata = pod["metadata"]
        folder = f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}"
        path = FOLDER / "pods" / folder / container / f"{restart}.log"
        lines = path.read_text().splitlines() if path.exists() else []
        # Each line: time, stream, F for a full line, text.
        return "".join(f"{line.split(' ', 3)[3]}\n" for line in lines)

    def load(self, image: bytes) -> None:
        """Imports an archive, in either format, under the name it carries."""
        done = _ctr("images", "import", "-", input=image)
        if done.returncode:
            raise RuntimeError(f"import of an image: {done.stderr.decode()}")

    def tag(self, image: str, name: str) -> None:
        """Give an image another name."""
        done = _ctr("images", "tag", "--force", image, name)
        if done.returncode:
            raise RuntimeError(f"{image} as {name}: {done.stderr.decode()}")

    def _start_containerd(self, undo: ExitStack) -> None:
        config = FOLDER / "containerd.toml"
        values = {"folder": FOLDER, "socket": SOCKET, "pause": images.PAUSE, "cni": CNI}
        # Pods that our admission rewrote name the second.
        runtimes = [RUNTIME.format(name=name, folder=FOLDER) for name in ("runc", "nvidia")]
        config.write_text("".join((CONTAINERD.format(**values), *runtimes)))
        (FOLDER / "cni").mkdir()
        (FOLDER / "cni" / "rig.conflist").write_text(json.dumps(NETWORK))
        self.containerd = self.run(
            "containerd",
            ["containerd", f"--config={config}"],
            env=ENV,
            ready=lambda: _ctr("version").returncode == 0,
        )
        undo.callback(self.containerd.stop)
        self.containerd.start()
        self.containerd.await_ready(20)
        for name in images.COMMANDS:
            self.load(images.archive(name))

    def _start_kubelet(self, binary: Path, undo: ExitStack) -> None:
        config = FOLDER / "kubelet.json"
        config.write_text(json.dumps({**KUBELET, "port": free_port()}))
        self.plane.kubectl("apply", "-f", "-", input=json.dumps(RIGHTS))
        argv: list[str | Path] = [
            binary,
            f"--config={config}",
            f"--kubeconfig={self.plane.kubeconfig('kubelet')}",
            f"--hostname-override={NAME}",
            f"--node-ip={ADDRESS}",
            f"--node-labels={LABEL}=",
        ]
        self.kubelet = Kubelet(
            "kubelet",
            self._machine.inside(argv),
            FOLDER / "logs" / "kubelet.log",
            env=ENV,
            ready=self._ready,
        )
        undo.callback(self.kubelet.stop)
        self.kubelet.start()
        self.kubelet.await_ready()
        # No controller takes it away; see ControlPlane.
        self.plane.kubectl("taint", "node", NAME, "node.kubernetes.io/not-ready-")

    def _ready(self) -> bool:
        shown = self.plane.try_kubectl("get", "node", NAME, "-o=json")
        if shown.returncode:
            return False
        conditions = json.loads(shown.stdout)["status"].get("conditions", [])
        return any(
            each["type"] == "Ready"
            and each["status"] == "True"
            and datetime.datetime.fromisoformat(each["lastHeartbeatTime"]) > self.kubelet.started
            for each in conditions
        )

    def _forget(self) -> None:
        """What the API server knows of the node; nobody answers for it any more."""
        where = ("--all-namespaces", f"--field-selector=spec.nodeName={NAME}")
        force = ("--force", "--grace-period=0", "--wait=false")
        pods = json.loads(self.plane.kubectl("get", "pods", *where, "-o=json"))["items"]
        for pod in pods:
            metadata = pod["metadata"]
            self.plane.kubectl(
                "delete", "pod", "-n", metadata["namespace"], metadata["name"], *force
            )
        self.plane.kubectl("delete", "node", NAME, "--ignore-not-found", "--wait=false")

    def _keep_logs(self) -> None:
        """Beside those of the control plane, which stay when a test failed."""
        for log in (FOLDER / "logs").iterdir():
            shutil.copy(log, self.plane.logs / f"node-{log.name}")


def node_pod(namespace: str, name: str, script: str, **spec: Any) -> Json:
    """A pod for the node that runs a shell script, once; `spec` adds fields."""
    main = {
        "name": "main",
        "image": images.BUSYBOX,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", script],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "containers": [main],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            **spec,
        },
    }


def _check_programs() -> None:
    missing = [name for name in PROGRAMS if shutil.which(name, path=ENV["PATH"]) is None]
    if not (CNI / "bridge").exists():
        missing.append(f"{CNI}/bridge")
    busybox = shutil.which("busybox")
    if busybox and b"/ld-linux" in Path(busybox).read_bytes():
        missing.append("a static busybox")
    if os.geteuid():
        missing.append("the rights of root")
    if missing:
        raise MissingPrograms(f"{HOW_TO} Missing: {', '.join(missing)}.")


def _ctr(*arguments: str, input: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    command = ["ctr", f"--address={SOCKET}", "--namespace=k8s.io", *arguments]
    return subprocess.run(command, input=input, capture_output=True, check=False)
