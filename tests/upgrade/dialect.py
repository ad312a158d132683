"""Each format written and read by whichever version of the product this file is run with.

The tests import it, with this tree; and run it as a program with the code of the release, line by
line: a question is ``[function, argument]``, the answer JSON. Nothing of the tests is imported, for
those would be of the other version.
"""

from __future__ import annotations

import base64
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import hami_admission
from hami_admission import settings as settings_of
from hami_admission.admission import admit as admission
from hami_admission.admission import changes
from hami_admission.cluster import events, records, snapshot
from hami_admission.cluster.state import Cluster
from hami_admission.model.amounts import Amounts
from hami_admission.model.device import Device, Rows
from hami_admission.model.grant import PodGrants
from hami_admission.model.instance import Instance
from hami_admission.model.quota import Hold, Quota
from hami_admission.node import region, response, sources
from hami_admission.placement import decision
from hami_admission.settings import Settings
from hami_admission.wire import (
    details,
    grants,
    handshakes,
    instances,
    keys,
    locks,
    nodes,
    pods,
    quotas,
    registers,
    reservations,
)
from hami_admission.wire.instances import Answer, Wanted
from hami_admission.wire.locks import Lock

if TYPE_CHECKING:
    from collections.abc import Callable

Json = Any

HOUR = 3600


def _plain(value: object) -> Json:
    """As JSON has it, which knows no infinity; sets in order."""
    return msgspec.json.decode(msgspec.json.encode(value, enc_hook=_amounts, order="deterministic"))


def _amounts(value: object) -> object:
    assert isinstance(value, Amounts)
    return sorted(([key, each] for key, each in value.items()), key=str)


def _of_amounts(_: type, value: Any) -> Any:
    return Amounts({tuple(key) if isinstance(key, list) else key: each for key, each in value})


def _noun(value: Json, shape: Any) -> Any:
    return msgspec.convert(value, shape, dec_hook=_of_amounts)


# What a pod was given, by its annotations.


def write_grants(value: Json) -> Json:
    """Upstream's text, and ours with what it has no place for."""
    found = _noun(value, PodGrants)
    return [grants.encode(found), details.encode(found)]


def read_grants(texts: Json) -> Json:
    """The grants."""
    found = grants.decode(texts[0])
    return _plain(details.decode(texts[1], found) if texts[1] else found)


def write_instances(value: Json) -> Json:
    """Grants that are instances: upstream's text and the reservations; ``made`` are those that
    exist already."""
    found, made = _noun(value["grants"], PodGrants), _noun(value["made"], tuple[Instance, ...])
    return [grants.encode(found), reservations.encode(found, {each.place: each for each in made})]


def read_instances(texts: Json) -> Json:
    """The grants, and what is said of their instances."""
    found = reservations.decode(texts[1], grants.decode(texts[0]))
    return _plain([found, reservations.read(texts[1])])


# What stands on a node.


def write_register(value: Json) -> Json:
    """Cards as the agent registers them."""
    return registers.encode(_noun(value, tuple[Device, ...]))


def read_register(text: Json) -> Json:
    """The cards."""
    return _plain(registers.decode(text))


def write_links(value: Json) -> Json:
    """Pair scores of cards."""
    uuids, rows = _noun(value, tuple[tuple[str, ...], Rows])
    return [registers.encode_scores(uuids, rows), uuids]


def read_links(told: Json) -> Json:
    """The scores."""
    return _plain(registers.decode_scores(told[0], tuple(told[1])))


def read_handshake(text: Json) -> Json:
    """Until when the node counts as served; None is for ever."""
    until = handshakes.deadline(text)
    return None if until == math.inf else until


def write_lock(value: Json) -> Json:
    """A node's lock."""
    return locks.encode(_noun(value, Lock))


def read_lock(text: Json) -> Json:
    """Who has it since when."""
    return _plain(locks.decode(text))


def write_wanted(value: Json) -> Json:
    """What the binder asks of the agent, for the pod of uid ``u``."""
    return {instances.wanted_key("u"): instances.encode_wanted(_noun(value, Wanted))}


def read_wanted(notes: Json) -> Json:
    """What is asked."""
    return _plain(instances.all_wanted(notes)["u"])


def write_answer(value: Json) -> Json:
    """What the agent answers."""
    return instances.encode_answer(_noun(value, Answer))


def read_answer(text: Json) -> Json:
    """The answer."""
    return _plain(instances.decode_answer(text))


# Quotas.


def write_holds(value: Json) -> Json:
    """The annotation of the ResourceQuota."""
    return quotas.encode_holds(_noun(value, dict[str, Hold]))


def read_holds(text: Json) -> Json:
    """The holds by pod."""
    return _plain(quotas.decode_holds(text))


def write_quota(value: Json) -> Json:
    """The patch of a status: usage, holds, and up to where it was counted."""
    return quotas.patch(_noun(value, Quota)).decode()


def read_quota(text: Json) -> Json:
    """What the patched object says."""
    patch = msgspec.json.decode(text)
    notes = {key: each for key, each in patch["metadata"]["annotations"].items() if each}
    document = {"metadata": {"name": "q", "annotations": notes}, "status": patch["status"]}
    found = quotas.decode(msgspec.json.encode(document))
    return _plain([found.used, found.holds, found.counted])


