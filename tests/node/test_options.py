"""The two files of upstream, merged; everything that is wrong is told at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.node import options
from hami_admission.node.options import Mistakes, Options

BASE = Options()


def own(**fields: Any) -> dict[str, Any]:
    return {"nodeconfig": [{"name": "n", **fields}, {"name": "other", "devicesplitcount": 3}]}


def test_without_files_it_is_as_upstream_has_it() -> None:
    found = options.read(BASE, None, None, "n")
    assert (found.options, found.unknown) == (BASE, ())
    assert (BASE.split, BASE.memory_scaling, BASE.resource) == (10, 1.0, "nvidia.com/gpu")


def test_the_entry_of_the_node_goes_before_what_is_for_all() -> None:
    general = {
        "nvidia": {
            "resourceCountName": "example.org/card", "deviceSplitCount": 5,
            "deviceMemoryScaling": 2, "deviceCoreScaling": 1.5, "preConfiguredDeviceMemory": 1000,
            "libCudaLogLevel": 3, "enableNumaTopology": True, "disableCoreLimit": True,
        }
    }  # fmt: skip
    found = options.read(BASE, general, own(devicesplitcount=7, devicememoryscaling=4), "n").options
    assert found == Options(
        resource="example.org/card", split=7, memory_scaling=4.0, core_scaling=1.5,
        preconfigured_memory=1000, log_level=3, numa_topology=True, disable_core_limit=True,
    )  # fmt: skip
    assert options.read(BASE, general, own(), "n").options.split == 5
    assert options.read(BASE, general, own(), "elsewhere").options.split == 5


def test_every_field_of_an_entry() -> None:
    entry = own(
        operatingmode="mig", devicecorescaling=2, preconfigureddevicememory=9, libcudaloglevel=0,
        enablenumatopology=True, migstrategy="none", enablegetpreferredallocation=False,
        filterdevices={"uuid": ["GPU-a"], "index": [1]},
    )  # fmt: skip
    assert options.read(BASE, None, entry, "n").options == Options(
        operating="mig", core_scaling=2.0, preconfigured_memory=9, log_level=0,
        numa_topology=True, preferred_allocation=False,
        hidden_uuids=frozenset({"GPU-a"}), hidden_indexes=frozenset({1}),
    )  # fmt: skip


def test_keys_that_nobody_knows_are_told_and_those_of_others_are_not() -> None:
    general = {"nvidia": {"overwriteEnv": True, "defaultMemory": 1, "devicesplit": 3}, "other": {}}
    found = options.read(BASE, general, own(split=1), "n")
    assert found.unknown == (
        "device-config.yaml: nvidia.devicesplit",
        "config.json: nodeconfig[0].split",
    )


def test_a_null_says_nothing() -> None:
    found = options.read(BASE, {"nvidia": {"deviceSplitCount": None}}, {"nodeconfig": None}, "n")
    assert found.options == BASE


WRONG: dict[str, tuple[object, object, list[str]]] = {
    "all at once, each with its path": (
        {"nvidia": {"deviceSplitCount": "ten", "deviceMemoryScaling": 0}},
        own(operatingmode="mps", devicesplitcount=-1),
        [
            "device-config.yaml: nvidia.deviceSplitCount: 'ten': Expected `int | null`, got `str`",
            "device-config.yaml: nvidia.deviceMemoryScaling: 0: must be between 0.01 and 100",
            "config.json: nodeconfig[0].operatingmode: 'mps': Invalid enum value 'mps'",
            "config.json: nodeconfig[0].devicesplitcount: -1: must be between 1 and 1000",
        ],
    ),
    "a file that is no mapping": ([1], None, ["device-config.yaml: must be a mapping, got [1]"]),
    "entries that are no list": (
        None, {"nodeconfig": 1}, ["config.json: nodeconfig: must be a list, got 1"]),
    "an entry that is no mapping": (
        None, {"nodeconfig": ["n"]}, ["config.json: nodeconfig[0]: must be a mapping, got 'n'"]),
    "a filter with other keys": (
        None, own(filterdevices={"uuids": []}), [
            "config.json: nodeconfig[0].filterdevices: {'uuids': []}: "
            "Object contains unknown field `uuids`"]),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_what_is_wrong(case: tuple[object, object, list[str]]) -> None:
    general, entries, lines = case
    with pytest.raises(Mistakes) as caught:
        options.read(BASE, general, entries, "n")
    assert caught.value.lines == lines


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
keys = st.sampled_from([
    "nvidia", "nodeconfig", "name", "deviceSplitCount", "devicesplitcount", "filterdevices",
    "operatingmode", "uuid", "index", "devicememoryscaling",
]) | st.text(max_size=5)  # fmt: skip
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4)
)


@given(anything, anything)
def test_whatever_stands_in_the_files_it_is_read_or_refused(general: object, own: object) -> None:
    try:
        found = options.read(BASE, general, own, "n").options
    except Mistakes as error:
        assert error.lines
    else:
        assert 1 <= found.split <= 1000
        assert 0.01 <= found.memory_scaling <= 100
