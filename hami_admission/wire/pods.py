"""Pod JSON to ``model.Pod``, decoding only what some decision reads."""

from __future__ import annotations

from datetime import datetime

import msgspec

from hami_admission.model.pod import Container, EnvVar, Kind, Pod, Quantity
from hami_admission.wire import quantities
from hami_admission.wire.errors import Malformed

MAX_CONTAINERS = 256
"""Containers of one pod, init containers among them, that we are willing to look at."""

_ENDED = frozenset({"Succeeded", "Failed"})


class _Wire(msgspec.Struct, rename="camel", frozen=True):
    """Base of the partial Kubernetes types below: camelCase names, unknown fields skipped."""


class _Resources(_Wire, frozen=True):
    limits: dict[str, Quantity] | None = None
    requests: dict[str, Quantity] | None = None


class _SecurityContext(_Wire, frozen=True):
    privileged: bool | None = None


class _Container(_Wire, frozen=True):
    name: str = ""
    resources: _Resources | None = None
    env: tuple[EnvVar, ...] | None = None
    env_from: list[msgspec.Raw] | None = None
    security_context: _SecurityContext | None = None
    restart_policy: str | None = None


class _Metadata(_Wire, frozen=True):
    name: str | None = None
    generate_name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    annotations: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None


class _Spec(_Wire, frozen=True):
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None
    scheduler_name: str | None = None
    node_name: str | None = None
    runtime_class_name: str | None = None
    priority_class_name: str | None = None
    priority: int | None = None
    preemption_policy: str | None = None
    active_deadline_seconds: int | None = None
    resources: _Resources | None = None


class _Status(_Wire, frozen=True):
    phase: str | None = None
    start_time: str | None = None


class WirePod(_Wire, frozen=True):
    """A pod as it stands in JSON; a field of reviews and extender arguments."""

    metadata: _Metadata | None = None
    spec: _Spec | None = None
    status: _Status | None = None


_DECODER = msgspec.json.Decoder(WirePod)
_NO_METADATA = _Metadata()
_NO_SPEC = _Spec()
_ONE_TO_NINE = frozenset("123456789")
_RESOURCES_OF_QOS = ("cpu", "memory")


def decode(body: bytes | msgspec.Raw) -> Pod:
    """One Pod object; raises Malformed with the path of what is wrong."""
    try:
        return build(_DECODER.decode(body))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Malformed(f"not a Pod: {error}") from error


def build(wire: WirePod, *, namespace: str = "", name: str = "", uid: str = "") -> Pod:
    """The noun of a decoded pod; the keywords serve where the pod itself has no such field."""
    metadata = wire.metadata or _NO_METADATA
    spec = wire.spec or _NO_SPEC
    init, app = spec.init_containers or (), spec.containers or ()
    if len(init) + len(app) > MAX_CONTAINERS:
        raise Malformed(f"spec.containers: more than {MAX_CONTAINERS} containers in one pod")
    return Pod(
        namespace=metadata.namespace or namespace,
        name=metadata.name or name or metadata.generate_name or "",
        uid=metadata.uid or uid,
        containers=(
            *(_container(each, index, init=True) for index, each in enumerate(init)),
            *(_container(each, index, init=False) for index, each in enumerate(app)),
        ),
        annotations=metadata.annotations or {},
        labels=metadata.labels or {},
        scheduler_name=spec.scheduler_name or "",
        node_name=spec.node_name or "",
        runtime_class=spec.runtime_class_name or "",
        priority_class=spec.priority_class_name or "",
        priority=spec.priority or 0,
        never_preempts=spec.preemption_policy == "Never",
        leaving=metadata.deletion_timestamp is not None,
        uncounted_after=_uncounted_after(metadata),
        terminating_scope=spec.active_deadline_seconds is not None,
        best_effort=not _has_qos(spec, (*init, *app)),
        started=wire.status is not None and wire.status.start_time is not None,
        ended=wire.status is not None and wire.status.phase in _ENDED,
    )


def _uncounted_after(metadata: _Metadata) -> float:
    """As Kubernetes' own evaluator of pods (pkg/quota/v1/evaluator/core: QuotaV1Pod), which adds
    the grace to a timestamp that has it already."""
    grace = metadata.deletion_grace_period_seconds
    if metadata.deletion_timestamp is None or grace is None:
        return 0.0
    try:
        return datetime.fromisoformat(metadata.deletion_timestamp).timestamp() + grace
    except (ValueError, OverflowError):
        return 0.0


def _kind(wire: _Container, *, init: bool) -> Kind:
    if not init:
        return Kind.APP
    return Kind.SIDECAR if wire.restart_policy == "Always" else Kind.INIT


def _container(wire: _Container, index: int, *, init: bool) -> Container:
    resources, security = wire.resources, wire.security_context
    return Container(
        name=wire.name,
        kind=_kind(wire, init=init),
        index=index,
        limits=resources.limits if resources else None,
        requests=resources.requests if resources else None,
        env=wire.env,
        privileged=bool(security and security.privileged),
        env_from=bool(wire.env_from),
        has_resources=resources is not None,
    )


def _has_qos(spec: _Spec, containers: tuple[_Container, ...]) -> bool:
    """Kubernetes' quality of service looks at cpu and memory only, and at values over zero.

    Where the pod as a whole has resources it looks at no container.
    """
    if spec.resources is not None:
        return _counts(spec.resources)
    return any(each.resources is not None and _counts(each.resources) for each in containers)


def _counts(resources: _Resources) -> bool:
    return any(
        name in given and _positive(given[name])
        for given in (resources.requests, resources.limits)
        if given
        for name in _RESOURCES_OF_QOS
    )


def _positive(quantity: Quantity) -> bool:
    if isinstance(quantity, str) and quantity[:1] in _ONE_TO_NINE:
        return True
    try:
        return quantities.parse(quantity) > 0
    except Malformed:
        return True
