"""What a pod costs, from its admission to its end, whatever containers it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.model.amounts import Amounts
from hami_admission.placement import decision
from hami_admission.settings import Settings
from hami_admission.wire import quotas
from tests import build
from tests.budgets import times

if TYPE_CHECKING:
    from hami_admission.model.pod import Pod

Json = dict[str, Any]
SIZES = {"small": 16384, "large": 81920}

sized = st.builds(
    build.gpu,
    st.integers(1, 3),
    memory=st.sampled_from((None, 1, 3000, 16000)),
    percent=st.none(),
    cores=st.sampled_from((None, 0, 7, 30)),
)
by_percent = st.builds(
    build.gpu, st.integers(1, 3), percent=st.integers(1, 100), cores=st.sampled_from((None, 5))
)
limits = st.sampled_from(({"cpu": "1"}, {})) | sized | by_percent
containers = st.builds(
    lambda amounts, sidecar: (amounts, sidecar), limits, st.booleans()
)  # the second counts for init containers only
shapes = st.tuples(st.lists(containers, max_size=3), st.lists(limits, min_size=1, max_size=3))


def pod(shape: tuple[list[tuple[Json, bool]], list[Json]], **fields: Any) -> Pod:
    """A pod with these init containers and apps."""
    init, apps = shape
    return build.pod(
        *(build.container(f"c{n}", each) for n, each in enumerate(apps)),
        init=tuple(
            build.container(f"i{n}", each, sidecar=sidecar)
            for n, (each, sidecar) in enumerate(init)
        ),
        uid="u",
        **fields,
    )


def cluster_of_two_sizes() -> Cluster:
    """Two nodes of eight cards, and a quota that counts everything."""
    cluster = Cluster(Settings())
    for name, size in SIZES.items():
        cluster.apply(events.NodeSeen(build.facts(name, 8, memory_mib=size)), 0)
    body = build.quota_json(gpu=10**6, gpumem=10**9, gpucores=10**6)
    cluster.apply(events.QuotaSeen(quotas.decode(msgspec.json.encode(body))), 0)
    return cluster


def counted(cluster: Cluster) -> Amounts[str]:
    """What all pods count for."""
    (quota,) = cluster.quotas.of("team")
    return cluster.counts(quota).total


def at_admission(cluster: Cluster, document: Pod) -> Amounts[str]:
    """What the webhook charges."""
    decided = cluster.admit(document)
    assume(not decided.objections)
    if decided.untouched:
        return Amounts()
    return cluster.claim(document, decided, 0).amounts


def exceeds(one: Amounts[str], other: Amounts[str]) -> list[str]:
    """Where one is more than the other."""
    return [name for name, value in one.items() if value > other[name]]


@pytest.mark.pain(6)
@settings(max_examples=times(2), deadline=None)
@given(shapes, st.sampled_from(sorted(SIZES)))
def test_from_admission_to_the_end(
    shape: tuple[list[tuple[Json, bool]], list[Json]], node: str
) -> None:
    """Never more at admission than at the bind, the same where sizes are given; nothing in the end.

    And the same for a process that starts in between.
    """
    cluster = cluster_of_two_sizes()
    asked = pod(shape)
    first = at_admission(cluster, asked)
    assume(first)
    demand = cluster.demand(asked)
    assert demand is not None
    assume(node in cluster.plan(asked, demand, list(SIZES), 0).fits)
    booking = cluster.book(asked, node, 0)
    assert not isinstance(booking, str)
    claim = cluster.settlement(booking, 0)
    settled = first if claim is None else claim.amounts
    assert not exceeds(first, settled)
    every = [*(amounts for amounts, _ in shape[0]), *shape[1]]
    if all("nvidia.com/gpumem" in each for each in every if "nvidia.com/gpu" in each):
        assert settled == first
    cards = cluster.usage()[node].cards
    site = decision.Site(node, 0, cards)
    notes = decision.notes(site, demand, booking.placement.grants, cluster.vendors)
    bound = pod(shape, nodeName=node, annotations=notes)
    cluster.apply(events.PodSeen(bound, 7), 0)
    assert counted(cluster) == settled
    started = cluster_of_two_sizes()
    started.apply(events.PodSeen(bound, 7), 0)
    assert counted(started) == counted(cluster)
    cluster.apply(events.PodGone("u", 8), 0)
    assert not counted(cluster)


@settings(max_examples=times(2), deadline=None)
@given(shapes, st.data())
def test_fewer_containers_never_cost_more(
    shape: tuple[list[tuple[Json, bool]], list[Json]], data: st.DataObject
) -> None:
    cluster = cluster_of_two_sizes()
    whole = at_admission(cluster, pod(shape))
    init, apps = shape
    at = data.draw(st.integers(0, len(init) + len(apps) - 1))
    less = (init[:at] + init[at + 1 :], apps) if at < len(init) else (init, [
        {} if n == at - len(init) else each for n, each in enumerate(apps)
    ])  # fmt: skip
    assert not exceeds(at_admission(cluster, pod(less)), whole)
