"""What can be said of the NVML driver where there is no card; the rest is in tests/gpu."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import pynvml
import pytest

from hami_admission.agent import nvml, nvml_mig
from hami_admission.agent.driver import DriverError
from hami_admission.agent.nvml import Nvml
from hami_admission.node.facts import Level

if TYPE_CHECKING:
    from collections.abc import Iterator


TREES = [ast.parse(Path(module.__file__ or "").read_text()) for module in (nvml, nvml_mig)]


def test_it_asks_for_what_the_library_has() -> None:
    named = {
        node.attr
        for tree in TREES
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pynvml"
    }
    assert {each for each in named if not hasattr(pynvml, each)} == set()


def asked() -> Iterator[tuple[str, int]]:
    """Every call of the library: which function, with how many arguments."""
    for tree in TREES:
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called, given = node.func, node.args
            if ast.unparse(called) == "either":
                called, given = node.args[1], node.args[2:]
            if ast.unparse(called).startswith("pynvml.nvml"):
                yield ast.unparse(called).removeprefix("pynvml."), len(given)


def test_it_asks_as_the_library_wants_to_be_asked() -> None:
    calls = set(asked())
    assert len(calls) > 30
    for name, count in calls:
        inspect.signature(getattr(pynvml, name)).bind(*range(count))


def test_levels_are_the_librarys_numbers() -> None:
    names = ("INTERNAL", "SINGLE", "MULTIPLE", "HOSTBRIDGE", "NODE", "SYSTEM")
    assert [getattr(pynvml, f"NVML_TOPOLOGY_{name}") for name in names] == sorted(Level)


async def test_without_a_driver_it_says_so() -> None:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        with pytest.raises(DriverError, match="nvmlInit"):
            await Nvml.start()
    else:
        pynvml.nvmlShutdown()
        await (await Nvml.start()).close()
