"""What every table of a family asks: what does a container ask, which cards does it get, and what
stands on the pod then?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hami_admission.admission import admit, changes
from hami_admission.model.card import Card
from hami_admission.model.grant import PodGrants, of_slot
from hami_admission.model.verdict import Unfit
from hami_admission.model.wishes import Wishes
from hami_admission.placement import decision, fit, usage
from hami_admission.placement import pod as pods
from hami_admission.placement import wishes as wishes_of
from hami_admission.settings import Settings
from hami_admission.vendors import table
from hami_admission.wire.nodes import NodeFacts
from tests import build

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.placement.usage import Cards
    from hami_admission.vendors.vendor import Reading, Vendor

BINPACK = Wishes("binpack", ("binpack",))
SPREAD = Wishes("spread", ("spread",))
Json = dict[str, Any]


def of(word: str, settings: Settings | None = None) -> Vendor:
    """The family of that word, with the default settings."""
    return table.by_word(table.build(settings or Settings()), word)


def read(
    vendor: Vendor,
    limits: Json | None,
    requests: Json | None = None,
    notes: Mapping[str, str] | None = None,
) -> Reading:
    """What a container ``main`` with these limits and requests asks, in a pod with these notes."""
    container = build.container(limits=limits, requests=requests)
    return vendor.parse(build.pod(container).containers[0], notes or {})


def objection(reading: Reading) -> str:
    """What is wrong with it, as one text."""
    return "; ".join(map(str, reading.objections))


def admitted(container: Json, notes: Mapping[str, str] | None = None) -> Json:
    """A pod of that container as admission leaves it, which it leaves alone then."""
    vendors, settings = table.build(Settings()), Settings()
    document = build.pod_json(container, annotations=dict(notes or {}))
    for _ in range(2):
        decision = admit.decide(build.noun(document), vendors, settings)
        assert decision.objections == (), decision.objections
        patch = changes.operations(decision.changes)
        document = changes.apply(document, patch)
    assert patch == []
    return document


def node(
    annotations: Mapping[str, str] | None = None,
    capacity: Json | None = None,
    labels: Mapping[str, str] | None = None,
) -> NodeFacts:
    """A node ``n``, whose kubelet offers all that it has."""
    return NodeFacts("n", dict(annotations or {}), capacity, capacity, dict(labels or {}))


def cards(vendor: Vendor, facts: NodeFacts) -> Cards:
    """The cards of a node, of which nothing is taken."""
    return tuple(map(Card, vendor.inventory(facts).devices))


def holding(given: Cards, *pods_grants: PodGrants) -> Cards:
    """The cards with what pods hold of them, each container beside all others."""
    for grants in pods_grants:
        for slot in grants:
            given = usage.taken(given, of_slot(slot))
    return given


def choose(vendor: Vendor, given: Cards, reading: Reading, wishes: Wishes = BINPACK) -> Any:
    """The grants of one container, or the reasons as text."""
    assert reading.request is not None, reading
    found = fit.choose(vendor, given, reading.request, wishes, None)
    return str(found) if isinstance(found, Unfit) else found


def indices(given: Cards, grants: Any) -> list[int]:
    """Which cards these are, by their index."""
    by_uuid = {card.device.uuid: card.device.index for card in given}
    return [by_uuid[grant.uuid] for grant in grants]


def place(
    vendor: Vendor, given: Cards, *containers: Json, notes: Mapping[str, str] | None = None
) -> tuple[PodGrants, dict[str, str]] | str:
    """The grants of a pod and the annotations of its Binding to node ``n`` in second 1, or why not.

    ``containers`` are limits, app containers called ``c0``, ``c1`` ….
    """
    vendors = table.Vendors((vendor,))
    annotations = dict(notes or {})
    pod = build.pod(
        *(build.container(f"c{n}", limits=limits) for n, limits in enumerate(containers)),
        annotations=annotations,
    )
    requests = table.requests(table.read(vendors, pod))
    wishes = wishes_of.of(annotations, [vendor.word], vendors, Settings())
    demand = pods.Demand(pod.kinds, requests, wishes)
    found = pods.on_node(demand, {vendor.word: given}, vendors, None)
    if isinstance(found, Unfit):
        return str(found)
    names = tuple(container.name for container in pod.containers)
    site = decision.Site("n", 1.0, {vendor.word: given}, containers=names)
    return found, decision.notes(site, demand, found, vendors)
