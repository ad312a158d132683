"""The product's images, built from the Dockerfile: what is in them, and that they run."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import hami_admission
from tests.cluster import binaries, images
from tests.cluster.kinds import KINDS
from tests.cluster.node_rig import node_pod
from tests.cluster.test_node_rig import ended
from tests.cluster.test_quota import create
from tests.packaging import image

if TYPE_CHECKING:
    from tests.cluster.api import Api
    from tests.cluster.node_rig import NodeRig

Json = dict[str, Any]

MEGABYTES = {"control": 175, "agent": 165}
"""Uncompressed, at most."""

COMPILERS = {"gcc", "cc", "c++", "ld", "as", "make", "pip", "pip3", "apt", "dpkg", "sh", "bash"}
RESTRICTED = {
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


class Archive:
    """An OCI archive, read."""

    def __init__(self, path: Path) -> None:
        """Reads it whole."""
        with tarfile.open(path) as tar:
            self._blobs = {
                each.name: file.read() for each in tar if (file := tar.extractfile(each))
            }
        (listed,) = json.loads(self._blobs["index.json"])["manifests"]
        self.digest: str = listed["digest"]
        self._manifest: Json = json.loads(self._blob(self.digest))
        self.config: Json = json.loads(self._blob(self._manifest["config"]["digest"]))["config"]

    def files(self) -> dict[str, int]:
        """Of all layers: sizes in bytes by path."""
        found: dict[str, int] = {}
        for each in self._manifest["layers"]:
            layer = gzip.decompress(self._blob(each["digest"]))
            with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
                found |= {info.name: info.size for info in tar}
        return found

    def _blob(self, digest: str) -> bytes:
        return self._blobs[f"blobs/{digest.replace(':', '/')}"]


@pytest.fixture(scope="module")
def built() -> dict[str, Path]:
    """The images by target."""
    return image.ensure()


def pod(namespace: str, name: str, target: str, *arguments: str, **spec: Any) -> Json:
    """A pod that the restricted level lets in, with the entry point of an image."""
    made = node_pod(namespace, name, "", securityContext=RESTRICTED, **spec)
    (main,) = made["spec"]["containers"]
    del main["command"]
    main |= {"image": image.name(target), "args": arguments, "securityContext": CONTAINED}
    return made


@pytest.mark.parametrize("target", image.TARGETS)
def test_an_image_is_small_and_has_nothing_to_build_with(
    built: dict[str, Path], target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = Archive(built[target]).files()
    size = sum(files.values()) / 1e6
    with capsys.disabled():
        sys.stdout.write(f"[{target}: {size:.0f} MB] ")
    programs = {path.name for path in map(Path, files) if path.parent.name in {"bin", "sbin"}}
    assert "hami-admission" in programs
    assert programs & COMPILERS == set()
    assert [each for each in files if "/site-packages/pip/" in each] == []
    assert size <= MEGABYTES[target]


@pytest.mark.parametrize(("target", "user"), [("control", "65532:65532"), ("agent", "0:0")])
def test_an_image_says_what_it_is(built: dict[str, Path], target: str, user: str) -> None:
    config = Archive(built[target]).config
    assert config["User"] == user
    assert config["Entrypoint"] == ["/opt/hami/bin/hami-admission"]
    assert config["Cmd"] == [target]
    labels = {key.rpartition(".")[2]: value for key, value in config["Labels"].items()}
    assert labels["version"] == hami_admission.__version__
    assert labels["licenses"] == "Apache-2.0"
    assert {"title", "description", "source", "revision"} <= labels.keys()
    visible = "NVIDIA_VISIBLE_DEVICES=all" in config["Env"]
    assert visible == (target == "agent")


@pytest.mark.timeout(900)
def test_a_second_build_gives_the_same_digests(built: dict[str, Path]) -> None:
    with tempfile.TemporaryDirectory(dir=image.cache_root(), prefix="unfinished-") as folder:
        image.build(image.cache_root(), Path(folder))
        again = {each: Archive(Path(folder, "out", f"{each}.tar")).digest for each in built}
    assert again == {target: Archive(path).digest for target, path in built.items()}


async def test_control_runs_under_the_restricted_level(
    built: dict[str, Path], node: NodeRig, api: Api, namespace: str
) -> None:
    node.load(built["control"].read_bytes())
    enforced = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    await api.patch(KINDS["Namespace"].path(name=namespace), enforced)
    said = {}
    for command in ("version", "demo"):
        made = pod(namespace, command, "control", command, nodeName=node.name)
        said[command] = node.output(await ended(api, await create(api, made)))
    assert said["version"].strip() == hami_admission.__version__
    assert "GPU-node-1-0" in said["demo"]


async def test_control_is_not_root_unless_told(
    built: dict[str, Path], node: NodeRig, api: Api, namespace: str
) -> None:
    """And starts as far as it can without a service account: it says what it lacks."""
    node.load(built["control"].read_bytes())
    script = "import os; print(os.getuid(), os.getgid())"
    who = pod(namespace, "who", "control", nodeName=node.name)
    who["spec"]["containers"][0]["command"] = ["/opt/hami/bin/python3", "-c", script]
    assert node.output(await ended(api, await create(api, who))) == "65532 65532\n"
    done = await ended(
        api, await create(api, pod(namespace, "c", "control", nodeName=node.name)), "Failed"
    )
    (status,) = done["status"]["containerStatuses"]
    assert status["state"]["terminated"]["exitCode"] == 2
    assert "hami-admission: " in node.output(done)


async def test_the_agent_starts_and_so_does_kube_scheduler(
    built: dict[str, Path], node: NodeRig, api: Api, namespace: str
) -> None:
    node.load(built["agent"].read_bytes())
    node.load(images.scheduler(binaries.ensure() / "kube-scheduler"))
    agent = node_pod(namespace, "agent", "", nodeName=node.name)
    script = "import grpc, pynvml, hami_admission.agent.app; print('loaded')"
    agent["spec"]["containers"][0] |= {
        "image": image.name("agent"),
        "command": ["/opt/hami/bin/python3", "-c", script],
    }
    scheduler = node_pod(namespace, "scheduler", "", nodeName=node.name)
    scheduler["spec"]["containers"][0] |= {
        "image": images.SCHEDULER,
        "command": ["kube-scheduler", "--version"],
    }
    said = [node.output(await ended(api, await create(api, each))) for each in (agent, scheduler)]
    assert said == ["loaded\n", f"Kubernetes {binaries.VERSION}\n"]
