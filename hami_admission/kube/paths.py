"""Paths of the objects that we read and write.

All are made by ``_path``: whatever a name holds, it is one segment of the path and no more.
"""

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

_CORE = "/api/v1/namespaces"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces"
_SLICES = "/apis/discovery.k8s.io/v1/namespaces"

_NONE = frozenset({"", ".", ".."})
"""What is no name of anything: a client resolves it against what stands before."""


def pods(namespace: str) -> str:
    """The pods of a namespace."""
    return _path(_CORE, namespace, "pods")


def pod(namespace: str, name: str) -> str:
    """One pod."""
    return _path(_CORE, namespace, "pods", name)


def node(name: str) -> str:
    """One node."""
    return _path(NODES, name)


def events(namespace: str) -> str:
    """The Events of a namespace."""
    return _path(_CORE, namespace, "events")


def event(namespace: str, name: str) -> str:
    """One Event."""
    return _path(_CORE, namespace, "events", name)


def binding(namespace: str, name: str) -> str:
    """Where the Binding of a pod is posted."""
    return _path(_CORE, namespace, "pods", name, "binding")


def eviction(namespace: str, name: str) -> str:
    """Where the Eviction of a pod is posted."""
    return _path(_CORE, namespace, "pods", name, "eviction")


def quota(namespace: str, name: str) -> str:
    """One ResourceQuota."""
    return _path(_CORE, namespace, "resourcequotas", name)


def quota_status(namespace: str, name: str) -> str:
    """Its status, which carries usage and holds in one write."""
    return _path(_CORE, namespace, "resourcequotas", name, "status")


def secrets(namespace: str) -> str:
    """The Secrets of a namespace."""
    return _path(_CORE, namespace, "secrets")


def secret(namespace: str, name: str) -> str:
    """One Secret."""
    return _path(_CORE, namespace, "secrets", name)


def config_maps(namespace: str) -> str:
    """The ConfigMaps of a namespace."""
    return _path(_CORE, namespace, "configmaps")


def config_map(namespace: str, name: str) -> str:
    """One ConfigMap."""
    return _path(_CORE, namespace, "configmaps", name)


def webhooks(name: str) -> tuple[str, ...]:
    """The mutating and the validating configuration of that name."""
    return tuple(_path(base, name) for base in WEBHOOKS)


def leases(namespace: str) -> str:
    """The Leases of a namespace."""
    return _path(_LEASES, namespace, "leases")


def lease(namespace: str, name: str) -> str:
    """One Lease."""
    return _path(_LEASES, namespace, "leases", name)


def endpoint_slice(namespace: str, name: str) -> str:
    """One EndpointSlice."""
    return _path(_SLICES, namespace, "endpointslices", name)


def _path(base: str, *segments: str) -> str:
    """Raises ValueError for a segment that is none; names from outside are checked before."""
    for each in segments:
        if each in _NONE:
            raise ValueError(f"{each!r} is not the name of an object")
    return "/".join((base, *(quote(each, safe="") for each in segments)))
