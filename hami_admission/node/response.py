"""What the kubelet is answered for a container: environment, mounts, devices (facts/node.md 1.10).

Nothing of it depends on the pod. What does, stands in the environment that the pod was admitted
with, which goes before this one. A container whose pod was not placed by us is given this and does
not start (``starting``).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from hami_admission.node import ids
from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hami_admission.node.facts import CardFacts
    from hami_admission.node.options import Options

VENDOR, CLASS = "k8s.device-plugin.nvidia.com", "gpu"
CDI_KEY = "nvidia-device-plugin"
LISTED = "/var/run/nvidia-container-devices"
"""Where cards are listed as mounts, for the strategy ``volume-mounts``."""

CONTROL_PATHS = (
    "/dev/nvidiactl",
    "/dev/nvidia-uvm",
    "/dev/nvidia-uvm-tools",
    "/dev/nvidia-modeset",
)
LOCKS = "/tmp/vgpulock"
PRELOAD = "/etc/ld.so.preload"


class Mount(msgspec.Struct, frozen=True):
    """A path of the container and the one of the host that is seen there."""

    container: str
    host: str
    read_only: bool = True


class Response(msgspec.Struct, frozen=True):
    """``devices`` are paths, the same on both sides; ``annotations`` are for the runtime alone."""

    environment: dict[str, str]
    mounts: tuple[Mount, ...] = ()
    devices: tuple[str, ...] = ()
    annotations: dict[str, str] = {}
    cdi: tuple[str, ...] = ()


def of(
    devices: Sequence[str],
    usage: str,
    options: Options,
    cards: Mapping[str, CardFacts],
    *,
    controlled: bool = True,
) -> Response:
    """For these device ids; ``usage`` is the name of this container's usage file.

    ``cards`` are the driver's, by uuid. Who is not ``controlled`` has the library at hand, but it
    is not loaded into its programs.
    """
    uuids = list(dict.fromkeys(map(ids.card, devices)))
    instances = any(uuid in cards and cards[uuid].mig for uuid in uuids)
    names = [_name(uuid, options, cards) for uuid in uuids]
    environment, mounts, annotations, cdi = _visible(names, options)
    environment |= _extras(options)
    if options.isolation == "library" and not instances:
        environment |= _limits(usage, options)
        mounts += _library(devices, options, controlled)
    return Response(environment, mounts, _paths(uuids, options, cards), annotations, cdi)


def folder(devices: Iterable[str]) -> str:
    """The name of the folder in which who has these devices keeps its usage file."""
    return sha256("\n".join(sorted(devices)).encode()).hexdigest()[:32]


def _name(uuid: str, options: Options, cards: Mapping[str, CardFacts]) -> str:
    by_index = options.id_strategy == "index" and uuid in cards
    return str(cards[uuid].index) if by_index else uuid


def _visible(
    names: Sequence[str], options: Options
) -> tuple[dict[str, str], tuple[Mount, ...], dict[str, str], tuple[str, ...]]:
    """By the variable, by mounts, or by names of the Container Device Interface; by several of
    them, if the node says so."""
    environment: dict[str, str] = {}
    mounts: tuple[Mount, ...] = ()
    annotations: dict[str, str] = {}
    ways, qualified = options.list_strategies, tuple(f"{VENDOR}/{CLASS}={name}" for name in names)
    if "envvar" in ways:
        environment[keys.NVIDIA_VISIBLE_DEVICES] = ",".join(names)
    if "volume-mounts" in ways:
        environment[keys.NVIDIA_VISIBLE_DEVICES] = LISTED
        mounts = tuple(Mount(f"{LISTED}/{name}", "/dev/null") for name in names)
    if "cdi-annotations" in ways:
        annotations[f"{options.cdi_annotation_prefix}{CDI_KEY}"] = ",".join(qualified)
    return environment, mounts, annotations, qualified if "cdi-cri" in ways else ()


def _extras(options: Options) -> dict[str, str]:
    """What the runtime is to bring besides."""
    switched = {"GDRCOPY": options.gdrcopy, "GDS": options.gds, "MOFED": options.mofed}
    found = {f"NVIDIA_{name}": "enabled" for name, is_on in switched.items() if is_on}
    if options.imex_channels:
        found["NVIDIA_IMEX_CHANNELS"] = ",".join(map(str, options.imex_channels))
    return found


def _limits(usage: str, options: Options) -> dict[str, str]:
    found = {
        keys.CUDA_USAGE_FILE: f"{options.hook_path}/vgpu/{usage}",
        keys.LIBRARY_LOG_LEVEL: str(options.log_level),
    }
    if options.memory_scaling > 1:
        found[keys.CUDA_OVERSUBSCRIBE] = "true"
    if options.disable_core_limit:
        found[keys.CORE_POLICY] = "disable"
    return found


def _library(devices: Sequence[str], options: Options, controlled: bool) -> tuple[Mount, ...]:
    hook = f"{options.hook_path}/vgpu"
    mounts = (
        Mount(f"{hook}/libvgpu.so", f"{hook}/libvgpu.so"),
        Mount(hook, f"{hook}/containers/{folder(devices)}", read_only=False),
        Mount(LOCKS, LOCKS, read_only=False),
    )
    return (*mounts, Mount(PRELOAD, f"{hook}/ld.so.preload")) if controlled else mounts


def _paths(
    uuids: Sequence[str], options: Options, cards: Mapping[str, CardFacts]
) -> tuple[str, ...]:
    if not options.pass_device_specs:
        return ()
    own = [path for uuid in uuids if uuid in cards for path in cards[uuid].paths]
    return (*CONTROL_PATHS, *own) if own else ()
