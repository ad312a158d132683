"""A real control plane, a kubelet and Prometheus: given by the environment, or built with Go."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.cluster import network

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "v1.34.2"


class Module(NamedTuple):
    """A Go module of ours, and the package of each binary that is built from it."""

    folder: Path
    packages: dict[str, str]


CONTROL_PLANE = Module(
    Path(__file__).parent,
    {
        "etcd": "go.etcd.io/etcd/server/v3",
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
        "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    },
)
# Of its own: what a kubelet is made of decides nothing about the control plane's cache.
KUBELET = Module(CONTROL_PLANE.folder / "kubelet", {"kubelet": "k8s.io/kubernetes/cmd/kubelet"})
# The whole of it but for its pages: the engine and the checker of rules are what users run.
PROMETHEUS = Module(
    CONTROL_PLANE.folder / "prometheus",
    {
        "promtool": "github.com/prometheus/prometheus/cmd/promtool",
        "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
    },
)
MODULES = (CONTROL_PLANE, KUBELET, PROMETHEUS)
NAMES = [name for module in MODULES for name in module.packages]
# Without the version the API server calls itself v0.0.0 and refuses feature gates.
LDFLAGS = " ".join((
    "-s -w",
    f"-X k8s.io/component-base/version.gitVersion={VERSION}",
    "-X k8s.io/component-base/version.gitMajor=1",
    "-X k8s.io/component-base/version.gitMinor=34",
))
HOW_TO = (
    f"These tests run a real Kubernetes control plane, a node and Prometheus, and need "
    f"{', '.join(NAMES)}. "
    "Either install Go 1.24 or later (https://go.dev/dl/), so that they are built once into a "
    "cache, or set KUBEBUILDER_ASSETS to a directory that holds all of them."
)


class MissingBinaries(Exception):
    """The control plane cannot be had; the message says what is needed."""


def ensure(module: Module = CONTROL_PLANE) -> Path:
    """A directory with all binaries of a module; builds what is missing."""
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if given:
        missing = absent(module, Path(given))
        if missing:
            raise MissingBinaries(
                f"KUBEBUILDER_ASSETS={given} does not hold {', '.join(missing)}. {HOW_TO}"
            )
        return Path(given).absolute()
    go = shutil.which("go")
    if go is None:
        raise MissingBinaries(f"Neither Go nor KUBEBUILDER_ASSETS was found. {HOW_TO}")
    root = cache_root()
    directory = root / _digest(go, module)
    if not absent(module, directory):
        return directory
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(root / "lock"):
        # Another builder may have finished while this one waited for the lock.
        for name in absent(module, directory):
            _build(go, module, name, directory)
    return directory


def cache_root() -> Path:
    """Where built binaries are kept, outside the tree."""
    base = os.environ.get("XDG_CACHE_HOME")
    cache = Path(base) if base else Path.home() / ".cache"
    return cache / "hami-admission" / "control-plane"


def absent(module: Module, directory: Path) -> list[str]:
    """The binaries of a module that the directory lacks."""
    return [name for name in module.packages if not os.access(directory / name, os.X_OK)]


def _digest(go: str, module: Module) -> str:
    version = subprocess.run(
        [go, "env", "GOVERSION", "GOOS", "GOARCH"],
        check=True,
        capture_output=True,
        cwd=module.folder,
    ).stdout
    parts = [(module.folder / name).read_bytes() for name in ("go.mod", "go.sum")]
    digest = hashlib.sha256()
    for part in (*parts, LDFLAGS.encode(), version):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(go: str, module: Module, name: str, directory: Path) -> None:
    sys.stdout.write(f"building {name} (minutes when Go's cache is cold)\n")
    sys.stdout.flush()
    unfinished = directory / f".{name}.unfinished"
    command = [go, "build", "-ldflags", LDFLAGS, "-o", str(unfinished), module.packages[name]]
    with network.outside():
        done = subprocess.run(
            command, cwd=module.folder, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise MissingBinaries(f"Building {name} failed:\n{done.stderr[-4000:]}\n{HOW_TO}")
    unfinished.replace(directory / name)


def main() -> int:
    """Pre-builds and prints the directories."""
    try:
        directories = [ensure(module) for module in MODULES]
    except MissingBinaries as failure:
        sys.stderr.write(f"{failure}\n")
        return 2
    sys.stdout.writelines(f"{directory}\n" for directory in directories)
    return 0


if __name__ == "__main__":
    sys.exit(main())
