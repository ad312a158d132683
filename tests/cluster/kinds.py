"""Where the API server keeps objects of each kind."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """Group and version as in a path, the plural name, and whether it lives in a namespace."""

    root: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The path of the collection, or of one object."""
        parts = [self.root]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        return "/".join(parts)


_CORE = "/api/v1"
_APPS = "/apis/apps/v1"
_BATCH = "/apis/batch/v1"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"

KINDS = {
    "Namespace": Kind(_CORE, "namespaces", namespaced=False),
    "Node": Kind(_CORE, "nodes", namespaced=False),
    "Pod": Kind(_CORE, "pods"),
    "Service": Kind(_CORE, "services"),
    "ServiceAccount": Kind(_CORE, "serviceaccounts"),
    "ConfigMap": Kind(_CORE, "configmaps"),
    "Secret": Kind(_CORE, "secrets"),
    "PersistentVolumeClaim": Kind(_CORE, "persistentvolumeclaims"),
    "ResourceQuota": Kind(_CORE, "resourcequotas"),
    "LimitRange": Kind(_CORE, "limitranges"),
    "Event": Kind(_CORE, "events"),
    "ReplicationController": Kind(_CORE, "replicationcontrollers"),
    "Deployment": Kind(_APPS, "deployments"),
    "ReplicaSet": Kind(_APPS, "replicasets"),
    "StatefulSet": Kind(_APPS, "statefulsets"),
    "DaemonSet": Kind(_APPS, "daemonsets"),
    "Job": Kind(_BATCH, "jobs"),
    "CronJob": Kind(_BATCH, "cronjobs"),
    "EndpointSlice": Kind("/apis/discovery.k8s.io/v1", "endpointslices"),
    "Role": Kind(_RBAC, "roles"),
    "RoleBinding": Kind(_RBAC, "rolebindings"),
    "ClusterRole": Kind(_RBAC, "clusterroles", namespaced=False),
    "ClusterRoleBinding": Kind(_RBAC, "clusterrolebindings", namespaced=False),
    "MutatingWebhookConfiguration": Kind(
        _ADMISSION, "mutatingwebhookconfigurations", namespaced=False
    ),
    "ValidatingWebhookConfiguration": Kind(
        _ADMISSION, "validatingwebhookconfigurations", namespaced=False
    ),
    "ValidatingAdmissionPolicy": Kind(_ADMISSION, "validatingadmissionpolicies", namespaced=False),
    "ValidatingAdmissionPolicyBinding": Kind(
        _ADMISSION, "validatingadmissionpolicybindings", namespaced=False
    ),
    "PriorityClass": Kind("/apis/scheduling.k8s.io/v1", "priorityclasses", namespaced=False),
    "RuntimeClass": Kind("/apis/node.k8s.io/v1", "runtimeclasses", namespaced=False),
    "Lease": Kind("/apis/coordination.k8s.io/v1", "leases"),
    "PodDisruptionBudget": Kind("/apis/policy/v1", "poddisruptionbudgets"),
    "Ingress": Kind("/apis/networking.k8s.io/v1", "ingresses"),
    "NetworkPolicy": Kind("/apis/networking.k8s.io/v1", "networkpolicies"),
    "HorizontalPodAutoscaler": Kind("/apis/autoscaling/v2", "horizontalpodautoscalers"),
}
