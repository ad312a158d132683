"""Certificates that others look after."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from hami_admission.certificates import authority
from hami_admission.certificates.files import Files, Unusable

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, made: authority.Identity, *, bundle: bool = True) -> None:
    """As a mounted Secret of cert-manager."""
    (folder / "tls.crt").write_bytes(made.certificate)
    (folder / "tls.key").write_bytes(made.key)
    if bundle:
        (folder / "ca.crt").write_bytes(made.ca)


async def test_changed_files_are_taken_and_damaged_ones_are_not(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    first, second = (authority.create(("a.test",), now) for _ in range(2))
    files = Files(str(tmp_path))
    assert await files.found()
    write(tmp_path, first, bundle=False)
    served = await files.identity()
    assert (served.certificate, served.ca) == (first.certificate, b"")
    write(tmp_path, second)
    served = await files.identity()
    assert (served.certificate, served.ca) == (second.certificate, second.ca)
    (tmp_path / "tls.crt").write_bytes(first.certificate)  # half of the change
    assert await files.identity() == served
    (tmp_path / "tls.key").unlink()
    assert await files.identity() == served
    write(tmp_path, first)
    assert (await files.identity()).certificate == first.certificate


async def test_at_the_start_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"tls\.crt: No such file"):
        await Files(str(tmp_path)).identity()
    made = authority.create(("a.test",), datetime.now(UTC))
    write(tmp_path, made)
    (tmp_path / "tls.key").write_bytes(b"nonsense")
    with pytest.raises(Unusable, match=r"tls\.key"):
        await Files(str(tmp_path)).identity()
