"""Every setting with its default and its reason; all mistakes of a file are reported at once.

The names in files are upstream's where they mean the same (``forceOverwriteDefaultScheduler``,
``nvidia.resourceCountName`` …), so that a value can be carried over.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Annotated, Literal, get_args, get_origin

import msgspec

from hami_admission.options import (
    ILUVATAR_CHIPS,
    AmdOptions,
    AscendOptions,
    BirenOptions,
    CambriconOptions,
    EnflameOptions,
    Family,
    HygonOptions,
    IluvatarChip,
    KunlunOptions,
    MetaxOptions,
    MthreadsOptions,
    VastaiOptions,
    VolcanoOptions,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

Policy = Literal["binpack", "spread"]

_POLICY = "(binpack|spread|numa|mutex|topology-aware)"
CardPolicy = Annotated[str, msgspec.Meta(pattern=f"^{_POLICY}(,{_POLICY})*$")]
"""One policy for the cards of a node or several, the first deciding first."""


Senders = Literal["any", "api-server"] | Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
"""Anybody, the addresses of EndpointSlice ``default/kubernetes``, or these ranges (CIDR)."""


class Mistakes(ValueError):
    """What is wrong with the settings: one line per mistake, each with its path."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class NvidiaOptions(
    msgspec.Struct, frozen=True, rename={"default_gpu_num": "defaultGPUNum"}, kw_only=True
):
    """NVIDIA: names of the resources, and what is meant when a pod leaves something out."""

    resource_count_name: str = msgspec.field(default="nvidia.com/gpu", name="resourceCountName")
    """Cards of a container."""
    resource_memory_name: str = msgspec.field(
        default="nvidia.com/gpumem", name="resourceMemoryName"
    )
    """MiB of each card."""
    resource_percent_name: str = msgspec.field(
        default="nvidia.com/gpumem-percentage", name="resourceMemoryPercentageName"
    )
    """Memory of each card in percent of the card that is found."""
    resource_cores_name: str = msgspec.field(default="nvidia.com/gpucores", name="resourceCoreName")
    """Percent of the cores of each card; 0 is no limit, 100 the card for itself."""
    resource_priority_name: str = msgspec.field(
        default="nvidia.com/priority", name="resourcePriorityName"
    )
    """0 (high) or 1 (low): who goes first on a shared card."""
    memory_factor: int = msgspec.field(default=1, name="memoryFactor")
    """MiB that 1 of the memory's resource means."""
    default_memory: int = msgspec.field(default=0, name="defaultMemory")
    """MiB per card of a container that names no memory; 0 means the whole card."""
    default_cores: int = msgspec.field(default=0, name="defaultCores")
    """Percent points of a container that names no cores and does not take the card whole."""
    default_gpu_num: int = msgspec.field(default=1)
    """Cards of a container that names memory or cores but no count; 0 refuses such a pod."""
    overwrite_env: bool = msgspec.field(default=False, name="overwriteEnv")
    """Hide all cards from containers without a request in pods that have one elsewhere."""
    core_policy: Literal["default", "force", "disable"] = msgspec.field(
        default="default", name="gpuCorePolicy"
    )
    runtime_class: str = msgspec.field(default="", name="runtimeClassName")
    """Runtime class of accelerator pods that name none; empty leaves them as they are."""


class NeuronOptions(msgspec.Struct, frozen=True, kw_only=True):
    """AWS Neuron: names of the resources."""

    resource_count_name: str = msgspec.field(
        default="aws.amazon.com/neuron", name="resourceCountName"
    )
    """AWS Neuron devices, whole."""
    resource_cores_name: str = msgspec.field(
        default="aws.amazon.com/neuroncore", name="resourceCoreName"
    )
    """AWS Neuron cores: a part of a device, or several devices."""


