"""Arguments and results of the extender (facts 1.3)."""

from __future__ import annotations

import msgspec
import pytest

from hami_admission.wire import extender
from hami_admission.wire.errors import Malformed
from tests import build

POD = build.pod_json(build.container(limits=build.gpu(1)), uid="u")
BINDING = {"PodName": "p", "PodNamespace": "team", "PodUID": "u", "Node": "n"}


def _body(**fields: object) -> bytes:
    return msgspec.json.encode(fields)


def test_candidates_are_the_pod_and_the_names() -> None:
    found = extender.decode_candidates(_body(Pod=POD, Nodes=None, NodeNames=["n", "m"]))
    assert found == extender.Candidates(build.noun(POD), ["n", "m"])


def test_no_names_are_no_candidates() -> None:
    assert extender.decode_candidates(_body(Pod=POD, NodeNames=[])).nodes == []


CANDIDATES = {
    "no pod": (_body(NodeNames=["n"]), r"^extender args missing pod$"),
    "pod is null": (_body(Pod=None, NodeNames=["n"]), r"missing pod"),
    "no names": (_body(Pod=POD), r"NodeNames is missing"),
    "names are null, nodes too": (_body(Pod=POD, NodeNames=None, Nodes=None), r"NodeNames is m"),
    "nodes instead of names": (
        _body(Pod=POD, Nodes={"items": []}),
        r"set nodeCacheCapable: true",
    ),
    "names are no list": (_body(Pod=POD, NodeNames="n"), r"Expected `array.*\$.NodeNames"),
    "the pod is a text": (_body(Pod="p", NodeNames=["n"]), r"Expected `object.*\$.Pod"),
}


@pytest.mark.parametrize("sentence", CANDIDATES)
def test_candidates_refused(sentence: str) -> None:
    body, pattern = CANDIDATES[sentence]
    with pytest.raises(Malformed, match=pattern):
        extender.decode_candidates(body)


def test_binding() -> None:
    found = extender.decode_binding(msgspec.json.encode({**BINDING, "More": 1}))
    assert found == extender.Binding("p", "team", "u", "n")


@pytest.mark.parametrize("missing", BINDING)
def test_a_binding_needs_every_field(missing: str) -> None:
    for fields in (
        {key: value for key, value in BINDING.items() if key != missing},
        {**BINDING, missing: ""},
    ):
        with pytest.raises(Malformed, match=r"are all needed"):
            extender.decode_binding(msgspec.json.encode(fields))


def test_results_have_capitalised_names() -> None:
    assert msgspec.json.decode(extender.encode_filter(["n"], {"m": "full"})) == {
        "NodeNames": ["n"],
        "FailedNodes": {"m": "full"},
        "FailedAndUnresolvableNodes": {"m": "full"},
        "Error": "",
    }
    assert msgspec.json.decode(extender.encode_priorities({"n": 10, "m": 0})) == [
        {"Host": "n", "Score": 10},
        {"Host": "m", "Score": 0},
    ]
    assert msgspec.json.decode(extender.encode_error("no")) == {"Error": "no"}


def test_of_many_nodes_only_those_with_a_priority_are_named() -> None:
    scores = {f"n-{n}": n % 2 for n in range(extender.ALL_NAMED + 1)}
    found = msgspec.json.decode(extender.encode_priorities(scores))
    assert {each["Host"]: each["Score"] for each in found} == {
        name: score for name, score in scores.items() if score
    }
