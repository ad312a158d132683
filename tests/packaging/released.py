"""The release before this tree: what a cluster is upgraded from, and rolled back to.

It is installed from its commit as it was, never imitated. The commit is named, for a clone may have
no tags. With the next release the two constants change, and nothing else.
"""

from __future__ import annotations

import fcntl
import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.cluster import binaries

ROOT = Path(__file__).parents[2]
COMMIT = "1b261c9871cf9e1c90488dc907d2132a5f4a4386"
VERSION = "0.1.0"

HOW_TO = (
    f"These tests install v{VERSION} from commit {COMMIT[:7]}, which this clone does not have. "
    "Fetch the history it was cut off from: git fetch --unshallow. "
    "A source distribution has none: use a clone."
)


class MissingCommit(Exception):
    """The release cannot be had; the message says what to do."""


def tree() -> Path:
    """The files of the release, in a cache outside this tree."""
    cache = binaries.cache_root().parent / "released"
    cache.mkdir(parents=True, exist_ok=True)
    found = cache / COMMIT
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            _extract(found)
    return found


def environment() -> dict[str, str]:
    """What makes this interpreter run the release: no folder that it is started in goes before."""
    return {"PYTHONPATH": str(tree()), "PYTHONSAFEPATH": "1"}


def archive(commit: str = COMMIT) -> bytes:
    """The files of a commit as a tar; raises MissingCommit."""
    # The clone may be somebody else's than who runs the tests: git would refuse to read it.
    command = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "archive", commit]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise MissingCommit("git is not installed.") from error
    if done.returncode:
        raise MissingCommit(f"{HOW_TO} git: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _extract(folder: Path) -> None:
    """Whole or not at all."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="unfinished-") as unfinished:
        made = Path(unfinished, "tree")
        with tarfile.open(fileobj=io.BytesIO(archive())) as tar:
            tar.extractall(made, filter="data")
        made.rename(folder)
