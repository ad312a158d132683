"""What is read of the cluster's objects; fields that nobody looks at are not named."""

from __future__ import annotations

from datetime import datetime

import msgspec

from hami_admission.model.pod import Quantity


class _Wire(msgspec.Struct, rename="camel", frozen=True):
    """Base of the partial Kubernetes types below."""


class Metadata(_Wire, frozen=True):
    """Of any object."""

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    resource_version: str = ""
    creation_timestamp: datetime | None = None


class Object(_Wire, frozen=True, kw_only=True):
    """Any object."""

    metadata: Metadata = Metadata()

    @property
    def name(self) -> str:
        """Without its namespace."""
        return self.metadata.name

    @property
    def place(self) -> str:
        """With its namespace."""
        return f"{self.metadata.namespace}/{self.metadata.name}"


class Version(_Wire, frozen=True):
    """GET /version."""

    major: str = ""
    minor: str = ""
    git_version: str = ""


class Expression(_Wire, frozen=True):
    """One term of a label selector."""

    key: str = ""
    operator: str = ""
    values: list[str] | None = None


class Selector(_Wire, frozen=True):
    """A label selector."""

    match_expressions: list[Expression] | None = None
    match_labels: dict[str, str] | None = None


class Rule(_Wire, frozen=True):
    """Which requests a webhook gets."""

    operations: list[str] | None = None
    resources: list[str] | None = None


class Service(_Wire, frozen=True):
    """Where a webhook is."""

    namespace: str = ""
    name: str = ""
    path: str | None = None


class ClientConfig(_Wire, frozen=True):
    """How the API server reaches a webhook."""

    service: Service | None = None
    url: str | None = None
    ca_bundle: str = ""


class Condition(_Wire, frozen=True):
    """A CEL expression."""

    expression: str = ""


class Hook(_Wire, frozen=True):
    """One webhook."""

    name: str = ""
    client_config: ClientConfig = ClientConfig()
    rules: list[Rule] | None = None
    failure_policy: str = "Fail"
    side_effects: str = ""
    timeout_seconds: int = 10
    namespace_selector: Selector | None = None
    match_conditions: list[Condition] | None = None


class Configuration(Object, frozen=True, kw_only=True):
    """A MutatingWebhookConfiguration or a ValidatingWebhookConfiguration."""

    webhooks: list[Hook] | None = None


class Typing(_Wire, frozen=True):
    """What the API server says of the expressions of a policy."""

    expression_warnings: list[dict[str, str]] | None = None


class _PolicySpec(_Wire, frozen=True):
    failure_policy: str = "Fail"


class _PolicyStatus(_Wire, frozen=True):
    type_checking: Typing | None = None


class Policy(Object, frozen=True, kw_only=True):
    """A ValidatingAdmissionPolicy."""

    spec: _PolicySpec = _PolicySpec()
    status: _PolicyStatus = _PolicyStatus()


class _BindingSpec(_Wire, frozen=True):
    policy_name: str = ""
    validation_actions: list[str] | None = None


class Binding(Object, frozen=True, kw_only=True):
    """A ValidatingAdmissionPolicyBinding."""

    spec: _BindingSpec = _BindingSpec()


class FieldRef(_Wire, frozen=True):
    """A field of the pod."""

    field_path: str = ""


class ValueFrom(_Wire, frozen=True):
    """Where a variable comes from."""

    field_ref: FieldRef | None = None


class Variable(_Wire, frozen=True):
    """One environment variable."""

    name: str = ""
    value_from: ValueFrom | None = None


class Resources(_Wire, frozen=True):
    """What a container asks."""

    limits: dict[str, Quantity] | None = None


class Container(_Wire, frozen=True):
    """A container of a pod or a template."""

    name: str = ""
    image: str = ""
    command: list[str] | None = None
    args: list[str] | None = None
    env: list[Variable] | None = None
    resources: Resources = Resources()


