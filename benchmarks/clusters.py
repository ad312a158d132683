"""The clusters that the benchmarks measure: nodes of 8 cards wired two by four, ten pods each."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec

from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.model.grant import Grant
from hami_admission.settings import Settings
from hami_admission.wire import grants, keys, nodes, registers
from tests import build
from tests.vendors import family, samples

if TYPE_CHECKING:
    from hami_admission.model.pod import Pod

CARDS = 8
PODS_PER_NODE = 10

LINKS = tuple(tuple(110 if a // 4 == b // 4 else 10 for b in range(CARDS)) for a in range(CARDS))


def node(name: str) -> nodes.NodeFacts:
    """A node with 8 A100-80G in two islands."""
    devices = tuple(build.device(index, node=name) for index in range(CARDS))
    uuids = tuple(device.uuid for device in devices)
    notes = {
        keys.NVIDIA_REGISTER: registers.encode(devices),
        keys.NVIDIA_SCORES: registers.encode_scores(uuids, LINKS),
    }
    return nodes.NodeFacts(name, notes)


def node_json(name: str) -> build.Json:
    """The same as the API server has it, with what else stands in a Node of a real cluster."""
    facts = node(name)
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {"name": name, "annotations": facts.annotations, "labels": _LABELS},
        "status": {
            "allocatable": {"cpu": "96", "memory": "1Ti", "pods": "110"},
            "capacity": {"cpu": "96", "memory": "1Ti", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True", "message": "x" * 80}] * 5,
            "images": [{"names": [f"example.org/image:{n}"], "sizeBytes": n} for n in range(30)],
        },
    }


_LABELS = {f"example.org/label-{n}": "value" for n in range(20)}


def bound_json(name: str, place: int) -> build.Json:
    """A pod on that node as the API server has it, with a share of one of its cards."""
    limits = build.gpu(1, memory=7000 + 100 * (place % 8), cores=10)
    taken = ((Grant(f"GPU-{name}-{place % CARDS}", "NVIDIA", limits["nvidia.com/gpumem"], 10),),)
    env = [{"name": f"VARIABLE_{n}", "value": "a value of some length"} for n in range(20)]
    return build.pod_json(
        build.container(limits=limits, env=env),
        name=f"{name}-{place}",
        namespace=f"team-{place % 10}",
        uid=f"{name}-{place}",
        nodeName=name,
        annotations={
            keys.NVIDIA_ALLOCATED: grants.encode(taken),
            keys.NVIDIA_TO_ALLOCATE: grants.encode(taken),
            keys.ASSIGNED_NODE: name,
            keys.BIND_PHASE: keys.BIND_PHASE_SUCCESS,
        },
    )


def bound(name: str, place: int) -> Pod:
    """That pod, decoded."""
    return build.noun(bound_json(name, place))


def full(count: int) -> Cluster:
    """A cluster of that many nodes, each with its pods."""
    made = Cluster(Settings())
    for number in range(count):
        made.apply(events.NodeSeen(node(f"node-{number}")), 0)
    for number in range(count):
        for place in range(PODS_PER_NODE):
            made.apply(events.PodSeen(bound(f"node-{number}", place)), 0)
    for kind in events.Kind:
        keys_of = {
            events.Kind.PODS: frozenset(
                f"node-{number}-{place}"
                for number in range(count)
                for place in range(PODS_PER_NODE)
            ),
            events.Kind.NODES: frozenset(f"node-{number}" for number in range(count)),
        }
        made.apply(events.Listed(kind, keys_of.get(kind, frozenset())), 0)
    return made


def mixed(count: int) -> Cluster:
    """Every other node has NVIDIA cards and ten pods, the others those of all families in turn.

    On those is one pod each, with the first limits of the family's sample.
    """
    made = Cluster(Settings())
    vendors = [vendor for vendor in made.vendors if vendor.word != "NVIDIA"]
    names = [f"node-{number}" for number in range(count)]
    pods = []
    for number, name in enumerate(names):
        if number % 2 == 0:
            made.apply(events.NodeSeen(node(name)), 0)
            pods += [bound(name, place) for place in range(PODS_PER_NODE)]
            continue
        vendor = vendors[number // 2 % len(vendors)]
        sample = samples.SAMPLES[vendor.word]
        facts = sample.facts(name, CARDS)
        made.apply(events.NodeSeen(facts), 0)
        found = family.place(vendor, family.cards(vendor, facts), sample.limits[0])
        assert not isinstance(found, str), found
        container = build.container(limits=sample.limits[0])
        pods.append(build.pod(container, name=name, uid=name, nodeName=name, annotations=found[1]))
    for pod in pods:
        made.apply(events.PodSeen(pod), 0)
    seen = {events.Kind.PODS: [pod.uid for pod in pods], events.Kind.NODES: names}
    for kind in events.Kind:
        made.apply(events.Listed(kind, frozenset(seen.get(kind, ()))), 0)
    return made


def question(uid: str, limits: build.Json, count: int, annotations: dict[str, str]) -> bytes:
    """The body of /filter, about all nodes."""
    pod = build.pod_json(build.container(limits=limits), name=uid, uid=uid, annotations=annotations)
    return msgspec.json.encode({"Pod": pod, "NodeNames": _names(count)})


@cache
def _names(count: int) -> list[str]:
    return [f"node-{number}" for number in range(count)]
