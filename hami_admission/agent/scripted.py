"""Cards from a YAML file: for demonstrations, development and tests.

    cards:
    - {uuid: GPU-0, name: A100-SXM4-80GB, memoryMiB: 81920, numa: 0}
    links:
    - {cards: [GPU-0, GPU-1], nvlinks: 12, level: single-switch}
    events:
    - {after: 30, card: GPU-0, kind: xid, code: 79}
    sick:
    - {card: GPU-1, kind: lost}

``events`` befall so many seconds after the start. ``sick`` lasts as long as it stands in the file,
which is read again when it changes: so a hand on the file makes a card sick, and well again.
The MIG instances that were made stand in a file beside it, ``….instances``.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Literal
from uuid import NAMESPACE_OID, uuid5

import msgspec
import yaml

from hami_admission.agent.driver import DriverError
from hami_admission.model.instance import Instance
from hami_admission.node.facts import (
    CardEvent,
    CardFacts,
    EventKind,
    Level,
    Load,
    ProfileFacts,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hami_admission.model.instance import Place

LOOK_SECONDS = 0.2

LEVELS = {level.name.lower().replace("_", "-"): level for level in Level}

Named = Literal[
    "same-board", "single-switch", "multi-switch", "host-bridge", "same-cpu", "cross-cpu"
]


class _Base(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is misspelt is said, not passed over."""


class _Profile(_Base, frozen=True):
    name: str
    memory_mib: int = msgspec.field(name="memoryMiB")
    multiprocessors: int
    slices: int
    instances: int
    places: tuple[tuple[int, int], ...]


class _Card(_Base, frozen=True):
    uuid: str
    name: str = "A100-SXM4-80GB"
    memory_mib: int | None = msgspec.field(name="memoryMiB", default=81920)
    numa: int | None = 0
    mig: bool = False
    profiles: tuple[_Profile, ...] = ()
    used_mib: int = msgspec.field(name="usedMiB", default=0)
    utilization: int = 0


class _Link(_Base, frozen=True):
    cards: tuple[str, str]
    nvlinks: int = 0
    level: Named = "cross-cpu"


class _Event(_Base, frozen=True):
    card: str | None
    kind: EventKind
    after: float = 0.0
    code: int = 0


class Script(_Base, frozen=True):
    """The file."""

    cards: tuple[_Card, ...] = ()
    links: tuple[_Link, ...] = ()
    events: tuple[_Event, ...] = ()
    sick: tuple[_Event, ...] = ()


def parse(text: str) -> Script:
    """Raises DriverError with the path of what is wrong."""
    try:
        return msgspec.convert(yaml.safe_load(text) or {}, Script)
    except (yaml.YAMLError, msgspec.ValidationError, RecursionError, ValueError) as error:
        raise DriverError(str(error)) from error


class Scripted:
    """A driver whose machine is a file."""

    def __init__(self, path: Path) -> None:
        """Raises DriverError where the file cannot be read."""
        self._path = path
        self._beside = path.with_name(f"{path.name}.instances")
        self._kept: tuple[Instance, ...] | None = None
        self._began = time.time()
        self._script, self._stamp = self._read()
        self._due = deque(sorted(self._script.events, key=lambda each: each.after))

    async def cards(self) -> tuple[CardFacts, ...]:
        """The cards of the file, numbered in its order."""
        self._renew()
        buses = {card.uuid: f"00000000:{n:02X}:00.0" for n, card in enumerate(self._script.cards)}
        return tuple(
            CardFacts(
                uuid=card.uuid,
                index=index,
                name=card.name,
                memory_mib=card.memory_mib,
                bus_id=buses[card.uuid],
                numa=card.numa,
                mig=card.mig,
                profiles=tuple(
                    ProfileFacts(**msgspec.structs.asdict(each)) for each in card.profiles
                ),
                instances=tuple(each for each in self._made() if each.place.card == card.uuid),
                paths=(f"/dev/card{index}",),
                levels=tuple((other, LEVELS[link.level]) for other, link in self._links(card.uuid)),
                nvlinks=tuple(
                    buses[other]
                    for other, link in self._links(card.uuid)
                    if other in buses
                    for _ in range(link.nvlinks)
                ),
            )
            for index, card in enumerate(self._script.cards)
        )

    async def events(self) -> AsyncIterator[CardEvent]:
        """Those of the file in their time, and what is sick for as long as it stands there."""
        while True:
            now = time.time()
            while self._due and self._due[0].after <= now - self._began:
                yield _told(self._due.popleft(), now)
            self._renew()
            for each in self._script.sick:
                yield _told(each, now)
            await asyncio.sleep(LOOK_SECONDS)

    async def usage(self) -> tuple[Load, ...]:
        """What the file says."""
        self._renew()
        return tuple(
            Load(
                uuid=card.uuid,
                memory_used=card.used_mib << 20,
                memory_size=None if card.memory_mib is None else card.memory_mib << 20,
                utilization=card.utilization,
            )
            for card in self._script.cards
        )

    async def make(self, place: Place) -> None:
        """The file names what each card can be cut into."""
        card = next((each for each in self._script.cards if each.uuid == place.card), None)
        profiles = () if card is None or not card.mig else card.profiles
        if not any(
            each.name == place.profile and (place.start, place.size) in each.places
            for each in profiles
        ):
            raise DriverError(f"{place}: the card cannot be cut so")
        there = self._made()
        if any(place.overlaps(each.place) for each in there):
            raise DriverError(f"{place}: insufficient resources")
        name = uuid5(NAMESPACE_OID, str(place))
        self._keep((*there, Instance(place, f"MIG-{name}", place.start, 0)))

    async def destroy(self, instance: Instance) -> None:
        """Nobody uses it."""
        self._keep(tuple(each for each in self._made() if each != instance))

    def _made(self) -> tuple[Instance, ...]:
        if self._kept is None:
            try:
                found = self._beside.read_bytes()
                self._kept = msgspec.json.decode(found, type=tuple[Instance, ...])
            except (OSError, msgspec.DecodeError):
                self._kept = ()
        return self._kept

    def _keep(self, made: tuple[Instance, ...]) -> None:
        """In memory alone where the file's folder cannot be written to, as that of a ConfigMap."""
        self._kept = made
        unfinished = self._beside.with_name(f"{self._beside.name}.unfinished")
        with suppress(OSError):
            unfinished.write_bytes(msgspec.json.encode(made))
            unfinished.replace(self._beside)

    async def close(self) -> None:
        """There is nothing to let go."""

    def _links(self, uuid: str) -> list[tuple[str, _Link]]:
        """The other ends of a card's links."""
        return [
            (each.cards[1 - each.cards.index(uuid)], each)
            for each in self._script.links
            if uuid in each.cards
        ]

    def _renew(self) -> None:
        """A file that is half written or wrong leaves everything as it was."""
        try:
            if self._path.stat().st_mtime_ns != self._stamp:
                self._script, self._stamp = self._read()
        except (DriverError, OSError):
            return

    def _read(self) -> tuple[Script, int]:
        try:
            stamp = self._path.stat().st_mtime_ns
            return parse(self._path.read_text(encoding="utf-8")), stamp
        except (OSError, UnicodeDecodeError, DriverError) as error:
            raise DriverError(f"{self._path}: {error}") from error


def _told(event: _Event, now: float) -> CardEvent:
    return CardEvent(event.card, event.kind, event.code, now)
