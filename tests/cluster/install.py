"""A cluster as a new user has it: a control plane, a node with a kubelet, Helm, our images."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.cluster import images, node_rig
from tests.cluster.control_plane import ControlPlane
from tests.cluster.node_rig import NodeRig
from tests.packaging import image, tools

if TYPE_CHECKING:
    from tests.packaging.image import Source

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
NAMESPACE = "hami-system"
RELEASE = "hami-admission"
CHART = "helm/hami-admission"
TRIAL = "helm/examples/trial.yaml"

FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)

IMAGES = {
    "control": "docker.io/library/hami-admission",
    "agent": "docker.io/library/hami-admission-agent",
}
"""As a node finds what the chart names without a registry; their tag is a version."""

USED = "docker.io/library/busybox:1.37"
"""The image of helm/examples/first-pod.yaml."""


def commands(document: str) -> list[str]:
    """The lines of the ``sh`` blocks of a document, in order."""
    text = (ROOT / "docs" / document).read_text()
    return [line for block in FENCE.findall(text) for line in block.splitlines()]


class Cluster:
    """`with` starts and stops it; ``run`` runs a command line as a user would, from the clone."""

    def __init__(self, *sources: Source) -> None:
        """The node has the images of these, or of this tree."""
        self._sources = sources or (image.TREE,)
        self.plane = ControlPlane(services=node_rig.SERVICES)
        self.node = NodeRig(self.plane)
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        made = [image.ensure(each) for each in self._sources]
        with ExitStack() as undo:
            undo.enter_context(self.plane)
            undo.enter_context(self.node)
            plane = self.plane
            argv = [sys.executable, "-m", "tests.cluster.service_proxy"]
            argv += [plane.url, str(plane.ca_file), plane.token("admin")]
            plane.run_process("service-proxy", argv)
            plane.start_scheduler({})
            for source, archives in zip(self._sources, made, strict=True):
                for target, path in archives.items():
                    self.node.load(path.read_bytes())
                    name = image.name(target, source)
                    self.node.tag(name, f"{IMAGES[target]}:{source.version}")
            self.node.load(images.scheduler(plane.binary("kube-scheduler")))
            self.node.tag(images.BUSYBOX, USED)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *of: object) -> None:
        self._undo.close()

    def try_(self, line: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run it and say what came of it."""
        programs = (tools.tool(tools.HELM_4, "helm"), tools.tool(tools.HELM_4, "kubectl"))
        path = os.pathsep.join([*(str(each.parent) for each in programs), os.environ["PATH"]])
        env = {
            "PATH": path,
            "HOME": str(self.plane.folder / "data"),
            "KUBECONFIG": str(self.plane.kubeconfig("admin")),
        }
        return subprocess.run(
            shlex.split(line), input=input, capture_output=True, text=True, cwd=ROOT, env=env,
            check=False, timeout=240,
        )  # fmt: skip

    def run(self, line: str, input: str | None = None) -> str:
        """What it prints; raises with what it complains of."""
        done = self.try_(line, input)
        assert done.returncode == 0, f"$ {line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def get(self, *what: str) -> Json:
        """An object or a list, by the words that kubectl wants."""
        found: Json = json.loads(self.run(f"kubectl get {' '.join(what)} --output json"))
        return found
