"""Files, environment and flags to options: upstream's names, its order, all mistakes at once."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.node import options, sources
from hami_admission.node.options import Allowed, Options, Xids
from hami_admission.settings import Mistakes
from tests import strategies

NODE = {"NODE_NAME": "n", "PATH": "/bin"}


def read(
    section: object = None, entry: object = None, flags: Any = None, **environment: str
) -> Options:
    """The options of node n; nothing was found that has no effect."""
    found = everything(section, entry, flags, **environment)
    assert found.notes == ()
    return found.options


def everything(
    section: object = None, entry: object = None, flags: Any = None, **environment: str
) -> sources.Reading:
    """Options and notes of node n."""
    named = {"name": "n", **entry} if isinstance(entry, dict) else entry
    return sources.read(
        device_config=None if section is None else {"nvidia": section},
        node_config=None if entry is None else {"nodeconfig": [{"name": "other"}, named]},
        environment={**NODE, **environment},
        flags=flags,
    )


def test_nothing_gives_the_defaults() -> None:
    """Facts/node.md 1.4 and 1.5."""
    assert read() == Options(node="n")
    assert read({}, {}) == Options(node="n")
    found = Options()
    assert (found.split_count, found.memory_scaling, found.core_scaling) == (10, 1, 1)
    assert (found.mode, found.resource_name, found.log_level) == ("hami-core", "nvidia.com/gpu", 1)
    assert (found.list_strategies, found.id_strategy) == (("envvar",), "uuid")
    assert not (found.numa_topology or found.pass_device_specs)
    assert found.topology_scores  # ours: they cost nothing
    assert found.preferred_allocation  # ours: PodResources is to name the right cards


def test_every_name_of_the_section() -> None:
    """All of facts/node.md 1.5, those of the control process too."""
    found = read({
        "resourceCountName": "x/n",
        "resourceMemoryName": "x/m",
        "resourceMemoryPercentageName": "x/p",
        "resourceCoreName": "x/c",
        "resourcePriorityName": "x/prio",
        "overwriteEnv": False,
        "defaultMemory": 0,
        "defaultCores": 0,
        "defaultGPUNum": 1,
        "memoryFactor": 1,
        "disableCoreLimit": True,
        "gpuCorePolicy": "default",
        "runtimeClassName": "",
        "deviceSplitCount": 5,
        "deviceMemoryScaling": 2,
        "deviceCoreScaling": 1.5,
        "preConfiguredDeviceMemory": 122880,
        "libCudaLogLevel": 3,
        "enableNumaTopology": True,
        "migProfileAllowlist": [{"models": ["A30"], "profiles": ["1g.6gb", "2g.12gb"]}],
        "healthQuietSeconds": 60,
        "healthFlapCount": 4,
        "healthFlapSeconds": 7200,
        "healthLongestSeconds": 1800,
    })
    assert found == Options(
        node="n",
        resource_name="x/n",
        disable_core_limit=True,
        split_count=5,
        memory_scaling=2.0,
        core_scaling=1.5,
        preconfigured_memory_mib=122880,
        log_level=3,
        numa_topology=True,
        mig_profiles=(Allowed(("A30",), ("1g.6gb", "2g.12gb")),),
        quiet_seconds=60,
        flap_count=4,
        flap_seconds=7200,
        longest_seconds=1800,
    )


def test_every_name_of_an_entry() -> None:
    """All of facts/node.md 1.6."""
    found = read(
        None,
        {
            "operatingmode": "mig",
            "devicememoryscaling": 1.8,
            "devicecorescaling": 2,
            "devicesplitcount": 20,
            "preconfigureddevicememory": 5,
            "libcudaloglevel": 0,
            "enablenumatopology": True,
            "migstrategy": "mixed",
            "filterdevices": {"uuid": ["GPU-a"], "index": [0, 3]},
            "enablegetpreferredallocation": False,
            "healthquietseconds": 10,
        },
    )
    assert found == Options(
        node="n",
        mode="mig",
        memory_scaling=1.8,
        core_scaling=2.0,
        split_count=20,
        preconfigured_memory_mib=5,
        log_level=0,
        numa_topology=True,
        mig_strategy="mixed",
        hidden_uuids=("GPU-a",),
        hidden_indexes=(0, 3),
        preferred_allocation=False,
        quiet_seconds=10,
    )


TEXTS: dict[str, tuple[str, str, dict[str, object]]] = {
    "NODE_NAME": ("node-name", "m", {"node": "m"}),
    "HOOK_PATH": ("hook-path", "/opt", {"hook_path": "/opt"}),
    "ENABLE_TOPOLOGY_SCORE": ("enable-topology-score", "false", {"topology_scores": False}),
    "DP_DISABLE_HEALTHCHECKS": (
        "dp-disable-healthchecks",
        "79, 48",
        {"disabled_xids": Xids(frozenset({48, 79}))},
    ),
    "DP_ENABLE_HEALTHCHECKS": (
        "dp-enable-healthchecks",
        "ALL,13",
        {"enabled_xids": Xids(frozenset({13}), everything=True)},
    ),
    "MIG_STRATEGY": ("mig-strategy", "single", {"mig_strategy": "single"}),
    "FAIL_ON_INIT_ERROR": ("fail-on-init-error", "F", {"fail_on_init_error": False}),
    "NVIDIA_DRIVER_ROOT": ("nvidia-driver-root", "/run", {"driver_root": "/run"}),
    "NVIDIA_DEV_ROOT": ("nvidia-dev-root", "/run/d", {"dev_root": "/run/d"}),
    "PASS_DEVICE_SPECS": ("pass-device-specs", "1", {"pass_device_specs": True}),
    "DEVICE_LIST_STRATEGY": (
        "device-list-strategy",
        "envvar, cdi-cri",
        {"list_strategies": ("envvar", "cdi-cri")},
    ),
    "DEVICE_ID_STRATEGY": ("device-id-strategy", "index", {"id_strategy": "index"}),
    "GDRCOPY_ENABLED": ("gdrcopy-enabled", "true", {"gdrcopy": True}),
    "GDS_ENABLED": ("gds-enabled", "true", {"gds": True}),
    "MOFED_ENABLED": ("mofed-enabled", "true", {"mofed": True}),
    "KUBELET_SOCKET": ("kubelet-socket", "/k.sock", {"kubelet_socket": "/k.sock"}),
    "CDI_ANNOTATION_PREFIX": (
        "cdi-annotation-prefix",
        "x/",
        {"cdi_annotation_prefix": "x/"},
    ),
    "NVIDIA_CDI_HOOK_PATH": ("nvidia-cdi-hook-path", "/h", {"cdi_hook_path": "/h"}),
    "DRIVER_ROOT_CTR_PATH": (
        "driver-root-ctr-path",
        "/r",
        {"container_driver_root": "/r"},
    ),
    "DEVICE_DISCOVERY_STRATEGY": (
        "device-discovery-strategy",
        "nvml",
        {"discovery": "nvml"},
    ),
    "IMEX_CHANNEL_IDS": ("imex-channel-ids", "0,1", {"imex_channels": (0, 1)}),
    "IMEX_REQUIRED": ("imex-required", "true", {"imex_required": True}),
}


@pytest.mark.parametrize("name", options.ENVIRONMENT)
def test_every_name_of_the_environment_and_its_flag(name: str) -> None:
    flag, value, fields = TEXTS[name]
    expected = Options(**{"node": "n", **fields})  # type: ignore[arg-type]
    assert read(**{name: value}) == expected
    assert read(flags={flag: value}) == expected


@pytest.mark.parametrize("name", sorted(options.ENVIRONMENT.keys() - NODE.keys()))
def test_a_blank_text_is_not_given(name: str) -> None:
    flag = TEXTS[name][0]
    assert read(**{name: " "}, flags={flag: ""}) == Options(node="n")


def test_later_sources_win() -> None:
    """Facts/node.md 1.2: environment, flags, device-config.yaml, config.json."""
    assert read(HOOK_PATH="/a", flags={"hook-path": "/b"}).hook_path == "/b"
    both = read({"deviceSplitCount": 5, "deviceCoreScaling": 3}, {"devicesplitcount": 7})
    assert (both.split_count, both.core_scaling) == (7, 3)
    strategy = read(None, {"migstrategy": "mixed"}, {"mig-strategy": "single"}, MIG_STRATEGY="none")
    assert strategy.mig_strategy == "mixed"


def test_what_is_null_or_empty_is_not_given() -> None:
    nothing = dict.fromkeys(options.DEVICE_CONFIG)
    assert read(nothing, dict.fromkeys(options.NODE_CONFIG.keys() - {"name"})) == Options(node="n")
    assert read({"resourceCountName": ""}) == Options(node="n")
    files: tuple[object, ...] = (None, {}, {"nodeconfig": None}, {"nodeconfig": []})
    for file in files:
        assert sources.read(node_config=file, environment=NODE).options == Options(node="n")


def test_an_entry_counts_with_its_names_in_any_case() -> None:
    entries: list[dict[str, Any]] = [
        {"name": "m", "devicesplitcount": "wrong, and not ours"},
        {"Name": "n", "deviceSplitCount": 7, "filterDevices": {"UUID": ["GPU-a"]}},
        {"name": "n", "deviceCoreScaling": 2},
    ]
    found = sources.read(node_config={"nodeConfig": entries}, environment=NODE)
    assert found == sources.Reading(
        Options(node="n", split_count=7, core_scaling=2.0, hidden_uuids=("GPU-a",))
    )


def test_what_has_no_effect_is_told_and_not_fatal() -> None:
    found = everything(
        {"colour": 1, "devicesplitcount": 3, 5: 6},
        {"colour": None, "filterdevices": {"name": []}},
        {"device-split-count": "3", "verbose": "yes"},
    )
    assert found.options == Options(node="n")
    assert list(found.notes) == [
        "--device-split-count: has no effect, as in HAMi; "
        "write nvidia.deviceSplitCount in device-config.yaml",
        "--'verbose': no such flag; ignored",
        "device-config.yaml: nvidia: 'colour': no such setting, ignored",
        "device-config.yaml: nvidia: 'devicesplitcount': no such setting, ignored; "
        "meant is deviceSplitCount?",
        "device-config.yaml: nvidia: 5: no such setting, ignored",
        "config.json: nodeconfig[1]: 'colour': no such setting, ignored",
        "config.json: nodeconfig[1].filterdevices: 'name': no such setting, ignored",
    ]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a text for a number": (
        {"section": {"deviceSplitCount": "ten"}},
        "device-config.yaml: nvidia.deviceSplitCount: 'ten': write a whole number from 1 to 1000",
    ),
    "a boolean for a number": (
        {"section": {"deviceSplitCount": True}},
        "device-config.yaml: nvidia.deviceSplitCount: True: write a whole number",
    ),
    "a fraction of a container": (
        {"section": {"deviceSplitCount": 1.5}},
        "device-config.yaml: nvidia.deviceSplitCount: 1.5: write a whole number",
    ),
    "no containers": (
        {"entry": {"devicesplitcount": 0}},
        "config.json: nodeconfig[1].devicesplitcount: 0: write a whole number from 1",
    ),
    "too many containers": (
        {"entry": {"devicesplitcount": 1001}},
        "config.json: nodeconfig[1].devicesplitcount: 1001: write a whole number from 1 to 1000",
    ),
    "no memory": (
        {"entry": {"devicememoryscaling": 0}},
        "config.json: nodeconfig[1].devicememoryscaling: 0: write a number above 0, at most 100",
    ),
    "not a number": (
        {"section": {"deviceCoreScaling": float("nan")}},
        "device-config.yaml: nvidia.deviceCoreScaling: nan: write a number above 0",
    ),
    "all the memory of the world": (
        {"section": {"preConfiguredDeviceMemory": 16**5000}},
        "device-config.yaml: nvidia.preConfiguredDeviceMemory: a number beyond all bounds: write",
    ),
    "a mode that is none": (
        {"entry": {"operatingmode": "shared"}},
        "config.json: nodeconfig[1].operatingmode: 'shared': write hami-core, mig or mps",
    ),
    "a mapping for a list": (
        {"section": {"migProfileAllowlist": {"models": []}}},
        "device-config.yaml: nvidia.migProfileAllowlist: a mapping: write a list of {models",
    ),
    "profiles without models": (
        {"section": {"migProfileAllowlist": [{"profiles": ["1g.5gb"]}]}},
        "device-config.yaml: nvidia.migProfileAllowlist: a list: write a list of {models",
    ),
    "an index that is a text": (
        {"entry": {"filterdevices": {"index": ["0"]}}},
        "config.json: nodeconfig[1].filterdevices.index: a list: write a list of numbers from 0",
    ),
    "a list for a section within": (
        {"entry": {"filterdevices": ["GPU-a"]}},
        "config.json: nodeconfig[1].filterdevices: a list: write a mapping",
    ),
    "a list for the section": (
        {"section": []},
        "device-config.yaml: nvidia: a list: write a mapping",
    ),
    "a date for an entry": (
        {"entry": date(2026, 1, 1)},
        "config.json: nodeconfig[1]: a date: write a mapping with the name of a node",
    ),
    "a switch in the environment": (
        {"PASS_DEVICE_SPECS": "yes"},
        "PASS_DEVICE_SPECS: 'yes': write true or false",
    ),
    "a strategy of a flag": (
        {"flags": {"device-list-strategy": "envvar,cdi"}},
        "--device-list-strategy: 'envvar,cdi': write one or more of envvar, volume-mounts",
    ),
    "a strategy of nothing but commas": (
        {"DEVICE_LIST_STRATEGY": ","},
        "DEVICE_LIST_STRATEGY: ',': write one or more of",
    ),
    "an Xid that is none": (
        {"DP_DISABLE_HEALTHCHECKS": "79;48"},
        "DP_DISABLE_HEALTHCHECKS: '79;48': write Xids with commas between them, or all",
    ),
    "an Xid in digits of another script": (
        {"DP_ENABLE_HEALTHCHECKS": "\u0667\u0669"},
        "DP_ENABLE_HEALTHCHECKS: '\u0667\u0669': write Xids",
    ),
    "an Xid beyond bounds": (
        {"DP_ENABLE_HEALTHCHECKS": "9" * 5000},
        "DP_ENABLE_HEALTHCHECKS: '99999",
    ),
    "CDI together with MIG": (
        {"entry": {"operatingmode": "mig"}, "DEVICE_LIST_STRATEGY": "cdi-cri"},
        "DEVICE_LIST_STRATEGY: CDI does not go with operatingmode mig; write envvar or",
    ),
    "devices together with MIG": (
        {"entry": {"operatingmode": "mig"}, "flags": {"mode": "devices"}},
        "mode: devices does not go with operatingmode mig",
    ),
    "no name of the node": ({"flags": {}, "NODE_NAME": ""}, "NODE_NAME: not set; set it from"),
}


@pytest.mark.parametrize("sentence", WRONG)
def test_wrong(sentence: str) -> None:
    given_, line = WRONG[sentence]
    with pytest.raises(Mistakes) as caught:
        read(**given_)
    (found,) = caught.value.lines
    assert found.startswith(line)
    assert len(found) < 250


FILES: dict[str, tuple[dict[str, object], str]] = {
    "a list for a file": ({"device_config": []}, "device-config.yaml: a list: write a mapping"),
    "a text for a file": ({"node_config": "x"}, "config.json: 'x': write a mapping with a list"),
    "entries by name": (
        {"node_config": {"nodeconfig": {"n": {}}}},
        "config.json: nodeconfig: a mapping: write a list with an entry for each node",
    ),
}


@pytest.mark.parametrize("sentence", FILES)
def test_wrong_files(sentence: str) -> None:
    files, line = FILES[sentence]
    with pytest.raises(Mistakes) as caught:
        sources.read(environment=NODE, **files)  # type: ignore[arg-type]
    (found,) = caught.value.lines
    assert found.startswith(line)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(Mistakes) as caught:
        read({"deviceSplitCount": 0}, {"operatingmode": 1}, {"gds-enabled": "?"}, GDS_ENABLED="x")
    names = [line.partition(": ")[0] for line in caught.value.lines]
    assert names == ["GDS_ENABLED", "--gds-enabled", "device-config.yaml", "config.json"]


KNOWN = (
    "nvidia", "nodeconfig", "name", "filterdevices", "uuid", "index", "models", "profiles",
    *options.DEVICE_CONFIG, *options.NODE_CONFIG,
)  # fmt: skip
YAML: st.SearchStrategy[Any] = st.deferred(
    lambda: (
        strategies.json_of(KNOWN)
        | st.dates()
        | st.binary(max_size=3)
        | st.floats()
        | st.integers(0, 3).map(lambda n: -(16 ** (n * 2000)))
        | st.sets(st.integers() | st.text(max_size=3), max_size=2)
        | st.lists(YAML, max_size=3)
        | st.dictionaries(
            st.sampled_from(KNOWN) | st.integers() | st.none() | st.booleans() | st.dates(),
            YAML,
            max_size=4,
        )
    )
)
"""What a YAML file can be decoded to; JSON is less than that."""

sections = st.dictionaries(st.sampled_from(tuple(options.DEVICE_CONFIG)), YAML, max_size=4)
entries = st.dictionaries(st.sampled_from(tuple(options.NODE_CONFIG)), YAML, max_size=4)
texts = st.text(max_size=5) | st.sampled_from(("true", "0", "all", "13,79", "cdi-cri", ",", "9"))


@given(
    YAML | st.fixed_dictionaries({"nvidia": YAML | sections}),
    YAML
    | st.fixed_dictionaries({
        "nodeconfig": YAML | st.lists(entries.map(lambda each: {**each, "name": "n"}), max_size=2)
    }),
    st.dictionaries(st.sampled_from(tuple(options.ENVIRONMENT)), texts, max_size=4),
    st.dictionaries(st.sampled_from(tuple(options.FLAGS)) | st.text(max_size=3), texts, max_size=4),
)
def test_whatever_strangers_write_is_options_or_mistakes(
    device_config: object, node_config: object, environment: dict[str, str], flags: dict[str, str]
) -> None:
    try:
        found = sources.read(
            device_config=device_config,
            node_config=node_config,
            environment={**environment, **NODE},
            flags=flags,
        )
    except Mistakes as mistakes:
        assert mistakes.lines
        assert all(": " in line and len(line) < 600 for line in mistakes.lines)
    else:
        again = msgspec.convert(msgspec.to_builtins(found.options), Options)
        assert again == found.options  # All bounds hold.


def test_a_list_that_holds_itself_is_a_mistake() -> None:
    document = yaml.safe_load("nvidia: &a {migProfileAllowlist: &b [*b], deviceSplitCount: *a}")
    with pytest.raises(Mistakes) as caught:
        sources.read(device_config=document, environment=NODE)
    assert len(caught.value.lines) == 2
