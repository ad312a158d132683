"""List and watch of one kind of object, without I/O: bytes in; signals and the next request out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.kube import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = 250
"""Objects per page of a list: some milliseconds of decoding, then others have their turn."""

PAGE_BYTES = 16 << 20
"""Of one page: an object may have 1.5 MiB in etcd, and a user make as many as he likes."""

WATCH_SECONDS = 290
"""After which the API server ends a watch and we go on where it stopped; its own is 5 to 10 min."""


class Listing(msgspec.Struct, frozen=True):
    """A list begins; what is not among the objects until ``Listed`` is gone."""


class Seen(msgspec.Struct, frozen=True):
    """An object as it is now; ``version`` is 0 for one of a list, which is of no moment."""

    body: msgspec.Raw
    version: int = 0


class Removed(msgspec.Struct, frozen=True):
    """An object as it was when it was deleted."""

    body: msgspec.Raw
    version: int = 0


class Reached(msgspec.Struct, frozen=True):
    """Nothing else happened up to this version (a bookmark)."""

    version: int


class Listed(msgspec.Struct, frozen=True):
    """The list is complete, as of this version; from here on changes are told as they happen."""

    version: int = 0


Signal = Listing | Seen | Removed | Reached | Listed


class _ListMeta(msgspec.Struct):
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    next: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Versioned(msgspec.Struct):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    code: int = 0
    message: str = ""


_LIST = msgspec.json.Decoder(_List)
_EVENT = msgspec.json.Decoder(_Event)
_VERSIONED = msgspec.json.Decoder(_Versioned)


class Reflector:
    """Where we are in the stream of one kind; ``version`` is None until a list is complete."""

    def __init__(self, path: str, selector: str = "") -> None:
        self.path = path
        self.version: str | None = None
        self._selector = {"fieldSelector": selector} if selector else {}
        self._next = ""
        self._limit = PAGE

    @property
    def listing(self) -> bool:
        """Must the next request list (and not watch)?"""
        return self.version is None

    def query(self) -> Mapping[str, str]:
        """The next request's query."""
        if self.version is None:
            more = {"continue": self._next} if self._next else {}
            return {**self._selector, "limit": str(self._limit), **more}
        return {
            **self._selector,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }

    def page(self, body: bytes) -> list[Signal]:
        """The signals of one page; the first and the last of a list are marked."""
        first = not self._next
        self._limit = min(self._limit * 2, PAGE)
        found = _LIST.decode(body)
        self._next = found.metadata.next
        if not self._next:
            self.version = found.metadata.resource_version
        return [
            *([Listing()] if first else []),
            *(Seen(item) for item in found.items or ()),
            *([] if self._next else [Listed(_number(self.version))]),
        ]

    @property
    def most(self) -> int | None:
        """Bytes of a page; one object is taken however long it is."""
        return PAGE_BYTES if self._limit > 1 else None

    def shorten(self) -> None:
        """The page was too long: ask for a quarter of it; the pages after it grow again."""
        self._limit = max(self._limit // 4, 1)

    def line(self, line: bytes) -> Signal:
        """The signal of one line of a watch; raises Gone when we must list again."""
        event = _EVENT.decode(line)
        about = _VERSIONED.decode(event.object)
        if event.type == "ERROR":
            raise errors.of(about.code, about.message)
        before = _number(self.version)
        self.version = about.metadata.resource_version or self.version
        version = _number(self.version)
        if version < before:
            raise errors.Gone(410, f"versions went back from {before} to {version}")
        if event.type in {"ADDED", "MODIFIED"}:
            return Seen(event.object, version)
        return Removed(event.object, version) if event.type == "DELETED" else Reached(version)

    def probe(self) -> Mapping[str, str]:
        """The query of a list that is asked for its version alone."""
        return {**self._selector, "limit": "1"}

    def probed(self, body: bytes) -> None:
        """Lists again if that version is before ours: etcd was restored from a backup.

        A watch from a version that is yet to come says nothing until it has come, and forgets what
        happened before.
        """
        if _number(_LIST.decode(body).metadata.resource_version) < _number(self.version):
            self.restart()

    def restart(self) -> None:
        """List again from the beginning."""
        self.version, self._next = None, ""


def _number(version: str | None) -> int:
    """Versions are numbers of etcd; the API says so since Kubernetes 1.35."""
    return int(version) if version is not None and version.isdecimal() else 0
