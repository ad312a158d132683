"""Fixtures of the tests of the control process's parts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hami_admission.control import http, listener
from tests.control.rig import Rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class _Over(Exception):
    """The test is over."""


@pytest.fixture
async def tasks() -> AsyncIterator[asyncio.TaskGroup]:
    """Where parts put tasks of their own; those that are left end with the test."""
    try:
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            yield group
            raise _Over
    except* _Over:
        pass


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(http, "HEADER_SECONDS", 0.5)
    monkeypatch.setattr(http, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(http, "ROOM_SECONDS", 0.3)
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", 0.5)
    made = Rig()
    yield made
    await made.server.stop()
