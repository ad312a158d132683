"""The cards of this machine, by NVIDIA's management library.

Its calls block, the one that waits for events for seconds; so each runs in a thread.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pynvml

from hami_admission.agent.driver import DriverError
from hami_admission.model.device import Profile
from hami_admission.node.facts import CardEvent, CardFacts, CardUse, Link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

T = TypeVar("T")

WAIT_MS = 5000
"""For an event; so long may an end of the process take."""

GPU_SLICES = 7
"""Compute slices of a whole card in MIG mode."""

_LEVELS = {
    pynvml.NVML_TOPOLOGY_INTERNAL: "same-board",
    pynvml.NVML_TOPOLOGY_SINGLE: "single-switch",
    pynvml.NVML_TOPOLOGY_MULTIPLE: "multi-switch",
    pynvml.NVML_TOPOLOGY_HOSTBRIDGE: "host-bridge",
    pynvml.NVML_TOPOLOGY_NODE: "same-cpu",
    pynvml.NVML_TOPOLOGY_SYSTEM: "cross-cpu",
}

_WATCHED = pynvml.nvmlEventTypeXidCriticalError | pynvml.nvmlEventTypeDoubleBitEccError

Handle = Any


class Nvml:
    """A driver over the library, which is open from ``start`` to ``close``."""

    def __init__(self) -> None:
        self._closed = False

    @classmethod
    async def start(cls) -> Nvml:
        """Raises DriverError where there is no driver, or no card that it can reach."""
        await _asked("nvmlInit", pynvml.nvmlInit)
        return cls()

    async def cards(self) -> tuple[CardFacts, ...]:
        """All cards of the machine."""
        return await _asked("cards", _cards)

    async def events(self) -> AsyncIterator[CardEvent]:
        """Xid and double-bit errors as they happen, and cards that are lost and found."""
        watched = await _asked("events", _watch)
        lost: set[str] = set()
        try:
            while not self._closed:
                found = await _asked("events", lambda: _wait(watched))
                if found is not None:
                    yield found
                gone = await _asked("cards", lambda: _unreachable(watched.uuids))
                for uuid in sorted(gone - lost):
                    yield CardEvent(uuid, "lost", at=time.time())
                for uuid in sorted(lost - gone):
                    yield CardEvent(uuid, "found", at=time.time())
                lost = gone
        finally:
            await _asked("events", lambda: pynvml.nvmlEventSetFree(watched.set))

    async def usage(self) -> tuple[CardUse, ...]:
        """What is used of each card now."""
        return await _asked("usage", _usage)

    async def close(self) -> None:
        """Let the library go, once nobody waits in it."""
        self._closed = True
        await _asked("nvmlShutdown", pynvml.nvmlShutdown)


async def _asked(what: str, question: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(question)
    except pynvml.NVMLError as error:
        raise DriverError(f"{what}: {error}") from error


def _or(otherwise: Any, question: Callable[..., Any], *about: Any) -> Any:
    """What a card does not support is not an error of the machine."""
    try:
        return question(*about)
    except pynvml.NVMLError:
        return otherwise


def _handles() -> list[Handle]:
    """A card that is lost has none."""
    found = [
        _or(None, pynvml.nvmlDeviceGetHandleByIndex, n) for n in range(pynvml.nvmlDeviceGetCount())
    ]
    return [handle for handle in found if handle is not None]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _cards() -> tuple[CardFacts, ...]:
    handles = _handles()
    uuids = {_bus(handle): _text(pynvml.nvmlDeviceGetUUID(handle)) for handle in handles}
    return tuple(_card(index, handle, handles, uuids) for index, handle in enumerate(handles))


def _card(index: int, handle: Handle, handles: list[Handle], uuids: dict[str, str]) -> CardFacts:
    mig = bool(_or((0, 0), pynvml.nvmlDeviceGetMigMode, handle)[0])
    memory = _or(None, pynvml.nvmlDeviceGetMemoryInfo, handle)
    bus = _bus(handle)
    return CardFacts(
        uuid=uuids[bus],
        index=index,
        model=_text(pynvml.nvmlDeviceGetName(handle)),
        memory_mib=0 if memory is None else int(memory.total) >> 20,
        numa=_numa(bus),
        bus_id=bus,
        mig=mig,
        profiles=_profiles(handle) if mig else (),
        links=tuple(_link(handle, other, uuids) for other in handles if _bus(other) != bus),
        paths=(f"/dev/nvidia{_or(index, pynvml.nvmlDeviceGetMinorNumber, handle)}",),
    )


def _bus(handle: Handle) -> str:
    """As the kernel names it: four digits of domain, lower case."""
    text = _text(pynvml.nvmlDeviceGetPciInfo(handle).busId).lower()
    return text[4:] if len(text) > 12 else text


def _numa(bus: str) -> int:
    try:
        return int(Path(f"/sys/bus/pci/devices/{bus}/numa_node").read_text())
    except (OSError, ValueError):
        return -1


def _link(handle: Handle, other: Handle, uuids: dict[str, str]) -> Link:
    level = _or(
        pynvml.NVML_TOPOLOGY_SYSTEM, pynvml.nvmlDeviceGetTopologyCommonAncestor, handle, other
    )
    return Link(uuids[_bus(other)], _lines(handle, other), _LEVELS.get(level, "cross-cpu"))


def _lines(handle: Handle, other: Handle) -> int:
    """Direct lines to the other card; else those through switches, as many as both have."""
    mine, theirs = _remotes(handle), _remotes(other)
    direct = mine.count(_bus(other))
    if direct:
        return direct
    return min(sum(map(_is_switch, mine)), sum(map(_is_switch, theirs)))


_SWITCH = "switch"


def _is_switch(remote: str) -> bool:
    return remote == _SWITCH


def _remotes(handle: Handle) -> list[str]:
    """Where each active line leads: the bus of a card, or a switch."""
    found = []
    for line in range(pynvml.NVML_NVLINK_MAX_LINKS):
        if not _or(0, pynvml.nvmlDeviceGetNvLinkState, handle, line):
            continue
        kind = _or(None, pynvml.nvmlDeviceGetNvLinkRemoteDeviceType, handle, line)
        if kind == pynvml.NVML_NVLINK_DEVICE_TYPE_SWITCH:
            found.append(_SWITCH)
            continue
        pci = _or(None, pynvml.nvmlDeviceGetNvLinkRemotePciInfo, handle, line)
        if pci is not None:
            text = _text(pci.busId).lower()
            found.append(text[4:] if len(text) > 12 else text)
    return found


def _profiles(handle: Handle) -> tuple[Profile, ...]:
    """The sizes of instances that the card can be cut into, each with the places for it."""
    found = []
    for number in range(pynvml.NVML_GPU_INSTANCE_PROFILE_COUNT):
        info = _or(None, pynvml.nvmlDeviceGetGpuInstanceProfileInfo, handle, number)
        if info is None:
            continue
        places = _or((), pynvml.nvmlDeviceGetGpuInstancePossiblePlacements, handle, info.id)
        memory = int(info.memorySizeMB)
        slices = int(info.sliceCount)
        gigabytes = round(memory / 1024)
        found.append(
            Profile(
                name=f"{slices}g.{gigabytes}gb",
                memory_mib=memory,
                cores=-(-100 * slices // GPU_SLICES),
                slices=slices,
                places=tuple((int(each.start), int(each.size)) for each in places),
            )
        )
    return tuple({each.name: each for each in found}.values())


class _Watched:
    """An event set, and who is in it."""

    def __init__(self) -> None:
        self.set = pynvml.nvmlEventSetCreate()
        self.uuids: list[str] = []


def _watch() -> _Watched:
    watched = _Watched()
    for handle in _handles():
        supported = _or(0, pynvml.nvmlDeviceGetSupportedEventTypes, handle)
        watched.uuids.append(_text(pynvml.nvmlDeviceGetUUID(handle)))
        if supported & _WATCHED:
            pynvml.nvmlDeviceRegisterEvents(handle, supported & _WATCHED, watched.set)
    return watched


def _wait(watched: _Watched) -> CardEvent | None:
    """The next event; None where there was none for a while."""
    try:
        data = pynvml.nvmlEventSetWait_v2(watched.set, WAIT_MS)
    except pynvml.NVMLError as error:
        if error.value == pynvml.NVML_ERROR_TIMEOUT:
            return None
        if error.value == pynvml.NVML_ERROR_GPU_IS_LOST:
            return None  # which one, the look at each card says
        raise
    uuid = _text(_or("", pynvml.nvmlDeviceGetUUID, data.device))
    if data.eventType == pynvml.nvmlEventTypeXidCriticalError:
        return CardEvent(uuid, "xid", int(data.eventData), time.time())
    return CardEvent(uuid, "ecc", at=time.time())


def _unreachable(uuids: list[str]) -> set[str]:
    return {uuid for uuid in uuids if not _or(False, _answers, uuid)}


def _answers(uuid: str) -> bool:
    handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    pynvml.nvmlDeviceGetPciInfo(handle)
    return True


def _usage() -> tuple[CardUse, ...]:
    found = []
    for handle in _handles():
        memory = _or(None, pynvml.nvmlDeviceGetMemoryInfo, handle)
        rates = _or(None, pynvml.nvmlDeviceGetUtilizationRates, handle)
        found.append(
            CardUse(
                _text(pynvml.nvmlDeviceGetUUID(handle)),
                0 if memory is None else int(memory.used),
                0 if memory is None else int(memory.total),
                0 if rates is None else int(rates.gpu),
                0 if rates is None else int(rates.memory),
            )
        )
    return tuple(found)
