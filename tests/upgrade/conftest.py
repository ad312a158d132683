"""Both versions, and each way between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.upgrade.both import Release, Side, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def release() -> Iterator[Release]:
    """The release, running."""
    with Release() as made:
        yield made


@pytest.fixture(scope="session", params=["upgrade", "rollback"])
def way(request: pytest.FixtureRequest, release: Release) -> tuple[Side, Side]:
    """Who was there before, and who comes after."""
    before, after = release, Tree()
    return (before, after) if request.param == "upgrade" else (after, before)
