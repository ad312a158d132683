"""Label selectors as apimachinery reads them, and budgets that several victims share."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hami_admission.wire import evictions, keys
from hami_admission.wire.errors import Malformed

Json = dict[str, Any]


def budget(allowed: int, selector: Json | None, **metadata: str) -> Json:
    return {
        "metadata": {"namespace": "team", "name": f"b{allowed}", **metadata},
        "spec": {} if selector is None else {"selector": selector},
        "status": {"disruptionsAllowed": allowed},
    }


def budgets(*given: Json) -> list[evictions.Budget]:
    return evictions.decode_budgets(msgspec.json.encode({"items": list(given)}))


def victim(name: str, labels: dict[str, str] | None = None, **metadata: Any) -> evictions.Victim:
    whole = {"namespace": "team", "name": name, "uid": name, "labels": labels, **metadata}
    return evictions.decode_victim(msgspec.json.encode({"metadata": whole, "spec": {}}))


def expression(key: str, operator: str, *values: str) -> Json:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


SELECTORS: dict[str, tuple[Json, dict[str, str], bool]] = {
    "an empty one means all": ({}, {}, True),
    "labels, all of them": ({"matchLabels": {"a": "1", "b": "2"}}, {"a": "1"}, False),
    "labels among others": ({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"}, True),
    "In": (expression("a", "In", "1", "2"), {"a": "2"}, True),
    "In, another value": (expression("a", "In", "1"), {"a": "2"}, False),
    "In, no such label": (expression("a", "In", "1"), {}, False),
    "NotIn": (expression("a", "NotIn", "1"), {"a": "2"}, True),
    "NotIn, that value": (expression("a", "NotIn", "1"), {"a": "1"}, False),
    "NotIn, no such label": (expression("a", "NotIn", "1"), {}, True),
    "Exists": (expression("a", "Exists"), {"a": ""}, True),
    "Exists, no such label": (expression("a", "Exists"), {}, False),
    "DoesNotExist": (expression("a", "DoesNotExist"), {}, True),
    "DoesNotExist, it does": (expression("a", "DoesNotExist"), {"a": ""}, False),
    "labels and expressions": (
        {"matchLabels": {"a": "1"}, **expression("b", "Exists")}, {"a": "1"}, False),
}  # fmt: skip


@pytest.mark.parametrize("case", SELECTORS.values(), ids=SELECTORS)
def test_a_budget_covers_the_pods_of_its_selector(case: tuple[Json, dict[str, str], bool]) -> None:
    selector, labels, expected = case
    (found,) = budgets(budget(0, selector))
    assert found.covers(victim("v", labels)) is expected
    assert not found.covers(victim("v", labels, namespace="other"))


def test_a_budget_without_selector_protects_nobody() -> None:
    assert not budgets(budget(0, None))[0].covers(victim("v"))


def test_who_would_be_one_too_many_stays() -> None:
    app = {"matchLabels": {"app": "x"}}
    victims = [victim("1", {"app": "x"}), victim("2", {"app": "x"}), victim("3")]
    assert evictions.protected(victims, budgets()) == frozenset()
    assert evictions.protected(victims, budgets(budget(2, app))) == frozenset()
    assert evictions.protected(victims, budgets(budget(1, app))) == {"2"}
    assert evictions.protected(victims, budgets(budget(0, app))) == {"1", "2"}
    assert evictions.protected(victims, budgets(budget(2, app), budget(1, {}))) == {"2", "3"}


def test_the_mirror_of_a_static_pod_stays() -> None:
    mirror = victim("m", annotations={keys.MIRROR: "x"})
    assert evictions.protected([mirror], []) == {"m"}


def test_what_is_read_of_a_victim() -> None:
    found = victim("v", deletionTimestamp="2026-01-01T00:00:00Z")
    assert (found.leaving, found.grace, found.mirror) == (True, 30, False)
    body = msgspec.json.encode({"metadata": {}, "spec": {"terminationGracePeriodSeconds": 0}})
    assert evictions.decode_victim(body).grace == 0
    assert msgspec.json.decode(evictions.encode("team", "v", "v")) == {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "v", "namespace": "team"},
        "deleteOptions": {"preconditions": {"uid": "v"}},
    }


@pytest.mark.parametrize("body", [b"", b"[]", b'{"items": 1}', b'{"metadata": 1}', b"\xff"])
def test_what_cannot_be_read_is_malformed(body: bytes) -> None:
    for decode in (evictions.decode_budgets, evictions.decode_victim):
        if body == b'{"items": 1}' and decode is evictions.decode_victim:
            continue
        if body == b'{"metadata": 1}' and decode is evictions.decode_budgets:
            continue
        with pytest.raises(Malformed):
            decode(body)
