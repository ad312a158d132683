"""The product's images, really built from the Dockerfile, without a registry.

buildah executes the Dockerfile, of this tree or of the release before it. Its two bases are made
here of Debian's packages, and pip takes wheels from a folder, so the build itself has no network.
What was built is kept by the content of all that it is built from.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import hami_admission
from tests.cluster import binaries, images, network
from tests.packaging import debian, released

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
TARGETS = ("control", "agent")
KEPT = 5
"""How many builds stay in the cache, those of the release among them."""

PROGRAMS = ("buildah", "apt-get", "dpkg-deb")
HOW_TO = "The images are built as root, with the Debian package buildah, on Debian."

SOURCE_DATE_EPOCH = 1735689600
"""Any fixed one: the start of 2025."""

BASES = {
    "BUILDER": (debian.BUILDER, frozenset[str]()),
    "RUNTIME": (debian.RUNTIME, debian.ONLY_FOR_SCRIPTS),
}
"""By the argument of the Dockerfile: the packages of a base, and those that are left out."""


class Source(NamedTuple):
    """What images are built from: files with a Dockerfile, and their version."""

    root: Path
    version: str


TREE = Source(ROOT, hami_admission.__version__)


def release() -> Source:
    """The release before this tree."""
    return Source(released.tree(), released.VERSION)


class MissingPrograms(Exception):
    """The images cannot be built here; the message says what is needed."""


class BuildFailure(Exception):
    """The Dockerfile, or what it needs, is wrong; the message is the builder's."""


def name(target: str, source: Source = TREE) -> str:
    """The image of a target, as pods of tests name it."""
    return f"test.example/hami-admission-{target}:{source.version}"


def ensure(source: Source = TREE) -> dict[str, Path]:
    """The images by target, as OCI archives; builds what is missing."""
    missing = [each for each in PROGRAMS if shutil.which(each) is None]
    if missing:
        raise MissingPrograms(f"{HOW_TO} Missing: {', '.join(missing)}.")
    cache = cache_root()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"built-{digest(source)}"
    with locked(cache / "lock"):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache, prefix="unfinished-") as unfinished:
                build(cache, Path(unfinished), source)
                Path(unfinished, "out").rename(folder)
        os.utime(folder)
        _forget(cache)
    return {target: folder / f"{target}.tar" for target in TARGETS}


def cache_root() -> Path:
    """Beside the binaries of the control plane."""
    return binaries.cache_root().parent / "images"


def digest(source: Source = TREE) -> str:
    """Of all that an image is made of; of Debian's packages, how they are chosen."""
    recipe = [Path(__file__), Path(debian.__file__), Path(images.__file__)]
    parts = [path for part in sources(source) for path in _files(source.root / part)]
    return _digest(ROOT, *recipe) + _digest(source.root, *parts)


def sources(source: Source = TREE) -> list[str]:
    """What the builder is given: the Dockerfile, and what .dockerignore lets through."""
    lines = (source.root / ".dockerignore").read_text().splitlines()
    let = [line.removeprefix("!") for line in lines if line.startswith("!")]
    return ["Dockerfile", ".dockerignore", *let]


def build(cache: Path, folder: Path, source: Source = TREE) -> None:
    """Builds all targets in an empty folder, into its folder `out`; keeps downloads in the cache.

    Raises:
        BuildFailure: a step failed.
    """
    packages = cache / "packages"
    with network.outside():
        debian.ensure(packages)
        python = debian.python_version(debian.packages(packages, debian.RUNTIME))
        wheels = downloaded(cache, python, source)
    arguments = {}
    for argument, (wanted, left_out) in BASES.items():
        files = debian.packages(packages, wanted)
        arguments[argument] = f"docker-archive:{_base(cache, argument.lower(), files, left_out)}"
    (folder / "out").mkdir()
    for target in TARGETS:
        _buildah(
            folder,
            *(
                "bud",
                "--layers",
                "--isolation=chroot",
                f"--target={target}",
                f"--tag={name(target, source)}",
            ),
            *(f"--timestamp={SOURCE_DATE_EPOCH}", f"--volume={wheels}:/wheels:ro"),
            *(
                f"--build-arg={key}={value}"
                for key, value in (_arguments(source) | arguments).items()
            ),
            str(source.root),
        )
        archive = folder / "out" / f"{target}.tar"
        made = name(target, source)
        _buildah(folder, "push", "--compression-level=1", made, f"oci-archive:{archive}:{made}")


def _base(cache: Path, name: str, files: list[Path], left_out: frozenset[str]) -> Path:
    """A base as an archive, which is kept by its packages and how it is made of them."""
    recipe = hashlib.sha256(repr(([each.name for each in files], sorted(left_out))).encode())
    for each in (debian.__file__, images.__file__):
        recipe.update(Path(each).read_bytes())
    archive = cache / f"base-{name}-{recipe.hexdigest()[:16]}.tar"
    if not archive.exists():
        for old in cache.glob(f"base-{name}-*"):
            old.unlink()
        unfinished = archive.with_suffix(".unfinished")
        layer = debian.root(files, left_out=left_out)
        unfinished.write_bytes(images.packed(f"localhost/{name}", layer, {}))
        unfinished.rename(archive)
    return archive


def downloaded(cache: Path, version: str, source: Source = TREE) -> Path:
    """A folder with the wheels of requirements/ for a version of Python."""
    lists = sorted((source.root / "requirements").glob("*.txt"))
    folder = cache / f"wheels-{version}-{_digest(source.root, *lists)}"
    if not folder.exists():
        unfinished = cache / "unfinished-wheels"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes"]
        command += ["--only-binary=:all:", f"--python-version={version}", f"--dest={unfinished}"]
        for each in lists:
            _run([*command, f"--requirement={each}"])
        unfinished.rename(folder)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One build at a time."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _arguments(source: Source) -> dict[str, str]:
    return {
        "SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "/wheels",
        "REVISION": "",
        "SOURCE": "",
        "VERSION": source.version,
    }


def _buildah(folder: Path, *arguments: str) -> None:
    places = (f"--root={folder}/storage", f"--runroot={folder}/run", "--storage-driver=overlay")
    _run(["buildah", *places, *arguments])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailure(f"{command[0]}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}")


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [
        each for each in sorted(path.rglob("*")) if each.is_file() and each.suffix not in {".pyc"}
    ]


def _digest(root: Path, *paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        name = path.relative_to(root).as_posix()
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _forget(cache: Path) -> None:
    built = sorted(cache.glob("built-*"), key=lambda path: path.stat().st_mtime)
    for each in built[:-KEPT]:
        shutil.rmtree(each)


def main() -> int:
    """Builds what is missing, and prints the archives."""
    try:
        made = [*ensure(release()).values(), *ensure().values()]
    except (
        *(MissingPrograms, BuildFailure),
        *(debian.MissingPackages, released.MissingCommit),
    ) as failure:
        sys.stderr.write(f"{failure}\n")
        return 2
    sys.stdout.writelines(f"{path}\n" for path in made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