# Usage regions: the library's format, in files that one agent leaves to the next.


def write_region(value: Json) -> Json:
    """A region with what the agent writes into it: ``file`` in base64, ``recent``, ``switch``."""
    data = bytearray(base64.b64decode(value["file"]))
    found = region.read(bytes(data))
    assert found is not None
    for each in (
        region.set_recent_kernel(found, value["recent"]),
        region.set_utilization_switch(found, value["switch"]),
    ):
        data[each.offset : each.offset + len(each.data)] = each.data
    return base64.b64encode(data).decode()


def read_region(text: Json) -> Json:
    """What it says."""
    return _plain(region.read(base64.b64decode(text)))


def folder(devices: Json) -> Json:
    """Where the region of who has these devices lies."""
    return response.folder(devices)


# Settings.


SINCE = {"reviewSenders": "any", "reviewAuthority": "", "moreSchedulerNames": []}
"""Settings that the release has not, and what it does."""


def write_settings(value: Json) -> Json:
    """The file with all of them that both know, and others that are set."""
    found = _plain(settings_of.from_mapping(value))
    return {name: each for name, each in found.items() if SINCE.get(name) != each}


def read_settings(value: Json) -> Json:
    """The same; raises Mistakes."""
    return write_settings(value)


def read_agent_settings(files: Json) -> Json:
    """The options of node ``n1`` and what has no effect: device-config.yaml and config.json."""
    found = sources.read(
        device_config=files[0], node_config=files[1], environment={"NODE_NAME": "n1"}
    )
    return [_plain(found.options), list(found.notes)]


# Snapshots.


def write_snapshot(text: Json) -> Json:
    """A snapshot of a state that was itself made of one."""
    cluster = snapshot.restore(snapshot.decode(text.encode()))
    return snapshot.encode(snapshot.take(cluster, 7), cluster.vendors).decode()


def read_snapshot(text: Json) -> Json:
    """Its parts, in any order."""
    found = snapshot.decode(text.encode())
    parts = (found.nodes, found.pods, found.quotas, found.bookings, found.waiting)
    return [
        sorted((_plain(each) for each in part), key=str) for part in (*parts, found.nominations)
    ]


# A pod on its way: each step by one version, the next by the other.


def admit(document: Json) -> Json:
    """The pod as the mutating webhook leaves it."""
    found = Cluster(Settings()).admit(pods.decode(msgspec.json.encode(document)))
    assert (found.untouched, found.objections) == ("", ()), found
    return changes.apply(document, changes.operations(found.changes))


def undone(document: Json) -> Json:
    """What the validating webhook complains of, in a pod that was mutated."""
    found = Cluster(Settings()).admit(pods.decode(msgspec.json.encode(document)))
    complaint = admission.undone(found)
    return [_plain(found.objections), _plain(complaint)]


def place(asked: Json) -> Json:
    """``pod`` with the annotations of its Binding to ``node``, or None where it does not fit."""
    cluster = _cluster(asked["node"])
    pod = pods.decode(msgspec.json.encode(asked["pod"]))
    cluster.apply(events.PodSeen(pod), 0)
    demand = cluster.demand(pod)
    assert demand is not None
    cluster.plan(pod, demand, [asked["node"]["metadata"]["name"]], 0)
    booking = cluster.bookings.get(pod.uid)
    if booking is None:
        return None
    site = decision.Site(
        booking.node,
        HOUR,
        cluster.usage()[booking.node].cards,
        containers=tuple(each.name for each in pod.containers),
    )
    notes = decision.notes(site, demand, booking.placement.grants, cluster.vendors)
    metadata = asked["pod"]["metadata"]
    metadata = {**metadata, "annotations": {**metadata.get("annotations", {}), **notes}}
    spec = {**asked["pod"]["spec"], "nodeName": booking.node}
    return {**asked["pod"], "metadata": metadata, "spec": spec}


def record(asked: Json) -> Json:
    """What a process that starts finds of a bound pod: cards, what it holds and costs."""
    cluster = _cluster(asked["node"])
    cluster.apply(events.PodSeen(pods.decode(msgspec.json.encode(asked["pod"]))), 0)
    (found,) = cluster.records()
    assert isinstance(found, records.Record)
    return _plain([found.requests, found.grants, found.held, found.amounts])


def _cluster(node: Json) -> Cluster:
    made = Cluster(Settings())
    made.apply(events.NodeSeen(nodes.decode(msgspec.json.encode(node))), 0)
    return made


def reserved(names: Json) -> Json:
    """Those of these annotations that only a Binding may bring."""
    return [name for name in names if keys.reserved(name)]


def serve() -> None:
    """Answers each line."""
    for line in sys.stdin:
        function, argument = msgspec.json.decode(line)
        try:
            answer = {"answer": FUNCTIONS[function](argument)}
        except Exception as error:  # noqa: BLE001 - the other side raises it
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
        sys.stdout.flush()


def version(_: Json) -> Json:
    """Of the code that answers, and where it lies."""
    return [hami_admission.__version__, str(Path(hami_admission.__file__).parents[1])]


FUNCTIONS: dict[str, Callable[[Json], Json]] = {
    name: each
    for name, each in list(globals().items())
    if callable(each) and getattr(each, "__module__", "") == __name__ and name[0] != "_"
}

if __name__ == "__main__":
    serve()
