"""The whole state as a file, without secrets: to explain and to replay where nothing runs.

Of pods it has what decisions read: names, requests, wishes, cards; no environment, no labels, no
annotations of others. Quotas are as the ledger has them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from hami_admission.cluster import events, records
from hami_admission.cluster.bookings import Booking
from hami_admission.cluster.records import Record
from hami_admission.cluster.state import Cluster
from hami_admission.cluster.waiting import Refused
from hami_admission.model.amounts import Amounts
from hami_admission.model.device import Device, Rows
from hami_admission.model.node import Handover, Node
from hami_admission.model.quota import Quota
from hami_admission.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hami_admission.vendors.table import Vendors

VERSION = 1


class Damaged(ValueError):
    """A file that is no snapshot, or one of another version."""


class Waiting(msgspec.Struct, frozen=True):
    """A pod that was refused."""

    uid: str
    refused: Refused


class Snapshot(msgspec.Struct, frozen=True):
    """The state at unix second ``taken``; ``missing`` is what was not listed then."""

    version: int
    taken: float
    missing: Sequence[str]
    settings: Settings
    nodes: Sequence[Node]
    pods: Sequence[Record]
    quotas: Sequence[Quota]
    bookings: Sequence[Booking]
    waiting: Sequence[Waiting]
    nominations: Sequence[Booking] = ()


class _Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """A node whose pair scores stand once, not on each card; ``until`` None is for ever."""

    name: str
    devices: dict[str, tuple[Device, ...]] = {}
    links: dict[str, Rows] = {}
    mistakes: dict[str, str] = {}
    until: float | None = None
    handovers: dict[str, Handover] = {}


class _File(msgspec.Struct, frozen=True):
    version: int = 0
    taken: float = 0.0
    missing: list[str] = []
    settings: Settings = Settings()
    nodes: list[_Node] = []
    pods: list[Record] = []
    quotas: list[Quota] = []
    bookings: list[Booking] = []
    waiting: list[Waiting] = []
    nominations: list[Booking] = []


def take(cluster: Cluster, now: float) -> Snapshot:
    """The state now; cheap, for it only refers to values that never change."""
    return Snapshot(
        VERSION,
        now,
        cluster.missing(),
        cluster.settings,
        tuple(cluster.nodes()),
        tuple(cluster.records()),
        tuple(quota for name in cluster.quotas.namespaces() for quota in cluster.quotas.of(name)),
        tuple(cluster.bookings),
        tuple(Waiting(uid, refused) for uid, refused in cluster.waiting),
        tuple(cluster.nominations),
    )


def restore(snapshot: Snapshot) -> Cluster:
    """A cluster that decides as the one did that was taken."""
    cluster = Cluster(snapshot.settings)
    cluster.restore(snapshot.nodes, snapshot.pods)
    for quota in snapshot.quotas:
        cluster.apply(events.QuotaSeen(quota), snapshot.taken)
    for each in snapshot.bookings:
        cluster.bookings.book(each.pod, each.demand, each.node, each.placement, each.until)
    for waiting in snapshot.waiting:
        cluster.waiting.refuse(waiting.uid, waiting.refused)
    for each in snapshot.nominations:
        cluster.nominations.keep(each)
    return cluster


def encode(snapshot: Snapshot, vendors: Vendors) -> bytes:
    """JSON; object by object, so that a thread that does it lets others go on."""

    def bare(each: Any) -> Any:
        return msgspec.structs.replace(each, pod=records.bare(each.pod, vendors))

    head = {
        "version": snapshot.version,
        "taken": snapshot.taken,
        "missing": snapshot.missing,
        "settings": snapshot.settings,
    }
    parts = (
        _listed(b"nodes", snapshot.nodes, _to_file),
        _listed(b"pods", snapshot.pods, bare),
        _listed(b"quotas", snapshot.quotas, lambda quota: quota),
        _listed(b"bookings", snapshot.bookings, bare),
        _listed(b"waiting", snapshot.waiting, lambda waiting: waiting),
        _listed(b"nominations", snapshot.nominations, bare),
    )
    return b",".join((_ENCODER.encode(head)[:-1], *parts)) + b"}"


def decode(body: bytes) -> Snapshot:
    """What was encoded; raises Damaged with what is wrong."""
    try:
        found = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise Damaged(f"not a snapshot of hami-admission: {error}") from error
    if found.version != VERSION:
        raise Damaged(f"a snapshot of version {found.version}; this program reads {VERSION}")
    return Snapshot(
        found.version,
        found.taken,
        found.missing,
        found.settings,
        [_from_file(node) for node in found.nodes],
        found.pods,
        found.quotas,
        found.bookings,
        found.waiting,
        found.nominations,
    )


def _to_file(node: Node) -> _Node:
    devices = {
        word: tuple(msgspec.structs.replace(device, links=()) for device in each)
        for word, each in node.devices.items()
    }
    links = {word: each[0].links for word, each in node.devices.items() if each}
    until = None if node.until == math.inf else node.until
    return _Node(node.name, devices, links, node.mistakes, until, node.handovers)


def _from_file(node: _Node) -> Node:
    devices = {
        word: tuple(
            msgspec.structs.replace(device, links=node.links.get(word, ())) for device in each
        )
        for word, each in node.devices.items()
    }
    until = math.inf if node.until is None else node.until
    return Node(node.name, devices, node.mistakes, until, node.handovers)


def _listed(name: bytes, items: Iterable[Any], form: Callable[[Any], Any]) -> bytes:
    return b'"%s":[%s]' % (name, b",".join(_ENCODER.encode(form(each)) for each in items))


def _to_json(value: object) -> object:
    """Amounts are lists of [key, value], for their keys may be pairs."""
    assert isinstance(value, Amounts)
    return list(value.items())


def _of_json(_: type, value: Any) -> Any:
    return Amounts({tuple(key) if isinstance(key, list) else str(key): int(n) for key, n in value})


_ENCODER = msgspec.json.Encoder(enc_hook=_to_json)
_DECODER = msgspec.json.Decoder(_File, dec_hook=_of_json)
