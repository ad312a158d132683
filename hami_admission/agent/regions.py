"""The folders in which containers keep their usage regions: read, written, cleaned up.

Who runs in a container may put anything there, so nothing is followed and nothing is waited for.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from hami_admission.node import region
from hami_admission.node.region import Unreadable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from hami_admission.node.region import Region, Write

TRIES = 3
"""To read a region that is being written; who was killed while it wrote leaves it so."""

FORGOTTEN_SECONDS = 300.0
"""After which the folder of nobody goes."""


class Found:
    """What lies in the folders: regions and their files by folder, and how many are damaged."""

    def __init__(self) -> None:
        self.regions: dict[str, Region] = {}
        self.files: dict[str, Path] = {}
        self.unreadable = 0


def scan(root: Path) -> Found:
    """Each folder's newest region."""
    found = Found()
    try:
        folders = [each for each in root.iterdir() if each.is_dir() and not each.is_symlink()]
    except OSError:
        return found
    for folder in folders:
        file = _newest(folder)
        if file is None:
            continue
        try:
            value = _read(file)
        except (Unreadable, OSError):
            found.unreadable += 1
            continue
        if value is not None:
            found.regions[folder.name] = value
            found.files[folder.name] = file
    return found


def write(files: Mapping[str, Path], writes: Mapping[str, tuple[Write, ...]]) -> None:
    """Put each number into its file, where it is."""
    for folder, each in writes.items():
        with suppress(OSError):
            _put(files[folder], each)


def _put(file: Path, parts: tuple[Write, ...]) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            for part in parts:
                os.pwrite(handle, part.data, part.offset)
    finally:
        os.close(handle)


def clean(root: Path, owned: Collection[str]) -> None:
    """Remove folders that belonged to nobody for a while."""
    late = time.time() - FORGOTTEN_SECONDS
    try:
        folders = list(root.iterdir())
    except OSError:
        return
    for folder in folders:
        if folder.name in owned or folder.is_symlink() or not folder.is_dir():
            continue
        if folder.stat().st_mtime < late and all(_old(each, late) for each in folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)


def _old(path: Path, late: float) -> bool:
    return path.lstat().st_mtime < late


def _newest(folder: Path) -> Path | None:
    """Containers of one pod that were given the same devices have a file each."""
    try:
        files = [(each.lstat(), each) for each in folder.iterdir() if each.suffix == ".cache"]
    except OSError:
        return None
    regular = [(found.st_mtime_ns, path) for found, path in files if stat.S_ISREG(found.st_mode)]
    return max(regular)[1] if regular else None


def _read(file: Path) -> Region | None:
    value = region.read(_bytes(file))
    for _ in range(TRIES - 1):
        if value is None or not value.writing:
            break
        value = region.read(_bytes(file))
    return value


def _bytes(file: Path) -> bytes:
    """Not mapped: who may cut the file off could end us."""
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return os.pread(handle, region.READ_BYTES, 0)
    finally:
        os.close(handle)
