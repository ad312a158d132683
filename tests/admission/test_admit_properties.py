from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hami_admission.admission import admit, changes
from hami_admission.settings import NvidiaOptions, Settings
from hami_admission.vendors import nvidia, table
from hami_admission.wire import keys
from tests import build

Json = dict[str, Any]

NAMES = ("NVIDIA_VISIBLE_DEVICES", "CUDA_DEVICE_MEMORY_LIMIT_0", "CUDA_DEVICE_SM_LIMIT", "A", "B")
SOURCES: tuple[Json, ...] = (
    {"value": "x"},
    {},
    {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
)

entries = st.builds(lambda name, source: {"name": name, **source}, st.sampled_from(NAMES),
                    st.sampled_from(SOURCES))  # fmt: skip
amounts = st.builds(
    build.gpu,
    st.none() | st.integers(0, 3),
    memory=st.none() | st.integers(0, 9000),
    percent=st.none() | st.integers(0, 100),
    cores=st.none() | st.integers(0, 100),
    priority=st.none() | st.integers(0, 1),
)
resources = st.none() | st.builds(lambda own, rest: {**own, **rest}, amounts,
                                  st.sampled_from(({}, {"cpu": "1"})))  # fmt: skip
containers = st.builds(
    lambda limits, requests, env, sidecar: build.container(
        limits=limits, requests=requests, env=env, sidecar=sidecar
    ),
    resources,
    st.none() | st.just({"cpu": "1"}) | amounts,
    st.none() | st.lists(entries, max_size=6),
    st.booleans(),
)
pods = st.builds(
    lambda apps, init: build.pod_json(*apps, init=tuple(init)),
    st.lists(containers, min_size=1, max_size=3),
    st.lists(containers, max_size=2),
)
settings = st.sampled_from((
    Settings(),
    Settings(nvidia=NvidiaOptions(overwrite_env=True, runtime_class="nvidia")),
))


def decide(document: Json, made: Settings) -> admit.Decision:
    return admit.decide(build.noun(document), table.build(made), made)


@given(pods, settings)
def test_a_pod_that_left_admission_finds_nothing_to_change(document: Json, made: Settings) -> None:
    decision = decide(document, made)
    after = changes.apply(document, changes.operations(decision.changes))
    again = decide(after, made)
    assert again.changes == ()
    assert again.objections == decision.objections
    assert again.requests == decision.requests


@given(pods, settings)
def test_nothing_but_what_is_ours_is_changed(document: Json, made: Settings) -> None:
    before = copy.deepcopy(document)
    patch = changes.operations(decide(document, made).changes)
    after = changes.apply(document, patch)
    assert document == before
    assert _foreign(after) == _foreign(before)


def _foreign(document: Json) -> Json:
    """The pod without everything that the vendor owns."""
    kept = copy.deepcopy(document)
    spec = kept["spec"]
    notes = kept["metadata"].pop("annotations", {})
    kept["notes"] = {k: v for k, v in notes.items() if not k.startswith(keys.ADMITTED_PREFIX)}
    for name in ("schedulerName", "runtimeClassName"):
        spec.pop(name, None)
    for container in (*spec["containers"], *spec.get("initContainers", [])):
        given_ = container.pop("resources", {})
        container["kept"] = (
            {
                name: value
                for name, value in (given_.get("limits") or {}).items()
                if not name.startswith("nvidia.com/")
            },
            given_.get("requests"),
        )
        ours = (*nvidia.VARIABLES.owned, "CUDA_TASK_PRIORITY")
        container["env"] = [
            each for each in container.get("env") or [] if not each["name"].startswith(ours)
        ]
    return kept