class Settings(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The settings of the control process, of ``check`` and of ``simulate``."""

    scheduler_name: str = "hami-scheduler"
    more_scheduler_names: tuple[str, ...] = ()
    """Further names of our scheduler, each a profile of the kube-scheduler beside us; a pod that
    names one keeps it. After a change of ``schedulerName`` the name from before, while pods wait
    under it."""
    force_overwrite_default_scheduler: bool = True
    """Take accelerator pods that say ``default-scheduler``, which is what saying nothing gives."""
    other_schedulers: tuple[str, ...] | None = None
    """Schedulers besides ours that accelerator pods may name, for pods that those place and count
    themselves. Not given, any may be named, as upstream has it; their pods are left alone, and take
    cards that nobody here knows of."""
    node_scheduler_policy: Policy = "binpack"
    gpu_scheduler_policy: CardPolicy = "spread"
    exempt_namespaces: tuple[str, ...] = ("kube-system", "hami-system")
    preemption: bool = True
    """Evict pods of lower priority where one of higher priority finds no card, as kube-scheduler
    does it for what it counts itself. PodDisruptionBudgets are kept; ``preemptionPolicy: Never``
    holds."""
    hold_seconds: int = 15
    """How long a charge waits for its pod to be seen, before it is looked for, twice. Longer than
    the slowest webhook of the cluster may take (10 seconds unless it says otherwise, 30 at most):
    a pod that came after its charge had ended would be one too many. Short, because so long a
    creation that failed after admission keeps its quota."""
    booking_seconds: int = 60
    """How long cards wait for the bind; kube-scheduler asks again when it took longer."""
    node_lock_seconds: int = 300
    """How long a node may be locked for a device plugin of others before it is taken for dead."""
    review_seconds: float = 2.5
    """Within which a review is answered; the webhooks' timeout of 3 s less the way there."""
    review_senders: Senders = "any"
    """Who may send reviews, by the address that his connection comes from: ``any``, ``api-server``,
    or a list of ranges (CIDR). Where the API server's connections come from another address than
    it has (Konnectivity, many overlay networks) only ranges hold."""
    review_authority: str = ""
    """A file with certificate authorities, in PEM: who sends reviews shows a client certificate of
    one of them as well. The API server shows one if its AdmissionConfiguration says so."""
    nvidia: NvidiaOptions = NvidiaOptions()
    awsneuron: NeuronOptions = NeuronOptions()
    kunlun: KunlunOptions = KunlunOptions()
    enflame: EnflameOptions = EnflameOptions()
    metax: MetaxOptions = MetaxOptions()
    vnpus: AscendOptions = AscendOptions()
    hygon: HygonOptions = HygonOptions()
    cambricon: CambriconOptions = CambriconOptions()
    iluvatars: tuple[IluvatarChip, ...] = ILUVATAR_CHIPS
    mthreads: MthreadsOptions = MthreadsOptions()
    amd: AmdOptions = AmdOptions()
    vastai: VastaiOptions = VastaiOptions()
    biren: BirenOptions = BirenOptions()
    volcano: VolcanoOptions = VolcanoOptions()
    families: tuple[Family, ...] = ()
    """Families of accelerators that need no code."""

    @property
    def scheduler_names(self) -> tuple[str, ...]:
        """All names of our scheduler."""
        return (self.scheduler_name, *self.more_scheduler_names)


def from_mapping(values: Mapping[str, object]) -> Settings:
    """Settings from a decoded YAML file; raises Mistakes with every wrong path, not the first."""
    mistakes: list[str] = []
    accepted = _accepted(values, Settings, "", mistakes)
    if mistakes:
        raise Mistakes(mistakes)
    return msgspec.convert(accepted, Settings)


def _accepted(
    values: Mapping[str, object], form: type[msgspec.Struct], path: str, mistakes: list[str]
) -> dict[str, object]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(form)}
    accepted: dict[str, object] = {}
    for name, value in values.items():
        field = fields.get(name)
        if field is None:
            known = ", ".join(sorted(fields))
            mistakes.append(f"{path}{name}: no such setting; there are: {known}")
        elif value != "" or field.default != "":  # nothing is what it is without that line
            accepted[name] = _value(value, field.type, f"{path}{name}", mistakes)
    mistakes += [
        f"{path}{name}: must be given"
        for name, field in fields.items()
        if field.required and name not in values
    ]
    return accepted


def _value(value: object, form: object, path: str, mistakes: list[str]) -> object:
    """What is meant, as far as it is right: sections and lists of them by their own fields."""
    section, listed = _section(form)
    if section is None or (value is None and section is not form and not listed):
        _check(value, form, path, mistakes)
    elif listed:
        if isinstance(value, list):
            return [_value(each, section, f"{path}[{n}]", mistakes) for n, each in enumerate(value)]
        mistakes.append(f"{path}: must be a list, got {value!r}")
    elif isinstance(value, dict):
        return _accepted(value, section, f"{path}.", mistakes)
    else:
        mistakes.append(f"{path}: must be a mapping, got {value!r}")
    return value


def _section(form: object) -> tuple[type[msgspec.Struct] | None, bool]:
    """The form of a section, or of each of a list of them."""
    for each in (form, *get_args(form)):
        if isinstance(each, type) and issubclass(each, msgspec.Struct):
            return each, get_origin(form) is tuple
    return None, False


def _check(value: object, form: object, path: str, mistakes: list[str]) -> None:
    if value == "":
        mistakes.append(f"{path}: must not be empty")
        return
    try:
        converted = msgspec.convert(value, form)
    except msgspec.ValidationError as error:
        mistakes.append(f"{path}: {value!r}: {error}")
        return
    if isinstance(converted, int | float) and not converted >= 0:
        mistakes.append(f"{path}: {value!r}: must not be negative")
    if form == Senders and isinstance(converted, tuple):
        mistakes += [f"{path}: {wrong}" for each in converted if (wrong := _no_range(each))]


def _no_range(text: str) -> str:
    """Why that is no range of addresses, or nothing."""
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        return str(error)
    return ""
