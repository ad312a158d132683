"""The five binaries of a real control plane: given by the environment, or built with Go."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE = Path(__file__).parent
VERSION = "v1.34.2"
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}
# Without the version the API server calls itself v0.0.0 and refuses feature gates.
LDFLAGS = " ".join((
    "-s -w",
    f"-X k8s.io/component-base/version.gitVersion={VERSION}",
    "-X k8s.io/component-base/version.gitMajor=1",
    "-X k8s.io/component-base/version.gitMinor=34",
))
HOW_TO = (
    f"These tests run a real Kubernetes control plane and need {', '.join(PACKAGES)}. "
    "Either install Go 1.24 or later (https://go.dev/dl/), so that they are built once into a "
    "cache, or set KUBEBUILDER_ASSETS to a directory that holds all of them."
)


class MissingBinaries(Exception):
    """The control plane cannot be had; the message says what is needed."""


def ensure() -> Path:
    """A directory with all binaries; builds what is missing."""
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if given:
        missing = absent(Path(given))
        if missing:
            raise MissingBinaries(
                f"KUBEBUILDER_ASSETS={given} does not hold {', '.join(missing)}. {HOW_TO}"
            )
        return Path(given).absolute()
    go = shutil.which("go")
    if go is None:
        raise MissingBinaries(f"Neither Go nor KUBEBUILDER_ASSETS was found. {HOW_TO}")
    root = cache_root()
    directory = root / _digest(go)
    if not absent(directory):
        return directory
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(root / "lock"):
        # Another builder may have finished while this one waited for the lock.
        for name in absent(directory):
            _build(go, name, directory)
    return directory


def cache_root() -> Path:
    """Where built binaries are kept, outside the tree."""
    base = os.environ.get("XDG_CACHE_HOME")
    cache = Path(base) if base else Path.home() / ".cache"
    return cache / "hami-admission" / "control-plane"


def absent(directory: Path) -> list[str]:
    """The binaries that the directory lacks."""
    return [name for name in PACKAGES if not os.access(directory / name, os.X_OK)]


def _digest(go: str) -> str:
    version = subprocess.run(
        [go, "env", "GOVERSION", "GOOS", "GOARCH"], check=True, capture_output=True, cwd=MODULE
    ).stdout
    parts = [(MODULE / "go.mod").read_bytes(), (MODULE / "go.sum").read_bytes()]
    digest = hashlib.sha256()
    for part in (*parts, LDFLAGS.encode(), version):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(go: str, name: str, directory: Path) -> None:
    sys.stdout.write(f"building {name} (minutes when Go's cache is cold)\n")
    sys.stdout.flush()
    unfinished = directory / f".{name}.unfinished"
    command = [go, "build", "-ldflags", LDFLAGS, "-o", str(unfinished), PACKAGES[name]]
    done = subprocess.run(command, cwd=MODULE, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingBinaries(f"Building {name} failed:\n{done.stderr[-4000:]}\n{HOW_TO}")
    unfinished.replace(directory / name)


def main() -> int:
    """Pre-builds and prints the directory."""
    try:
        directory = ensure()
    except MissingBinaries as failure:
        sys.stderr.write(f"{failure}\n")
        return 2
    sys.stdout.write(f"{directory}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
