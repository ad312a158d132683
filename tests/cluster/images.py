"""Container images made without a registry: busybox and nothing else, as archives to import."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path

BUSYBOX = "test.example/busybox:1"
PAUSE = "test.example/pause:1"

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

COMMANDS = {BUSYBOX: ["sh"], PAUSE: ["sleep", "2147483647"]}
"""What a container of each image runs by itself; the second holds a pod's namespaces."""


def archive(name: str) -> bytes:
    """An image as `docker save` writes it: the machine's busybox under all its names."""
    layer = _layer(Path(shutil.which("busybox") or ""))
    config = {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": COMMANDS[name]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    return _tar({
        "config.json": json.dumps(config).encode(),
        "layer.tar": layer,
        "manifest.json": json.dumps(manifest).encode(),
    })


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