class PodSpec(_Wire, frozen=True):
    """Of a pod or a template."""

    scheduler_name: str = ""
    node_name: str = ""
    node_selector: dict[str, str] | None = None
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None

    @property
    def limits(self) -> frozenset[str]:
        """The names of what any of its containers may have."""
        every = (*(self.containers or ()), *(self.init_containers or ()))
        return frozenset(name for each in every for name in each.resources.limits or ())


class Pod(Object, frozen=True, kw_only=True):
    """A pod."""

    spec: PodSpec = PodSpec()


class _Template(_Wire, frozen=True):
    spec: PodSpec = PodSpec()


class _WorkloadSpec(_Wire, frozen=True):
    replicas: int = 1
    template: _Template = _Template()


class _WorkloadStatus(_Wire, frozen=True):
    ready_replicas: int = 0
    desired_number_scheduled: int = 0


class Workload(Object, frozen=True, kw_only=True):
    """A Deployment or a DaemonSet."""

    spec: _WorkloadSpec = _WorkloadSpec()
    status: _WorkloadStatus = _WorkloadStatus()

    @property
    def pod(self) -> PodSpec:
        """What its pods are like."""
        return self.spec.template.spec

    @property
    def images(self) -> str:
        """Of all containers, for looking for words."""
        return " ".join(each.image for each in self.pod.containers or ())


class Reviews(_Wire, frozen=True):
    """Of the settings of the control process: who may send reviews."""

    review_senders: str | tuple[str, ...] = "any"
    review_authority: str = ""


class _Endpoint(_Wire, frozen=True):
    addresses: tuple[str, ...] = ()


class Slice(Object, frozen=True, kw_only=True):
    """An EndpointSlice."""

    endpoints: list[_Endpoint] | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of all endpoints."""
        return tuple(each for endpoint in self.endpoints or () for each in endpoint.addresses)


class _LeaseSpec(_Wire, frozen=True):
    holder_identity: str | None = None
    renew_time: datetime | None = None
    lease_duration_seconds: int | None = None


class Lease(Object, frozen=True, kw_only=True):
    """Who leads."""

    spec: _LeaseSpec = _LeaseSpec()

    @property
    def turn(self) -> tuple[str | None, datetime | None]:
        """Another whenever its holder has renewed it."""
        return self.spec.holder_identity, self.spec.renew_time


class _NodeInfo(_Wire, frozen=True):
    container_runtime_version: str = ""


class _NodeStatus(_Wire, frozen=True):
    allocatable: dict[str, Quantity] | None = None
    capacity: dict[str, Quantity] | None = None
    node_info: _NodeInfo = _NodeInfo()


class Node(Object, frozen=True, kw_only=True):
    """A node."""

    status: _NodeStatus = _NodeStatus()


class _QuotaSpec(_Wire, frozen=True):
    hard: dict[str, Quantity] | None = None


class _QuotaStatus(_Wire, frozen=True):
    used: dict[str, Quantity] | None = None


class Quota(Object, frozen=True, kw_only=True):
    """A ResourceQuota."""

    spec: _QuotaSpec = _QuotaSpec()
    status: _QuotaStatus = _QuotaStatus()


class RuntimeClass(Object, frozen=True, kw_only=True):
    """A runtime of the nodes, by the name that pods give."""

    handler: str = ""


class Managed(_Wire, frozen=True):
    """A resource that an extender looks after."""

    name: str = ""
    ignored_by_scheduler: bool = False


class Extender(_Wire, frozen=True):
    """Of a kube-scheduler."""

    managed_resources: list[Managed] | None = None


class Profile(_Wire, frozen=True):
    """Of a kube-scheduler."""

    scheduler_name: str = ""


class Scheduler(_Wire, frozen=True):
    """A KubeSchedulerConfiguration, from the ConfigMap ``place``."""

    place: str = ""
    percentage_of_nodes_to_score: int = 0
    profiles: list[Profile] | None = None
    extenders: list[Extender] | None = None
