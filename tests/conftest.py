"""What all tests have: the budgets of property tests, and a loop whose time is virtual."""

from __future__ import annotations

import asyncio
import importlib
import time
from typing import TYPE_CHECKING

import pytest

from tests import budgets, clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

budgets.register()

READERS = ("control.connection", "control.http", "kube.election")
"""Modules that hold ``time.monotonic`` by a name of their own."""


def _virtual(item: pytest.Item) -> bool:
    """Is it marked, and not marked again as the exception in its file?"""
    mark = item.get_closest_marker("virtual_time")
    return mark is not None and mark.args != (False,)


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """One for each test, so that none runs twice."""
    if _virtual(item):
        return {"virtual": clock.Loop}
    return {"real": asyncio.new_event_loop}


@pytest.fixture(autouse=True)
def _monotonic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Goes with the loop, where that has a time of its own."""
    if _virtual(request.node):
        monkeypatch.setattr(time, "monotonic", clock.CLOCK.time)
        for name in READERS:
            module = importlib.import_module(f"hami_admission.{name}")
            monkeypatch.setattr(module, "monotonic", clock.CLOCK.time)
