"""BadInput: every complaint names the place and the field."""

from __future__ import annotations

import pytest

from hami_admission.simulate import scenario
from hami_admission.simulate.errors import BadInput
from tests import build

SPEC: build.Json = {"containers": [build.container()]}


def _workload(kind: str, **spec: object) -> build.Json:
    return {"kind": kind, "metadata": {"name": "w"}, "spec": {"template": {"spec": SPEC}, **spec}}


RECURSIVE: build.Json = {"kind": "Pod", "metadata": {"name": "p"}}
RECURSIVE["spec"] = RECURSIVE

CYCLE: build.Json = {"kind": "List"}
CYCLE["items"] = [CYCLE]

BAD: dict[str, tuple[object, str]] = {
    "not an object": ("words", r"not a Kubernetes object but str"),
    "a list of documents": ([{"kind": "Pod"}], r"not a Kubernetes object but list"),
    "no kind": ({"metadata": {"name": "p"}}, r"kind: a text is wanted, got None"),
    "a kind that is no text": ({"kind": 1}, r"kind: a text is wanted, got 1"),
    "no metadata": ({"kind": "Pod", "spec": SPEC}, r"metadata: a mapping is wanted, got None"),
    "no name": ({"kind": "Pod", "metadata": {}, "spec": SPEC}, r"metadata: name: a text is wa"),
    "an empty name": (
        {"kind": "Pod", "metadata": {"name": ""}, "spec": SPEC},
        r"metadata: name: a text is wanted, got ''",
    ),
    "no spec": ({"kind": "Pod", "metadata": {"name": "p"}}, r"spec: a mapping is wanted"),
    "spec is a list": (
        {"kind": "Deployment", "metadata": {"name": "w"}, "spec": []},
        r"spec: a mapping is wanted, got \[\]",
    ),
    "no template": (
        {"kind": "Job", "metadata": {"name": "w"}, "spec": {}},
        r"spec: template: a mapping is wanted",
    ),
    "a template without spec": (_workload("Job", template={}), r"spec: a mapping is wanted"),
    "no job template": (
        {"kind": "CronJob", "metadata": {"name": "w"}, "spec": {}},
        r"spec: jobTemplate: a mapping is wanted",
    ),
    "replicas in words": (
        _workload("Deployment", replicas="two"),
        r"spec.replicas: 'two' is not a count from 0 to 100000",
    ),
    "a negative count": (_workload("StatefulSet", replicas=-1), r"spec.replicas: -1 is not"),
    "a yes as count": (_workload("ReplicaSet", replicas=True), r"spec.replicas: True is not"),
    "a mistyped count": (_workload("Job", completions=10**6), r"spec.completions: 1000000 is"),
    "parallelism in words": (_workload("Job", parallelism="two"), r"spec.parallelism: 'two' is"),
    "a limit that is a boolean": (
        {
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": [{"resources": {"limits": {"nvidia.com/gpu": True}}}]},
        },
        r"not a Pod: .*containers\[0\].resources.limits",
    ),
    "a key that is no text": (
        {"kind": "Pod", "metadata": {"name": "p"}, "spec": {None: 1}},
        r"Only dicts with str-like",
    ),
    "a Node without a name": ({"kind": "Node", "metadata": {}}, r"not a Node: metadata.name"),
    "a quota that limits a list": (
        {"kind": "ResourceQuota", "spec": {"hard": {"limits.nvidia.com/gpu": []}}},
        r"not a ResourceQuota: .*spec.hard",
    ),
    "an item of a list": ({"kind": "List", "items": [1]}, r"item 1: not a Kubernetes object"),
    "a document that holds itself": (RECURSIVE, r"."),
    "a list that holds itself": (CYCLE, r"."),
}


@pytest.mark.parametrize("sentence", BAD)
def test_bad(sentence: str) -> None:
    document, pattern = BAD[sentence]
    with pytest.raises(BadInput, match=rf"^file.yaml, document 1[:,] (.*: )?{pattern}"):
        scenario.build([("file.yaml, document 1", document)])


def test_more_pods_than_anybody_means(monkeypatch: pytest.MonkeyPatch) -> None:
    assert scenario.MAX_PODS == 100_000
    monkeypatch.setattr(scenario, "MAX_PODS", 100)  # So many are made in no time.
    many = _workload("Deployment", replicas=60)
    with pytest.raises(BadInput, match=r"^b: more than 100 pods; lower the replicas"):
        scenario.build([("a", many), ("b", many)])


def test_values_are_shown_no_longer_than_a_line() -> None:
    with pytest.raises(BadInput) as caught:
        scenario.build([("file", {"kind": "Pod", "metadata": "x" * 10_000})])
    assert len(str(caught.value)) < 200
