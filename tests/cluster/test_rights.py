"""The rights that we ask for are those that we use: seen by the API server in the whole run.

These tests come last (see conftest.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.product import manifests

if TYPE_CHECKING:
    from tests.cluster.control_plane import ControlPlane

Right = tuple[str, str, str, str]
"""Verb, API group, resource with its subresource, and the name that it is limited to (or "")."""

USER = "system:serviceaccount:hami-system:hami-admission"


def granted() -> set[Right]:
    """What webhooks/rbac.yaml gives the control process."""
    return {
        (verb, group, resource, name)
        for role in manifests("rbac.yaml")
        if role["kind"] in {"ClusterRole", "Role"} and role["metadata"]["name"] == "hami-admission"
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


def used(plane: ControlPlane) -> tuple[set[Right], set[Right]]:
    """What was asked since the control plane started: in vain, and at all."""
    names = {name for _, _, _, name in granted()} - {""}
    events = [each for each in plane.audit().requests(user=USER) if each.get("objectRef")]
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


def test_nothing_was_asked_that_was_not_granted(control_plane: ControlPlane) -> None:
    forbidden, asked = used(control_plane)
    assert forbidden == set()
    assert asked <= granted()


def test_nothing_is_granted_that_was_not_asked(
    control_plane: ControlPlane, request: pytest.FixtureRequest
) -> None:
    if not request.config.stash.get(WHOLE, default=False):
        pytest.skip("only a run of all files uses all rights")
    assert granted() - used(control_plane)[1] == set()


WHOLE = pytest.StashKey[bool]()
"""Whether all files of this folder are run."""


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


def allowed_to_agents(plane: ControlPlane) -> list[dict[str, Any]]:
    """The requests of agents; tests try with their token what is not allowed, too."""
    return [
        each
        for each in plane.audit().requests(user=AGENT)
        if each.get("objectRef")
        and each["annotations"].get("authorization.k8s.io/decision") == "allow"
    ]


def test_agents_have_the_rights_that_they_use(
    control_plane: ControlPlane, request: pytest.FixtureRequest
) -> None:
    if not request.config.stash.get(WHOLE, default=False):
        pytest.skip("only a run of all files uses all rights")
    assert {right(each, set()) for each in allowed_to_agents(control_plane)} == of_agent()


SELECTORS = {"pods": "fieldSelector=spec.nodeName%3D", "nodes": "fieldSelector=metadata.name%3D"}


def test_agents_ask_for_their_own_node_and_its_pods_only(control_plane: ControlPlane) -> None:
    for each in allowed_to_agents(control_plane):
        selector = SELECTORS.get(each["objectRef"]["resource"], "")
        if each["verb"] in {"list", "watch"}:
            assert selector in each["requestURI"]
