"""What one version leaves in the cluster and on nodes, the other reads: after an upgrade and back.

Each value is written by the one that was there before. What comes after must find in it what the
writer itself would: a process that was killed in between is started anew as the other version.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hami_admission
from hami_admission.cluster import snapshot
from hami_admission.cluster.state import Cluster
from hami_admission.model.device import Profile
from hami_admission.model.grant import Grant
from hami_admission.model.instance import Instance, Place
from hami_admission.model.quota import Quota
from hami_admission.settings import Settings
from hami_admission.wire import keys
from hami_admission.wire.instances import Answer, Failure, Wanted
from hami_admission.wire.locks import Lock
from tests import strategies
from tests.cluster_state.test_snapshot import a_cluster
from tests.node import regions
from tests.packaging import released
from tests.upgrade import dialect
from tests.upgrade.both import Side, Tree
from tests.vendors.samples import document
from tests.vendors.test_every_family import ALL, documents

if TYPE_CHECKING:
    from tests.upgrade.both import Release

Json = Any
Way = tuple[Side, Side]

few = settings(max_examples=4, deadline=None, database=None)
some = settings(
    max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)

SECONDS = st.integers(0, 4_000_000_000)
small = st.integers(0, 60)

grants = st.builds(
    Grant,
    strategies.words,
    strategies.words,
    st.integers(0, 2**31 - 1),
    st.integers(0, 100),
    units=st.lists(small, max_size=4, unique=True).map(tuple),
    slots=st.integers(0, 9),
    trait=st.sampled_from(("", "online", "offline")),
    percent=st.integers(0, 100),
)
pods_grants = st.lists(st.lists(grants, max_size=3).map(tuple), max_size=4).map(tuple)

parts = st.builds(
    lambda card, start, size, profile: Grant(
        card, "NVIDIA", 1000, 10, tuple(range(start, start + size)), profile
    ),
    *(strategies.words, small, st.integers(1, 4), strategies.words),
)
pods_parts = st.lists(st.lists(parts, max_size=3).map(tuple), max_size=3).map(tuple)


def _made(found: tuple[tuple[Grant, ...], ...], uuid: str) -> Json:
    """The grants, and the instance of the first, which exists already."""
    each = [grant for slot in found for grant in slot][:1]
    made = [
        Instance(Place(one.uuid, one.profile, one.units[0], len(one.units)), uuid, 1, 0)
        for one in each
    ]
    return {"grants": found, "made": made}


profiles = st.builds(
    Profile, strategies.words, st.integers(0, 99999), st.integers(0, 100), st.integers(0, 9),
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), max_size=3).map(tuple),
)  # fmt: skip
facts = st.dictionaries(strategies.words, strategies.words, max_size=3)
cards = st.lists(
    st.builds(
        lambda card, profiles, facts: msgspec.structs.replace(
            card, profiles=tuple(profiles), facts=tuple(sorted(facts.items()))
        ),
        *(strategies.devices, st.lists(profiles, max_size=2), facts),
    ),
    max_size=4,
    unique_by=lambda card: card.uuid,
)

places = st.builds(Place, strategies.words, strategies.words, small, st.integers(1, 4))
existing = st.builds(Instance, places, strategies.words, st.integers(0, 9), st.integers(0, 9))
attempts = st.dictionaries(strategies.words, st.integers(0, 2**60), max_size=3)


@st.composite
def links(draw: st.DrawFn) -> Json:
    """Cards, and how well each two are linked."""
    uuids = draw(st.lists(strategies.words, max_size=5, unique=True))
    rows = [[draw(st.integers(0, 10_000)) if a > b else 0 for b in range(len(uuids))]
            for a in range(len(uuids))]  # fmt: skip
    return uuids, [[max(rows[a][b], rows[b][a]) for b in range(len(uuids))]
                   for a in range(len(uuids))]  # fmt: skip


quotas = st.builds(
    Quota,
    *(st.just("team"), st.just("quota"), st.just("uid"), st.just("7"), st.just({})),
    used=st.dictionaries(strategies.resources, st.integers(0, 10**12)),
    holds=strategies.holds,
    counted=st.integers(0, 2**62),
)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "grants": pods_grants,
    "instances": st.builds(_made, pods_parts, strategies.words),
    "register": cards,
    "links": links(),
    "lock": st.one_of(
        st.builds(Lock, SECONDS.map(float)),
        st.builds(Lock, SECONDS.map(float), strategies.words, strategies.words),
    ),
    "wanted": st.builds(Wanted, st.integers(0, 2**62), st.lists(places, max_size=4).map(tuple)),
    "answer": st.builds(
        Answer,
        st.lists(existing, max_size=4, unique_by=lambda each: each.place).map(tuple),
        attempts,
        st.dictionaries(
            strategies.words, st.builds(Failure, st.integers(0, 2**60), st.text(max_size=9))
        ),
    ),
    "holds": strategies.holds,
    "quota": quotas,
}


GAINED = {"uncounted_after", "unasked", "unread", "damaged", "read", "foreign", "shared"}
"""What records and grants have that those of the release had not; it reads past them."""


def of_both(value: Any) -> Any:
    """What both versions have of a value."""
    if isinstance(value, dict):
        return {key: of_both(each) for key, each in value.items() if key not in GAINED}
    return [of_both(each) for each in value] if isinstance(value, list) else value


def test_the_two_are_really_two(release: Release) -> None:
    assert release.ask("version", None) == [released.VERSION, str(released.tree())]
    assert Tree().ask("version", None) == [hami_admission.__version__, str(released.ROOT)]


def test_every_format_is_tried() -> None:
    """One that is added to the dialect has values here, or a test of its own below."""
    own = {"region", "settings", "snapshot"}
    written = {name.removeprefix("write_") for name in dialect.FUNCTIONS if name[:6] == "write_"}
    assert written == {*VALUES, *own}


@pytest.mark.parametrize("form", VALUES)
@some
@given(data=st.data())
def test_what_was_written_before_is_read_after(way: Way, form: str, data: st.DataObject) -> None:
    before, after = way
    value = dialect._plain(data.draw(VALUES[form]))
    written = before.ask(f"write_{form}", value)
    found = of_both(before.ask(f"read_{form}", written))
    assert of_both(after.ask(f"read_{form}", written)) == found
    # Nothing of it is lost when the other one writes it again.
    again = after.ask(f"write_{form}", value)
    assert of_both(before.ask(f"read_{form}", again)) == found


@some
@given(
    st.sampled_from(("Requesting_2026-08-21 06:20:39", "Reported 2026-08-21", "Deleted_x", ""))
    | st.text(max_size=20)
    | st.text("Requesting_2026-: 0123456789", max_size=30)
)
def test_handshakes_of_others_mean_the_same(release: Release, text: str) -> None:
    assert Tree().ask("read_handshake", text) == release.ask("read_handshake", text)


@few
@given(
    version=st.sampled_from(regions.VERSIONS),
    uuids=st.lists(strategies.words, min_size=1, max_size=16, unique=True),
    processes=st.lists(st.tuples(small, st.integers(0, 2**40)), max_size=4),
    recent=st.sampled_from((-1, 0, 2)),
    switch=st.integers(0, 1),
)
def test_a_region_that_lies_on_the_node_is_read_and_steered(
    way: Way,
    version: tuple[int, int],
    uuids: list[str],
    processes: list[tuple[int, int]],
    recent: int,
    switch: int,
) -> None:
    before, after = way
    made = regions.new(version, tuple(uuids), last_kernel_time=regions.NOW)
    for number, (sm, data) in enumerate(processes, 1):
        regions.join(made, number, host_pid=100 + number, data=data, sm=sm)
    file = base64.b64encode(regions.file(made)).decode()
    written = before.ask("write_region", {"file": file, "recent": recent, "switch": switch})
    found = after.ask("read_region", written)
    assert found == before.ask("read_region", written)
    assert (found["recent_kernel"], found["utilization_switch"]) == (recent, switch)
    assert len(found["processes"]) == len(processes)
    back = after.ask("write_region", {"file": written, "recent": 1, "switch": 1})
    assert before.ask("read_region", back)["recent_kernel"] == 1


@some
@given(st.lists(strategies.words, min_size=1, max_size=8))
def test_a_container_s_region_lies_where_it_did(release: Release, devices: list[str]) -> None:
    """Its mount was made by the agent that was there when it started."""
    assert Tree().ask("folder", devices) == release.ask("folder", devices)


@pytest.mark.parametrize("holding", ["nothing", "something"])
def test_a_snapshot_is_read_and_says_the_same(way: Way, holding: str) -> None:
    """``explain`` and ``simulate --snapshot`` are run by who has the other version."""
    before, after = way
    cluster = a_cluster() if holding == "something" else Cluster(Settings())
    body = snapshot.encode(snapshot.take(cluster, 7), cluster.vendors).decode()
    written = before.ask("write_snapshot", body)
    found = of_both(after.ask("read_snapshot", written))
    assert found == of_both(before.ask("read_snapshot", written))
    assert of_both(after.ask("read_snapshot", after.ask("write_snapshot", written))) == found
    assert [bool(part) for part in found] == [holding == "something"] * 5 + [False]


# A pod on its way through two versions: replicas are rolled one after the other.

NODE_CARDS = 9


def _pod(way: str, data: st.DataObject) -> Json:
    made = data.draw(documents(way))
    made["metadata"]["uid"] = "u"
    return made


def _without_notes(document: Json) -> Json:
    """A pod without what the release does not note of its admission."""
    notes = document["metadata"].get("annotations", {})
    kept = {name: text for name, text in notes.items() if not name.startswith(keys.ADMITTED_PREFIX)}
    return {**document, "metadata": {**document["metadata"], "annotations": kept}}


@pytest.mark.parametrize("family", ALL)
@few
@given(data=st.data())
def test_a_pod_goes_on_with_the_other_version(way: Way, family: str, data: st.DataObject) -> None:
    """Mutated by one, validated and placed by the other, found by both when they start."""
    before, after = way
    mutated = before.ask("admit", _pod(family, data))
    assert after.ask("undone", mutated) == [[], None]
    assert _without_notes(after.ask("admit", mutated)) == _without_notes(mutated)
    node = document(ALL[family].facts("n", NODE_CARDS))
    missing = []
    for one, other in ((before, after), (after, before)):
        bound = one.ask("place", {"pod": mutated, "node": node})
        missing.append(None if bound is None else dangling(bound))
        if bound is not None:
            found = other.ask("record", {"pod": bound, "node": node})
            assert of_both(found) == of_both(one.ask("record", {"pod": bound, "node": node}))
            assert any(found[1])
    # Whichever binds it brings what the environment of its containers refers to.
    assert missing[0] == missing[1]


def dangling(pod: Json) -> list[str]:
    """Annotations that a container's environment refers to and that are not there."""
    containers = pod["spec"]["containers"] + pod["spec"].get("initContainers", [])
    paths = [
        each["valueFrom"]["fieldRef"]["fieldPath"]
        for container in containers
        for each in container.get("env", ())
        if "valueFrom" in each
    ]
    there = {f"metadata.annotations['{name}']" for name in pod["metadata"]["annotations"]}
    return [path for path in paths if path.startswith("metadata.ann") and path not in there]


def test_who_may_not_bring_annotations_of_a_decision_may_still_not(way: Way) -> None:
    before, after = way
    names = [each for each in vars(keys).values() if isinstance(each, str)]
    reserved = before.ask("reserved", names)
    assert set(after.ask("reserved", names)) >= {*reserved}
    assert reserved
