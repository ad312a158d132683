"""The cards of this machine, by NVIDIA's management library.

Its calls block, the one that waits for events for seconds; so each runs in a thread.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pynvml

from hami_admission.agent import nvml_mig
from hami_admission.agent.driver import DriverError
from hami_admission.agent.nvml_mig import either, text
from hami_admission.node import facts
from hami_admission.node.facts import (
    DOUBLE_BIT,
    CardEvent,
    CardFacts,
    EventKind,
    Level,
    Load,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hami_admission.agent.nvml_mig import Handle
    from hami_admission.model.instance import Instance, Place

T = TypeVar("T")

WAIT_MS = 5000
"""For an event; so long may an end of the process take."""

_WATCHED = pynvml.nvmlEventTypeXidCriticalError | pynvml.nvmlEventTypeDoubleBitEccError


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
        """Xid and double-bit errors as they happen; at each look, the cards that are lost."""
        watched = await _asked("events", _watch)
        try:
            while not self._closed:
                found = await _asked("events", lambda: _wait(watched))
                if found is not None:
                    yield found
                for uuid in await _asked("cards", lambda: _lost(watched.uuids)):
                    yield CardEvent(uuid, EventKind.LOST, 0, time.time())
        finally:
            await _asked("events", lambda: pynvml.nvmlEventSetFree(watched.set))

    async def usage(self) -> tuple[Load, ...]:
        """What is used of each card now."""
        return await _asked("usage", _usage)

    async def make(self, place: Place) -> None:
        """A GPU instance with one compute instance that has all of it."""
        await _asked(f"make {place}", lambda: nvml_mig.make(place))

    async def destroy(self, instance: Instance) -> None:
        """Both; the library refuses while a process uses it."""
        await _asked(f"destroy {instance.place}", lambda: nvml_mig.destroy(instance))

    async def close(self) -> None:
        """Let the library go, once nobody waits in it."""
        self._closed = True
        await _asked("nvmlShutdown", pynvml.nvmlShutdown)


async def _asked(what: str, question: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(question)
    except pynvml.NVMLError as error:
        raise DriverError(f"{what}: {error}") from error


def _handles() -> list[Handle]:
    """A card that is lost has none."""
    count = pynvml.nvmlDeviceGetCount()
    found = [either(None, pynvml.nvmlDeviceGetHandleByIndex, n) for n in range(count)]
    return [handle for handle in found if handle is not None]


def _cards() -> tuple[CardFacts, ...]:
    handles = _handles()
    return tuple(_card(index, handle, handles) for index, handle in enumerate(handles))


def _uuid(handle: Handle) -> str:
    return text(pynvml.nvmlDeviceGetUUID(handle))


def _bus(handle: Handle) -> str:
    return text(pynvml.nvmlDeviceGetPciInfo(handle).busId)


def _card(index: int, handle: Handle, handles: list[Handle]) -> CardFacts:
    memory = either(None, pynvml.nvmlDeviceGetMemoryInfo, handle)
    mig = bool(either((0, 0), pynvml.nvmlDeviceGetMigMode, handle)[0])
    remotes = _remotes(handle)
    return CardFacts(
        uuid=_uuid(handle),
        index=index,
        name=text(pynvml.nvmlDeviceGetName(handle)),
        memory_mib=None if memory is None else int(memory.total) >> 20,
        bus_id=_bus(handle),
        numa=_numa(_bus(handle)),
        mig=mig,
        profiles=nvml_mig.profiles(handle) if mig else (),
        instances=nvml_mig.instances(handle) if mig else (),
        paths=(f"/dev/nvidia{either(index, pynvml.nvmlDeviceGetMinorNumber, handle)}",),
        levels=tuple(
            (_uuid(other), _level(handle, other))
            for other in handles
            if _uuid(other) != _uuid(handle)
        ),
        nvlinks=tuple(bus for bus in remotes if bus),
        switch_links=sum(not bus for bus in remotes),
    )


def _numa(bus: str) -> int | None:
    """The kernel says -1 where it knows none."""
    try:
        found = int(Path(f"/sys/bus/pci/devices/{facts.sysfs_name(bus)}/numa_node").read_text())
    except (OSError, ValueError):
        return None
    return found if found >= 0 else None


def _level(handle: Handle, other: Handle) -> Level:
    ancestor = pynvml.nvmlDeviceGetTopologyCommonAncestor
    return Level(either(Level.CROSS_CPU, ancestor, handle, other))


def _remotes(handle: Handle) -> list[str]:
    """The bus id at the far end of each active NVLink; empty where that is a switch."""
    found = []
    for line in range(pynvml.NVML_NVLINK_MAX_LINKS):
        if not either(0, pynvml.nvmlDeviceGetNvLinkState, handle, line):
            continue
        kind = either(None, pynvml.nvmlDeviceGetNvLinkRemoteDeviceType, handle, line)
        if kind == pynvml.NVML_NVLINK_DEVICE_TYPE_SWITCH:
            found.append("")
            continue
        pci = either(None, pynvml.nvmlDeviceGetNvLinkRemotePciInfo, handle, line)
        if pci is not None:
            found.append(text(pci.busId))
    return found


class _Watched:
    """An event set, and who is in it."""

    def __init__(self) -> None:
        self.set = pynvml.nvmlEventSetCreate()
        self.uuids: list[str] = []


def _watch() -> _Watched:
    watched = _Watched()
    for handle in _handles():
        supported = either(0, pynvml.nvmlDeviceGetSupportedEventTypes, handle)
        watched.uuids.append(_uuid(handle))
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
    name = either(None, pynvml.nvmlDeviceGetUUID, data.device)
    uuid = None if name is None else text(name)
    if data.eventType == pynvml.nvmlEventTypeXidCriticalError:
        return CardEvent(uuid, EventKind.XID, int(data.eventData), time.time())
    return CardEvent(uuid, EventKind.ECC, DOUBLE_BIT, time.time())


def _lost(uuids: list[str]) -> list[str]:
    return [uuid for uuid in uuids if not either(False, _answers, uuid)]


def _answers(uuid: str) -> bool:
    pynvml.nvmlDeviceGetPciInfo(pynvml.nvmlDeviceGetHandleByUUID(uuid))
    return True


def _usage() -> tuple[Load, ...]:
    return tuple(_load(handle) for handle in _handles())


def _load(handle: Handle) -> Load:
    memory = either(None, pynvml.nvmlDeviceGetMemoryInfo, handle)
    rates = either(None, pynvml.nvmlDeviceGetUtilizationRates, handle)
    return Load(
        uuid=_uuid(handle),
        memory_used=None if memory is None else int(memory.used),
        memory_size=None if memory is None else int(memory.total),
        utilization=None if rates is None else int(rates.gpu),
        memory_utilization=None if rates is None else int(rates.memory),
        processes=_processes(handle),
    )


def _processes(handle: Handle) -> dict[int, tuple[int | None, int | None]]:
    """Memory and time at work of each, by the node's numbers."""
    running = either((), pynvml.nvmlDeviceGetComputeRunningProcesses, handle)
    samples = either((), pynvml.nvmlDeviceGetProcessUtilization, handle, 0)
    newest = {each.pid: each for each in sorted(samples, key=lambda each: each.timeStamp)}
    work = {pid: int(each.smUtil) for pid, each in newest.items()}
    return {each.pid: (each.usedGpuMemory, work.get(each.pid)) for each in running}
