"""All families at once: nodes of each, stand-ins of their device plugins, and pods of all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hami_admission.model import grant as grants_of
from hami_admission.model.pod import Kind
from hami_admission.settings import Settings
from hami_admission.vendors import table
from hami_admission.wire import keys
from tests import build
from tests.cluster import hami
from tests.cluster.api import Api, wait
from tests.cluster.kinds import KINDS
from tests.cluster.others import Other, running
from tests.cluster.test_placement import placed
from tests.cluster.test_quota import create
from tests.vendors import family, samples

if TYPE_CHECKING:
    from hami_admission.vendors.vendor import Vendor
    from hami_admission.wire.nodes import NodeFacts
    from tests.cluster.product import Product

Json = dict[str, Any]

VENDORS = {vendor.word: vendor for vendor in table.build(Settings())}
CARDS = 8


def node_name(word: str) -> str:
    """Of the family's node."""
    return f"n-{word.lower()}"


def facts(word: str) -> NodeFacts:
    """Its node; NVIDIA's has HAMi's device plugin."""
    found = samples.SAMPLES[word].facts(node_name(word), CARDS)
    if word == "NVIDIA":
        found.annotations[keys.NVIDIA_HANDSHAKE] = hami.REPORTED
    return found


def lock(word: str) -> str:
    """The annotation of the lock under which the family's pods are handed over."""
    handover = VENDORS[word].inventory(facts(word)).handover
    return handover.lock if handover else ""


LOCKED = [word for word in VENDORS if lock(word)]


def ended(word: str) -> dict[str, str]:
    """What the plugin writes on a pod that it has served."""
    if word == "MLU":
        return {keys.CAMBRICON_ASSIGNED: "true", keys.CAMBRICON_ASSIGHED: "true"}
    if word == "Volcano":
        return {"volcano.sh/bind-phase": "success"}
    return {keys.BIND_PHASE: keys.BIND_PHASE_SUCCESS}


def plugin(word: str) -> Other:
    """The stand-in of the family's device plugin."""
    waits = {"true": "false", "success": "allocating"}
    queue = next((key for key in decided(word)[1] if key.endswith("-devices-to-allocate")), "")
    return Other(
        word,
        [node_name(word)],
        queue,
        lock(word),
        nameless=word == "MLU",
        waits={key: waits[value] for key, value in ended(word).items()},
        done=ended(word),
    )


def decided(word: str) -> tuple[grants_of.PodGrants, dict[str, str]]:
    """Grants and annotations of a pod with the first of the sample's limits on the empty node."""
    vendor = VENDORS[word]
    found = family.place(vendor, family.cards(vendor, facts(word)), samples.SAMPLES[word].limits[0])
    assert not isinstance(found, str), found
    return found


def sizes(grants: grants_of.PodGrants) -> list[tuple[int, int, int]]:
    """MiB, cores and places of each card."""
    return [(each.memory_mib, each.cores, each.slots) for slot in grants for each in slot]


def pod(word: str, number: int, namespace: str) -> Json:
    """A pod of that family."""
    limits = samples.SAMPLES[word].limits[0]
    name = f"{word.lower()}-{number}"
    return build.pod_json(build.container(limits=limits), name=name, namespace=namespace)


def cards_of(vendor: Vendor, found: Json) -> grants_of.PodGrants:
    """What stands on the pod."""
    return grants_of.seated((Kind.APP,), (True,), vendor.recall(found["metadata"]["annotations"]))


async def test_pods_of_all_families_come_to_their_cards_and_their_plugins(
    product: Product, api: Api, namespace: str
) -> None:
    """Two pods of each: where there is a lock, the second waits for the first."""
    assert len(LOCKED) >= 10
    for word in VENDORS:
        given = facts(word)
        extra = {name: str(amount) for name, amount in (given.capacity or {}).items()}
        await api.add_node(given.name, given.labels, given.annotations, extra)
    names = [(word, f"{word.lower()}-{n}") for word in VENDORS for n in range(2)]
    with running(product.plane, *map(plugin, LOCKED)):
        await asyncio.gather(
            *(create(api, pod(word, n, namespace)) for word in VENDORS for n in range(2))
        )
        pods = await asyncio.gather(*(placed(api, namespace, name) for _, name in names))
        for word, name in names:
            if word in LOCKED:
                await served(api, namespace, name, ended(word))
    for (word, _), found in zip(names, pods, strict=True):
        wanted, annotations = decided(word)
        assert found["spec"]["nodeName"] == node_name(word), word
        assert sizes(cards_of(VENDORS[word], found)) == sizes(wanted), word
        assert annotations.keys() <= found["metadata"]["annotations"].keys(), word
    for word in LOCKED:
        node = await api.get(KINDS["Node"].path(name=node_name(word)))
        assert lock(word) not in node["metadata"]["annotations"]


async def served(api: Api, namespace: str, name: str, done: dict[str, str]) -> None:
    """Until the plugin has said so."""

    async def ask() -> bool:
        found = await api.get(KINDS["Pod"].path(namespace, name))
        return bool(done.items() <= found["metadata"]["annotations"].items())

    await wait(ask, f"{name} served", 30)
