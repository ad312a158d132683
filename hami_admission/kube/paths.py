"""Paths of the objects that we read and write."""

from __future__ import annotations

from urllib.parse import quote

PODS = "/api/v1/pods"
NODES = "/api/v1/nodes"
QUOTAS = "/api/v1/resourcequotas"
BUDGETS = "/apis/policy/v1/poddisruptionbudgets"
WEBHOOKS = (
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
)


def pods(namespace: str) -> str:
    """The pods of a namespace."""
    return f"{_in(namespace)}/pods"


def pod(namespace: str, name: str) -> str:
    """One pod."""
    return f"{pods(namespace)}/{quote(name)}"


def node(name: str) -> str:
    """One node."""
    return f"{NODES}/{quote(name)}"


def events(namespace: str) -> str:
    """The Events of a namespace."""
    return f"{_in(namespace)}/events"


def event(namespace: str, name: str) -> str:
    """One Event."""
    return f"{events(namespace)}/{quote(name)}"


def binding(namespace: str, name: str) -> str:
    """Where the Binding of a pod is posted."""
    return f"{pod(namespace, name)}/binding"


def eviction(namespace: str, name: str) -> str:
    """Where the Eviction of a pod is posted."""
    return f"{pod(namespace, name)}/eviction"


def quota(namespace: str, name: str) -> str:
    """One ResourceQuota."""
    return f"{_in(namespace)}/resourcequotas/{quote(name)}"


def quota_status(namespace: str, name: str) -> str:
    """Its status, which carries usage and holds in one write."""
    return f"{quota(namespace, name)}/status"


def secrets(namespace: str) -> str:
    """The Secrets of a namespace."""
    return f"{_in(namespace)}/secrets"


def secret(namespace: str, name: str) -> str:
    """One Secret."""
    return f"{secrets(namespace)}/{quote(name)}"


def leases(namespace: str) -> str:
    """The Leases of a namespace."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace)}/leases"


def lease(namespace: str, name: str) -> str:
    """One Lease."""
    return f"{leases(namespace)}/{quote(name)}"


def _in(namespace: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace)}"
