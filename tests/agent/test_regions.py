"""Usage regions in their folders, whatever containers put there."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from hami_admission.agent import regions
from hami_admission.node import feedback, region
from tests.node import regions as made

if TYPE_CHECKING:
    from pathlib import Path


def a_region(**tail: Any) -> bytes:
    """One of the newest version, with these fields at its end."""
    return made.file(made.new(**tail))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "containers"
    folder.mkdir()
    return folder


def put(root: Path, folder: str, data: bytes, name: str = "x.cache") -> Path:
    path = root / folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def test_the_newest_region_of_each_folder_is_read(root: Path) -> None:
    old = put(root, "a", a_region(priority=1), "old.cache")
    os.utime(old, (1, 1))
    new = put(root, "a", a_region(priority=7), "new.cache")
    put(root, "b", b"")
    found = regions.scan(root)
    assert {key: each.priority for key, each in found.regions.items()} == {"a": 7}
    assert found.files == {"a": new}
    assert found.unreadable == 0


def test_there_may_be_no_folder_at_all(tmp_path: Path) -> None:
    assert regions.scan(tmp_path / "nowhere").regions == {}
    regions.clean(tmp_path / "nowhere", ())


def test_nothing_that_a_container_puts_there_is_followed_or_waited_for(
    root: Path, tmp_path: Path
) -> None:
    secret = put(tmp_path, "elsewhere", a_region())
    (root / "link").symlink_to(secret.parent)
    for folder in ("file-link", "pipe", "folder", "damaged"):
        (root / folder).mkdir()
    (root / "file-link" / "x.cache").symlink_to(secret)
    os.mkfifo(root / "pipe" / "x.cache")
    (root / "folder" / "x.cache").mkdir()
    put(root, "damaged", b"\xff" * 100)
    (root / "a-file").touch()
    found = regions.scan(root)
    assert (found.regions, found.unreadable) == ({}, 1)


def test_numbers_are_written_where_they_belong(root: Path, tmp_path: Path) -> None:
    file = put(root, "a", a_region(recent_kernel=-1))
    found = regions.scan(root)
    regions.write(found.files, feedback.release(found.regions))
    after = region.read(file.read_bytes())
    assert after is not None
    assert (after.recent_kernel, after.utilization_switch) == (0, 1)
    before = file.read_bytes()
    aside = put(tmp_path, "aside", before)
    file.unlink()
    file.symlink_to(aside)  # in between it has become something else
    regions.write(found.files, {"a": (region.set_recent_kernel(after, -1),)})
    assert aside.read_bytes() == before


def test_folders_of_nobody_go_when_they_are_old(root: Path) -> None:
    for folder in ("owned", "young", "written", "old"):
        put(root, folder, b"")
    late = time.time() - regions.FORGOTTEN_SECONDS - 10
    for folder in ("owned", "written", "old"):
        os.utime(root / folder, (late, late))
    for folder in ("owned", "old"):
        os.utime(root / folder / "x.cache", (late, late))
    regions.clean(root, {"owned"})
    assert sorted(each.name for each in root.iterdir()) == ["owned", "written", "young"]
