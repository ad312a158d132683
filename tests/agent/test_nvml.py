"""What can be said of the NVML driver where there is no card; the rest is in tests/gpu."""

from __future__ import annotations

import re
from pathlib import Path

import pynvml
import pytest

from hami_admission.agent import nvml
from hami_admission.agent.driver import DriverError
from hami_admission.agent.nvml import Nvml
from hami_admission.node.facts import Level


def test_it_asks_for_what_the_library_has() -> None:
    named = set(re.findall(r"pynvml\.(\w+)", Path(nvml.__file__).read_text()))
    assert {each for each in named if not hasattr(pynvml, each)} == set()


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
