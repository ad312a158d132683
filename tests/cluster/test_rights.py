"""The rights that we ask for are those that we use: seen by the API servers in the whole run.

These tests read the audit logs that the others leave (see __main__.py).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.audit import LOGS, Audit
from tests.cluster.product import manifests

if TYPE_CHECKING:
    from collections.abc import Iterable

Right = tuple[str, str, str, str]
"""Verb, API group, resource with its subresource, and the name that it is limited to (or "")."""

NAME = "hami-admission"
USER = "system:serviceaccount:hami-system:hami-admission"

pytestmark = pytest.mark.skipif(LOGS not in os.environ, reason="after a run of all other files")


@pytest.fixture(scope="module")
def audits() -> list[Audit]:
    """What each API server of the run was asked."""
    found = [Audit(path) for path in sorted(Path(os.environ[LOGS]).glob("*.log"))]
    assert found, "no API server of this run has left its log"
    return found


def granted() -> set[Right]:
    """What webhooks/rbac.yaml gives the control process, and webhooks/senders.yaml by a setting."""
    roles = [each for each in manifests("rbac.yaml") if each["metadata"]["name"] == NAME]
    return {
        (verb, group, resource, name)
        for role in (*roles, *manifests("senders.yaml"))
        if role["kind"] in {"ClusterRole", "Role"}
        for rule in role["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }


def right(event: dict[str, Any], names: set[str]) -> Right:
    """What a request needed; a name counts only where rights are limited by names."""
    about = event["objectRef"]
    resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
    name = about.get("name", "")
    limited = name if name in names and event["verb"] != "create" else ""
    return (event["verb"], about.get("apiGroup", ""), resource, limited)


def used(audit: Audit) -> tuple[set[Right], set[Right]]:
    """What was asked of an API server: in vain, and at all."""
    names = {name for _, _, _, name in granted()} - {""}
    events = [each for each in audit.requests(user=USER) if each.get("objectRef")]
    own = [each for each in events if "python" in each.get("userAgent", "").lower()]
    forbidden = [
        each
        for each in own
        if each.get("responseStatus", {}).get("code") == 403
        and "is being terminated" not in each["responseStatus"].get("message", "")
        and each.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"
    ]
    asked = {right(each, names) for each in own}
    allowed = {right(each, names) for each in own if each not in forbidden}
    # An API server that has just started does not know all roles yet.
    return {right(each, names) for each in forbidden} - allowed, asked


def asked_of_all(audits: Iterable[Audit]) -> set[Right]:
    """What was asked in the whole run."""
    return {each for audit in audits for each in used(audit)[1]}


def test_nothing_was_asked_that_was_not_granted(audits: list[Audit]) -> None:
    assert [used(each)[0] for each in audits] == [set[Right]()] * len(audits)
    assert asked_of_all(audits) <= granted()


def test_nothing_is_granted_that_was_not_asked(audits: list[Audit]) -> None:
    assert granted() - asked_of_all(audits) == set()


AGENT = "system:serviceaccount:hami-system:hami-node-agent"


def of_agent() -> set[Right]:
    """What webhooks/agent.yaml gives the agent of a node, that of mode ``devices`` among it."""
    return {
        (verb, group, resource, "")
        for role in manifests("agent.yaml")
        if role["kind"] == "ClusterRole"
        for rule in role["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def allowed_to_agents(audits: Iterable[Audit]) -> list[dict[str, Any]]:
    """The requests of agents; tests try with their token what is not allowed, too."""
    return [
        each
        for audit in audits
        for each in audit.requests(user=AGENT)
        if each.get("objectRef")
        and each["annotations"].get("authorization.k8s.io/decision") == "allow"
    ]


def test_agents_have_the_rights_that_they_use(audits: list[Audit]) -> None:
    assert {right(each, set()) for each in allowed_to_agents(audits)} == of_agent()


SELECTORS = {"pods": "fieldSelector=spec.nodeName%3D", "nodes": "fieldSelector=metadata.name%3D"}


def test_agents_ask_for_their_own_node_and_its_pods_only(audits: list[Audit]) -> None:
    for each in allowed_to_agents(audits):
        selector = SELECTORS.get(each["objectRef"]["resource"], "")
        if each["verb"] in {"list", "watch"}:
            assert selector in each["requestURI"]
