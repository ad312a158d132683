"""Container images made without a registry, as archives to import: busybox, kube-scheduler.

Those of the product are made by `tests.packaging.image`.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from tests.cluster.binaries import VERSION

Json = dict[str, Any]

BUSYBOX = "test.example/busybox:1"
PAUSE = "test.example/pause:1"
SCHEDULER = f"registry.k8s.io/kube-scheduler:{VERSION}"
"""By the name that it has in a cluster's manifests; never pulled."""

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

COMMANDS = {BUSYBOX: ["sh"], PAUSE: ["sleep", "2147483647"]}
"""What a container of each image runs by itself; the second holds a pod's namespaces."""


def archive(name: str) -> bytes:
    """The machine's busybox under all its names."""
    layer = _layer(Path(shutil.which("busybox") or ""))
    return packed(name, layer, {"Env": ["PATH=/bin"], "Cmd": COMMANDS[name]})


def scheduler(binary: Path) -> bytes:
    """A kube-scheduler of the rig, with the libraries it is linked with."""
    files = {f"usr/local/bin/{binary.name}": binary, **_libraries(binary)}
    layer = _tar({path: each.read_bytes() for path, each in files.items()})
    return packed(SCHEDULER, layer, {"Env": ["PATH=/usr/local/bin"], "Cmd": [binary.name]})


def packed(name: str, layer: bytes, config: Json) -> bytes:
    """An image of one layer as `docker save` writes it; the same bytes for the same layer."""
    document = {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": config,
        # Builders count layers by it.
        "history": [{"created_by": f"layer of {name}"}],
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    return _tar({
        "config.json": json.dumps(document).encode(),
        "layer.tar": layer,
        "manifest.json": json.dumps(manifest).encode(),
    })


def _libraries(binary: Path) -> dict[str, Path]:
    """By their paths in an image; none if the binary is static, as it is where Go has no C."""
    shown = subprocess.run(["ldd", binary], check=False, capture_output=True, text=True).stdout
    paths = {word for line in shown.splitlines() for word in line.split() if word.startswith("/")}
    return {path.lstrip("/"): Path(path).resolve() for path in sorted(paths)}


def _layer(busybox: Path) -> bytes:
    names = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True)
    links = {f"bin/{name}": "busybox" for name in names.stdout.split() if name != "busybox"}
    return _tar({"bin/busybox": busybox.read_bytes()}, links)


def _tar(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return made.getvalue()
