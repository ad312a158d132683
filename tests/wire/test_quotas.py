"""ResourceQuota JSON, holds, and the patch of its status."""

from __future__ import annotations

import msgspec
import pytest

from hami_admission.model.amounts import Amounts
from hami_admission.model.quota import Hold, Quota, ScopeTerm
from hami_admission.wire import keys, quotas
from hami_admission.wire.errors import Malformed
from tests import build

HOLD = Hold("p", 1700000010, Amounts({"nvidia.com/gpumem": 4000}))
HOLD_TEXT = '{"uid-p":{"pod":"p","until":1700000010,"amounts":{"nvidia.com/gpumem":4000}}}'


def _decode(document: build.Json) -> Quota:
    return quotas.decode(msgspec.json.encode(document))


def test_a_quota_is_what_it_limits_has_given_out_and_holds() -> None:
    document = build.quota_json(gpu=8, gpumem=40000)
    document["metadata"]["annotations"] = {keys.QUOTA_HOLDS: HOLD_TEXT, "other": "x"}
    document["spec"]["hard"]["pods"] = "10"
    assert _decode(document) == Quota(
        namespace="team",
        name="quota",
        uid="uid-quota",
        version="1",
        hard={"nvidia.com/gpu": 8, "nvidia.com/gpumem": 40000},
        used={"nvidia.com/gpu": 0, "nvidia.com/gpumem": 0},
        holds={"uid-p": HOLD},
        foreign=6,
        shared=True,
    )


def test_a_quota_without_anything_is_empty() -> None:
    assert _decode({}) == Quota("", "", "", "", {})
    nulls = {"spec": {"hard": None, "scopes": None, "scopeSelector": None}, "status": {}}
    assert _decode(nulls) == Quota("", "", "", "", {})


HARD: dict[str, tuple[object, int | None]] = {
    "a text": ("8", 8),
    "a number": (8, 8),
    "with a suffix": ("30Gi", 32_212_254_720),
    "thousands": ("8k", 8000),
    "a fraction is rounded down": ("1500m", 1),
    "a negative number gives nothing": ("-1", 0),
    "an explicit zero stays": ("0", 0),
    "not a quantity is no limit": ("many", None),
    "nor is a damaged exponent": ("1Ex", None),
}


@pytest.mark.parametrize("sentence", HARD)
def test_hard(sentence: str) -> None:
    value, expected = HARD[sentence]
    hard = _decode({"spec": {"hard": {"limits.a/b": value, "requests.a/b": 1, "a/b": 1}}}).hard
    assert hard == ({} if expected is None else {"a/b": expected})


def test_scopes_of_both_spellings() -> None:
    document = build.quota_json()
    document["spec"]["scopes"] = ["NotTerminating"]
    document["spec"]["scopeSelector"] = {
        "matchExpressions": [
            {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]},
            {"scopeName": "BestEffort"},
        ]
    }
    assert _decode(document).scopes == (
        ScopeTerm("NotTerminating"),
        ScopeTerm("PriorityClass", "In", ("high",)),
        ScopeTerm("BestEffort", "Exists"),
    )
    document["spec"]["scopeSelector"] = {"matchExpressions": None}
    assert _decode(document).scopes == (ScopeTerm("NotTerminating"),)


DAMAGED_HOLDS = {
    "nothing": "",
    "not JSON": "{",
    "a list": "[]",
    "no pod": '{"u":{"until":1}}',
    "a negative amount": '{"u":{"pod":"p","until":1,"amounts":{"a":-1}}}',
    "a time that is none": '{"u":{"pod":"p","until":"soon"}}',
    "100,000 brackets": "[" * 100_000,
    "100,000 objects": '{"u":' * 100_000,
    "a lone surrogate": '{"\ud800":{}}',
}


@pytest.mark.parametrize("sentence", DAMAGED_HOLDS)
def test_damaged_holds_count_as_none(sentence: str) -> None:
    assert quotas.decode_holds(DAMAGED_HOLDS[sentence]) == {}


def test_holds_are_written_sorted_and_without_defaults() -> None:
    empty = Hold("q", 5, Amounts())
    assert quotas.encode_holds({"uid-p": HOLD}) == HOLD_TEXT
    assert quotas.encode_holds({"b": empty, "a": empty}) == (
        '{"a":{"pod":"q","until":5},"b":{"pod":"q","until":5}}'
    )


def test_the_patch_writes_used_and_holds_under_the_version_that_was_read() -> None:
    quota = Quota("team", "q", "u", "42", {"a/b": 9}, {"a/b": 7}, {"uid-p": HOLD})
    assert msgspec.json.decode(quotas.patch(quota)) == {
        "metadata": {
            "resourceVersion": "42",
            "annotations": {"hami.io/quota-holds": HOLD_TEXT, "hami.io/quota-counted": None},
        },
        "status": {"used": {"limits.a/b": "7"}},
    }


def test_no_holds_remove_the_annotation() -> None:
    written = msgspec.json.decode(quotas.patch(Quota("team", "q", "u", "42", {"a/b": 9})))
    assert written["metadata"]["annotations"] == {
        "hami.io/quota-holds": None,
        "hami.io/quota-counted": None,
    }


@pytest.mark.parametrize(("text", "counted"), [("7", 7), ("x", 0), ("-1", 0), ("\u0663", 0)])
def test_the_version_that_was_counted(text: str, counted: int) -> None:
    document = build.quota_json()
    document["metadata"]["annotations"] = {"hami.io/quota-counted": text}
    assert quotas.decode(msgspec.json.encode(document)).counted == counted
    written = msgspec.json.decode(quotas.patch(Quota("team", "q", "u", "42", {}, counted=7)))
    assert written["metadata"]["annotations"]["hami.io/quota-counted"] == "7"
    assert written["status"] == {"used": {}}


def test_wrong_types_are_named_with_their_path() -> None:
    with pytest.raises(Malformed, match=r"^not a ResourceQuota: .* - at `\$.spec.hard"):
        _decode({"spec": {"hard": {"limits.a/b": [1]}}})
    with pytest.raises(Malformed, match=r"scopeName"):
        _decode({"spec": {"scopeSelector": {"matchExpressions": [{}]}}})
