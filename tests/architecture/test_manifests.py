"""The plain manifests say what the code serves and asks for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from hami_admission.control import app
from hami_admission.control.webhook import SENDING_SECONDS
from hami_admission.settings import Settings
from hami_admission.vendors import table
from hami_admission.wire import keys
from tests import yamls

FOLDER = Path(__file__).parents[2] / "webhooks"
SETTINGS = Settings()
NAMES = [name for vendor in table.build(SETTINGS) for name in vendor.names.all]


def documents(name: str) -> list[dict[str, Any]]:
    """The documents of a file."""
    return yamls.load_all((FOLDER / name).read_text())


def webhook(name: str) -> dict[str, Any]:
    """The only webhook of a configuration."""
    ((configuration,), hooks) = documents(name), documents(name)[0]["webhooks"]
    assert configuration["metadata"]["name"] == app.Options().webhooks
    (hook,) = hooks
    return cast("dict[str, Any]", hook)


def test_both_configurations_reach_routes_and_match_alike() -> None:
    mutating, validating = webhook("mutating.yaml"), webhook("validating.yaml")
    service = app.Options()
    for hook in (mutating, validating):
        target = hook["clientConfig"]["service"]
        assert (target["namespace"], target["name"]) == (service.namespace, service.service)
        assert hook["failurePolicy"] == "Fail"
        assert hook["timeoutSeconds"] > SETTINGS.review_seconds + SENDING_SECONDS
        assert set(hook["admissionReviewVersions"]) == {"v1", "v1beta1"}
    assert mutating["clientConfig"]["service"]["path"] == "/mutate"
    assert validating["clientConfig"]["service"]["path"] == "/validate"
    assert validating["sideEffects"] == "NoneOnDryRun"
    for field in ("rules", "matchConditions", "namespaceSelector", "objectSelector"):
        assert mutating[field] == validating[field]


def test_conditions_name_our_resources_and_exempt_our_namespaces() -> None:
    hook = webhook("mutating.yaml")
    policy = documents("policy.yaml")[0]
    conditions = (hook["matchConditions"][0], policy["spec"]["matchConditions"][0])
    for each in conditions:
        assert all(f"'{name}'" in each["expression"] for name in NAMES)
    for selector in (
        hook["namespaceSelector"],
        policy["spec"]["matchConstraints"]["namespaceSelector"],
    ):
        assert tuple(selector["matchExpressions"][0]["values"]) == SETTINGS.exempt_namespaces
    (label,) = hook["objectSelector"]["matchExpressions"]
    assert (label["key"], label["values"]) == (keys.OPT_OUT_LABEL, [keys.OPT_OUT_VALUE])


def test_the_policies_guard_our_annotations_and_our_scheduler() -> None:
    found = documents("policy.yaml")
    policies, bindings = found[::2], found[1::2]
    for policy, binding in zip(policies, bindings, strict=True):
        assert binding["spec"]["policyName"] == policy["metadata"]["name"]
        assert binding["spec"]["validationActions"] == ["Deny"]
        assert policy["spec"]["failurePolicy"] == "Fail"
    rules = " ".join(each["expression"] for each in policies[0]["spec"]["validations"])
    assert f"'{SETTINGS.scheduler_name}'" in rules
    beginnings, ends = (each["expression"] for each in policies[1]["spec"]["variables"][:2])
    assert re.findall("'([^']+)'", beginnings) == list(keys.RESERVED_PREFIXES)
    assert re.findall("'([^']+)'", ends) == list(keys.RESERVED_SUFFIXES)
    (condition,) = policies[1]["spec"]["matchConditions"]
    (pattern,) = re.findall(r"matches\( ?r'\^\(([^']+)\)'\)", condition["expression"])
    assert pattern.replace("\\.", ".").split("|") == list(keys.RESERVED_PREFIXES)
    assert re.findall(r"endsWith\('([^']+)'\)", condition["expression"]) == [
        *keys.RESERVED_SUFFIXES
    ]


def test_kube_scheduler_sees_all_nodes_and_leaves_our_resources_to_us() -> None:
    (config,) = documents("kube-scheduler.yaml")
    assert config["percentageOfNodesToScore"] == 100
    (profile,) = config["profiles"]
    assert profile["schedulerName"] == SETTINGS.scheduler_name
    (extender,) = config["extenders"]
    named = [each["name"] for each in extender["managedResources"]]
    assert sorted(named) == sorted(NAMES)
    assert all(each["ignoredByScheduler"] for each in extender["managedResources"])
    assert extender["nodeCacheCapable"]
    verbs = (extender["filterVerb"], extender["prioritizeVerb"], extender["bindVerb"])
    assert verbs == ("filter", "prioritize", "bind")


def test_rights_are_named_one_by_one() -> None:
    roles = [each for each in documents("rbac.yaml") if each["kind"] in {"ClusterRole", "Role"}]
    assert len(roles) == 3
    for rule in (rule for role in roles for rule in role["rules"]):
        assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
