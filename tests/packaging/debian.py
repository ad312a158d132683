"""Root file systems made of Debian's packages, as the bases of images: no registry is asked.

A base has the files of its packages and nothing that their scripts would make, as distroless has.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BUILDER = ("python3", "python3-venv", "dash", "coreutils", "sed")
# Extensions in C++, such as grpcio, link with the second; distroless has it as well.
RUNTIME = ("python3", "libstdc++6")
ONLY_FOR_SCRIPTS = frozenset((
    *("dpkg", "tar", "debconf", "openssl", "ca-certificates", "media-types", "readline-common"),
    *("libselinux1", "libpcre2-8-0", "libmd0", "libzstd1", "libacl1"),
))
"""What Python depends on for the scripts of packages; its libraries are not linked with them."""

DOCUMENTS = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/lintian",
    "usr/share/gcc",
)

PASSWD = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n"
GROUP = "root:x:0:\nnonroot:x:65532:\n"
OWN = {"etc/passwd": PASSWD, "etc/group": GROUP, "etc/nsswitch.conf": "hosts: files dns\n"}


class MissingPackages(Exception):
    """Debian's packages cannot be had; the message has apt's."""


class Entry(NamedTuple):
    """A file, folder or link of an image; `content` of files only."""

    info: tarfile.TarInfo
    content: bytes = b""


def ensure(folder: Path) -> None:
    """Downloads the packages of both bases to a folder that has none, or some, of them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "partial").mkdir(exist_ok=True)
    if _apt(folder, "--download-only", *BUILDER, *RUNTIME).returncode:
        # Lists that are not there, or that name versions which are gone.
        subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)
        done = _apt(folder, "--download-only", *BUILDER, *RUNTIME)
        if done.returncode:
            raise MissingPackages(done.stderr[-4000:])


def packages(folder: Path, wanted: Iterable[str]) -> list[Path]:
    """The files of packages and all they depend on, by name, of those that were downloaded."""
    done = _apt(folder, "--simulate", *wanted)
    if done.returncode:
        raise MissingPackages(done.stderr[-4000:])
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("Inst ")]
    # Inst NAME (VERSION ORIGIN [ARCHITECTURE])
    found = {line[1]: line[2].lstrip("(").replace(":", "%3a") for line in lines}
    return [next(folder.glob(f"{name}_{found[name]}_*.deb")) for name in sorted(found)]


def python_version(files: Iterable[Path]) -> str:
    """Of the interpreter among the packages: 3.11."""
    (name,) = {each.name.partition("-")[0] for each in files if each.match("python3.*-minimal_*")}
    return name.removeprefix("python")


def root(files: Iterable[Path], *, left_out: frozenset[str] = frozenset()) -> bytes:
    """The layer with the files of packages, but for documents, and with who uses them."""
    entries: dict[str, Entry] = {}
    for each in files:
        name = each.name.partition("_")[0]
        if name not in left_out:
            entries |= _unpacked(each)
            # Where scanners look for what an image without dpkg is made of.
            entries |= _file(f"var/lib/dpkg/status.d/{name}", _control(each))
    for path, text in OWN.items():
        entries |= _file(path, text.encode())
    entries |= {path: Entry(_folder(path, 0o1777)) for path in ("tmp", "var/tmp")}
    return layer(entries)


def layer(entries: dict[str, Entry]) -> bytes:
    """A tar archive that depends on its entries alone: sorted, of root, without times."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(entries):
            info, content = entries[path]
            info.name, info.mtime = path, 0
            info.uid = info.gid = 0
            info.uname = info.gname = ""
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return made.getvalue()


def _unpacked(package: Path) -> dict[str, Entry]:
    content = _dpkg("--fsys-tarfile", package)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        found = {each.name.removeprefix("./"): Entry(each, _read(tar, each)) for each in tar}
    return {path: each for path, each in found.items() if path and not _is_document(path)}


def _read(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(info) if info.isreg() else None
    return b"" if file is None else file.read()


def _is_document(path: str) -> bool:
    return path.startswith(tuple(f"{each}/" for each in DOCUMENTS))


def _control(package: Path) -> bytes:
    return _dpkg("--field", package)


def _dpkg(option: str, package: Path) -> bytes:
    return subprocess.run(["dpkg-deb", option, package], check=True, capture_output=True).stdout


def _file(path: str, content: bytes) -> dict[str, Entry]:
    info = tarfile.TarInfo(path)
    info.size, info.mode = len(content), 0o644
    return {path: Entry(info, content)}


def _folder(path: str, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type, info.mode = tarfile.DIRTYPE, mode
    return info


def _apt(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """apt-get install as on a machine that has no package, which keeps its archives in `folder`."""
    options = {
        "Dir::State::status": os.devnull,
        "Dir::Cache::archives": folder,
        "Debug::NoLocking": 1,
        "APT::Install-Recommends": 0,
    }
    command = ["apt-get", "install", "--yes", "-q"]
    command += [f"-o{name}={value}" for name, value in options.items()]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
