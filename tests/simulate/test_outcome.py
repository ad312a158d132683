"""What became of one pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from hami_admission.admission.admit import Decision
from hami_admission.model.grant import Grant
from hami_admission.model.verdict import Objection
from hami_admission.simulate import outcome
from hami_admission.simulate.outcome import Outcome, Placed
from hami_admission.simulate.scenario import Step
from tests import build

if TYPE_CHECKING:
    from hami_admission.model.pod import Pod

DOCUMENT = build.pod_json(build.container("a"), build.container("b"))
STEP = Step(DOCUMENT, build.noun(DOCUMENT), "Deployment/w")
OBJECTIONS = (Objection("f", "1", "write 2"), Objection("g", "3", "write 4"))

DECISIONS: dict[str, tuple[Decision, tuple[str, str, str]]] = {
    "admitted": (Decision(), ("admitted", "", "admitted")),
    "untouched": (Decision(untouched="why"), ("untouched", "why", "untouched: why")),
    "denied": (
        Decision(objections=OBJECTIONS),
        (
            "denied",
            "f: Invalid value: 1: write 2; g: Invalid value: 3: write 4",
            "denied: f: Invalid value: 1: write 2; g: Invalid value: 3: write 4",
        ),
    ),
}


@pytest.mark.parametrize("sentence", DECISIONS)
def test_of_decision(sentence: str) -> None:
    decision, expected = DECISIONS[sentence]
    found = outcome.of_decision(STEP, decision, [], DOCUMENT)
    assert (found.verdict, found.message, found.summary) == expected
    assert (found.namespace, found.name, found.owner) == ("team", "p", "Deployment/w")
    assert found.containers == ("a", "b")


def test_the_scheduler_is_that_of_the_pod_as_it_is_now() -> None:
    assert outcome.of_decision(STEP, Decision(), [], DOCUMENT).scheduler == "default-scheduler"
    changed = {**DOCUMENT, "spec": {**DOCUMENT["spec"], "schedulerName": "s"}}
    assert outcome.of_decision(STEP, Decision(), [], changed).scheduler == "s"
    assert outcome.of_decision(STEP, Decision(), [], {}).scheduler == "default-scheduler"


ADMITTED: Outcome = outcome.of_decision(STEP, Decision(), [], DOCUMENT)
WHERE = Placed("n", 1.5, ((Grant("GPU-a", "NVIDIA", 2000, 30),), ()), {"a/b": "GPU-a"})


def test_equal_reasons_are_counted() -> None:
    reasons = {"n-1": "8/8 CardNotHealth", "n-2": "8/8 CardNotHealth", "n-3": "node unregistered"}
    found = outcome.unplaced(ADMITTED, reasons)
    assert found.reasons == reasons
    assert found.summary == ("no node fits (0/3): 2 × 8/8 CardNotHealth, 1 × node unregistered")
    assert found.verdict == "admitted"


def test_without_nodes_nothing_fits() -> None:
    assert outcome.unplaced(ADMITTED, {}).summary == "no node has registered cards"


def _bound(*env: build.Json) -> Pod:
    document = build.pod_json(build.container("a", env=list(env)), build.container("b"))
    return msgspec.structs.replace(build.noun(document), annotations=WHERE.annotations)


def test_a_placed_pod_says_where_and_on_which_cards() -> None:
    found = outcome.placed(ADMITTED, _bound(), WHERE, {"m": "full"})
    assert found.placed == WHERE
    assert found.summary == "n: GPU-a (2000 MiB, 30 cores)"
    assert found.reasons == {"m": "full"}
    assert found.environment == {"a": {}, "b": {}}


def _field(name: str, path: str) -> build.Json:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


ENVIRONMENTS: dict[str, tuple[list[build.Json], dict[str, str]]] = {
    "a literal": ([{"name": "A", "value": "1"}], {"A": "1"}),
    "an empty literal": ([{"name": "A"}], {"A": ""}),
    "an annotation": ([_field("A", "metadata.annotations['a/b']")], {"A": "GPU-a"}),
    "an annotation that is not there is empty, as the kubelet has it": (
        [_field("A", "metadata.annotations['no']")],
        {"A": ""},
    ),
    "its name and namespace": (
        [_field("A", "metadata.name"), _field("B", "metadata.namespace")],
        {"A": "p", "B": "team"},
    ),
    "what only the node knows is left out": ([_field("A", "status.hostIP")], {}),
    "a secret is left out": ([{"name": "A", "valueFrom": {"secretKeyRef": {}}}], {}),
    "the last entry wins": (
        [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
        {"A": "2"},
    ),
    "also when it is not known": (
        [{"name": "A", "value": "1"}, {"name": "A", "valueFrom": {"secretKeyRef": {}}}],
        {},
    ),
}


@pytest.mark.parametrize("sentence", ENVIRONMENTS)
def test_environment(sentence: str) -> None:
    env, expected = ENVIRONMENTS[sentence]
    assert outcome.placed(ADMITTED, _bound(*env), WHERE, {}).environment["a"] == expected


def test_good_is_what_needs_nothing_done() -> None:
    untouched, _ = DECISIONS["untouched"]
    denied, _ = DECISIONS["denied"]
    assert outcome.of_decision(STEP, untouched, [], DOCUMENT).good
    assert not outcome.of_decision(STEP, denied, [], DOCUMENT).good
    assert not outcome.unplaced(ADMITTED, {}).good
    assert outcome.placed(ADMITTED, _bound(), WHERE, {}).good
