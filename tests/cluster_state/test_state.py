"""The cluster's verbs: what is known, booked, bound, given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hami_admission.cluster import events
from hami_admission.cluster.state import Cluster
from hami_admission.model.amounts import Amounts
from hami_admission.model.quota import Hold, ScopeTerm
from hami_admission.quota import ledger
from hami_admission.settings import Settings
from hami_admission.wire import keys, nodes, quotas, registers
from tests import build

if TYPE_CHECKING:
    from hami_admission.cluster.bookings import Booking
    from hami_admission.model.card import Card
    from hami_admission.model.pod import Pod
    from hami_admission.model.quota import Quota


def a_pod(uid: str = "u", *, node: str = "", grants: str = "", **fields: Any) -> Pod:
    """A pod with 8000 MiB and 30 cores; bound with these grants if a node is given."""
    notes = {keys.NVIDIA_ALLOCATED: grants} if grants else {}
    amounts = fields.pop("amounts", build.gpu(1, memory=8000, cores=30))
    return build.pod(
        build.container(limits=amounts), name=f"p-{uid}", uid=uid, nodeName=node,
        annotations={**notes, **fields.pop("annotations", {})}, **fields,
    )  # fmt: skip


def cluster(*names: str, cards: int = 2) -> Cluster:
    """A cluster with these nodes."""
    made = Cluster(Settings())
    for name in names:
        made.apply(events.NodeSeen(build.facts(name, cards)), 0)
    return made


def a_quota(version: str = "1", **hard: Any) -> Quota:
    return quotas.decode(msgspec.json.encode(build.quota_json(version=version, **hard)))


def booked(made: Cluster, pod: Pod, *names: str, now: float = 0) -> Booking | None:
    """Plan the pod on these nodes."""
    demand = made.demand(pod)
    assert demand is not None
    made.plan(pod, demand, names, now)
    return made.bookings.get(pod.uid)


def taken(made: Cluster) -> dict[str, tuple[int, int, int]]:
    """What is used, by card, where something is."""
    cards: list[Card] = [
        card for node in made.usage().values() for each in node.cards.values() for card in each
    ]
    return {c.device.uuid: (c.slots, c.memory_mib, c.cores) for c in cards if c.slots}


GRANT = "GPU-a-0,NVIDIA,8000,30:;"
USED = {"GPU-a-0": (1, 8000, 30)}


def test_the_best_node_is_booked_moved_and_given_back() -> None:
    made = cluster("a", "b")
    made.apply(events.PodSeen(a_pod("other", node="b", grants="GPU-b-1,NVIDIA,10,0:;")), 0)
    first = booked(made, a_pod(), "a", "b")
    assert first is not None
    assert first.node == "b"
    assert made.priorities("u", ["a", "b", "c"]) == {"a": 0, "b": 10, "c": 0}
    assert made.priorities("never asked", ["a", "b"]) == {"a": 0, "b": 0}
    moved = made.book(a_pod(), "a", 0)
    assert not isinstance(moved, str)
    assert moved.node == "a"
    assert made.book(a_pod(), "a", 0) is moved
    assert taken(made) == {**USED, "GPU-b-1": (1, 10, 0)}
    made.bookings.release("u")
    made.bookings.release("u")
    assert taken(made) == {"GPU-b-1": (1, 10, 0)}


def test_a_booked_card_that_vanished_is_found_anew() -> None:
    made = cluster("a")
    first = booked(made, a_pod(), "a")
    assert first is not None
    assert first.placement.grants[0][0].uuid == "GPU-a-0"
    rest = (build.device(1, node="a"),)
    made.apply(events.NodeSeen(build.facts("a", devices=rest)), 0)
    again = made.book(a_pod(), "a", 0)
    assert not isinstance(again, str)
    assert again.placement.grants[0][0].uuid == "GPU-a-1"
    made.apply(events.NodeSeen(build.facts("a", 0)), 0)
    assert made.book(a_pod(), "a", 0) == "node unregistered"


def test_a_booking_that_cannot_be_moved_says_why() -> None:
    made = cluster("a")
    assert made.book(a_pod(), "nowhere", 0) == "node unregistered"
    assert made.book(build.pod(build.container(), uid="x"), "a", 0) == (
        "the pod asks for no accelerator"
    )


def test_asked_again_a_pod_is_booked_once_and_expires_unbound() -> None:
    made = cluster("a")
    for _ in range(3):
        booked(made, a_pod(), "a")
    assert (len(made.bookings), sum(slots for slots, _, _ in taken(made).values())) == (1, 1)
    assert made.bookings.expire(59) == []
    assert [each.pod.uid for each in made.bookings.expire(60)] == ["u"]
    assert taken(made) == {}


def test_a_bound_pod_takes_the_place_of_its_booking() -> None:
    made = cluster("a")
    booked(made, a_pod(), "a")
    assert made.apply(events.PodSeen(a_pod(node="a", grants=GRANT)), 0) == {"team"}
    assert (taken(made), len(made.bookings)) == (USED, 0)
    made.apply(events.PodSeen(a_pod(node="a", grants="GPU-a-1,NVIDIA,1,1:;")), 0)
    assert made.apply(events.PodSeen(a_pod(node="a", grants="GPU-a-1,NVIDIA,1,1:;")), 0) == ()
    assert taken(made) == USED
    made.apply(events.PodSeen(a_pod(node="a", grants=GRANT, phase="Failed")), 0)
    assert taken(made) == {}
    assert made.apply(events.PodGone("u"), 0) == ()


def test_a_damaged_annotation_counts_for_the_quota_what_was_asked() -> None:
    made = cluster("a")
    made.apply(events.PodSeen(a_pod(node="a", grants="GPU-a-0,NVIDIA:;")), 0)
    assert taken(made) == {"GPU-a-0": (1, 0, 0)}
    quota = msgspec.structs.replace(a_quota(gpumem=1), holds={"u": Hold("p", 0, Amounts())})
    made.apply(events.QuotaSeen(quota), 0)
    counts = made.counts(quota)
    memory = Amounts({"nvidia.com/gpumem": 8000})
    amounts = memory.plus(Amounts({"nvidia.com/gpu": 1, "nvidia.com/gpucores": 30}))
    assert counts == ledger.Counts(memory, {"u": ledger.Counted(amounts, bound=True)})


def test_a_node_that_vanishes_and_returns_is_as_its_pods_say() -> None:
    made = cluster("a")
    made.apply(events.PodSeen(a_pod(node="a", grants=GRANT)), 0)
    made.apply(events.NodeGone("a"), 0)
    assert taken(made) == {}
    made.apply(events.PodSeen(a_pod("v", node="a", grants="GPU-a-1,NVIDIA,5,5:;")), 0)
    made.apply(events.NodeSeen(build.facts("a", 2)), 0)
    assert taken(made) == {**USED, "GPU-a-1": (1, 5, 5)}
    made.apply(events.PodGone("u"), 0)
    assert taken(made) == {"GPU-a-1": (1, 5, 5)}


def test_what_is_not_in_a_complete_list_is_gone() -> None:
    made = cluster("a", "b")
    made.apply(events.PodSeen(a_pod(node="a", grants=GRANT)), 0)
    made.apply(events.QuotaSeen(a_quota(gpumem=9)), 0)
    assert made.missing() == ["pods", "nodes", "resourcequotas"]
    assert made.apply(events.Listed(events.Kind.PODS, frozenset()), 0) == {"team"}
    made.apply(events.Listed(events.Kind.NODES, frozenset({"a"})), 0)
    assert made.apply(events.Listed(events.Kind.QUOTAS, frozenset()), 0) == frozenset()
    assert (taken(made), list(made.usage()), made.missing()) == ({}, ["a"], [])
    assert made.quotas.of("team") == []


def test_a_handshake_that_ran_out_takes_the_cards_away() -> None:
    made = Cluster(Settings())
    notes = {
        keys.NVIDIA_REGISTER: registers.encode((build.device(0, node="a"),)),
        keys.NVIDIA_HANDSHAKE: "Requesting_1970-01-01 00:00:40",
    }
    made.apply(events.NodeSeen(nodes.NodeFacts("a", notes)), 0)
    assert booked(made, a_pod(), "a", now=99) is not None
    assert booked(made, a_pod(), "a", now=100) is None


def test_an_unreadable_register_is_said_until_it_is_mended() -> None:
    made = Cluster(Settings())
    made.apply(events.NodeSeen(nodes.NodeFacts("a", {keys.NVIDIA_REGISTER: "[{"})), 0)
    demand = made.demand(a_pod())
    assert demand is not None
    text = made.plan(a_pod(), demand, ("a",), 0).unfit["a"]
    assert text.startswith("node unregistered: register annotation")
    made.apply(events.NodeSeen(build.facts("a", 1)), 0)
    assert booked(made, a_pod(), "a") is not None


def test_percentages_are_claimed_at_the_smallest_and_settled_at_what_they_got() -> None:
    made = Cluster(Settings())
    for name, size in (("a", 40000), ("b", 10000)):
        made.apply(events.NodeSeen(build.facts(name, 1, memory_mib=size)), 0)
    pod = a_pod(amounts=build.gpu(1, percent=50))
    claim = made.claim(pod, made.admit(pod), 5)
    assert (claim.amounts["nvidia.com/gpumem"], claim.until) == (5000, 5 + Settings().hold_seconds)
    made.apply(events.PodSeen(pod), 0)
    booking = booked(made, pod, "a")
    assert booking is not None
    settled = made.settlement(booking, 0)
    assert settled is not None
    assert (settled.amounts["nvidia.com/gpumem"], settled.held["nvidia.com/gpumem"]) == (
        20000,
        5000,
    )
    fixed = a_pod("v")
    made.apply(events.PodSeen(fixed), 0)
    booking = booked(made, fixed, "a")
    assert booking is not None
    assert made.settlement(booking, 0) is None


def test_a_pod_that_kube_scheduler_saw_before_us_was_charged_when_it_was_created() -> None:
    made = Cluster(Settings())
    for name, size in (("a", 40000), ("b", 10000)):
        made.apply(events.NodeSeen(build.facts(name, 1, memory_mib=size)), 0)
    booking = booked(made, a_pod(), "a")
    assert booking is not None
    assert made.settlement(booking, 0) is None
    for name, amount in (("a", 20000), ("b", 5000)):
        half = booked(made, a_pod("v", amounts=build.gpu(1, percent=50)), name)
        assert half is not None
        settled = made.settlement(half, 0)
        assert settled is not None
        memory = (settled.amounts["nvidia.com/gpumem"], settled.held["nvidia.com/gpumem"])
        assert memory == (amount, 5000)


def test_a_price_that_rose_while_the_pod_waited_is_settled_too() -> None:
    """It is held at what was known when it was created, and priced anew whenever it is seen."""
    made = Cluster(Settings())
    pod = a_pod(amounts=build.gpu(1))
    assert made.claim(pod, made.admit(pod), 0).amounts["nvidia.com/gpumem"] == 0
    made.apply(events.NodeSeen(build.facts("a", 1)), 0)
    made.apply(events.PodSeen(pod), 0)
    booking = booked(made, pod, "a")
    assert booking is not None
    settled = made.settlement(booking, 0)
    assert settled is not None
    assert settled.amounts["nvidia.com/gpumem"] == 81920


def test_a_deadline_takes_a_bound_pod_to_other_quotas_and_leaves_its_cards() -> None:
    made = cluster("a")
    for name in ("Terminating", "NotTerminating"):
        quota = msgspec.structs.replace(a_quota(gpumem=1), name=name, scopes=(ScopeTerm(name),))
        made.apply(events.QuotaSeen(quota), 0)
    ends, stays = made.quotas.of("team")[1], made.quotas.of("team")[0]

    def counted() -> tuple[int, int]:
        both = (made.counts(each).total["nvidia.com/gpumem"] for each in (stays, ends))
        return next(both), next(both)

    made.apply(events.PodSeen(a_pod(node="a", grants=GRANT)), 0)
    assert counted() == (8000, 0)
    later = a_pod(node="a", activeDeadlineSeconds=60)
    assert made.apply(events.PodSeen(later), 0) == {"team"}
    assert (counted(), taken(made)) == ((0, 8000), USED)
    assert made.apply(events.PodSeen(later), 0) == ()
    made.apply(events.PodGone("u"), 0)
    assert (counted(), taken(made)) == ((0, 0), {})


def test_a_quota_that_leaves_too_little_shuts_out_the_larger_cards() -> None:
    made = Cluster(Settings())
    for name, size in (("a", 40000), ("b", 10000)):
        made.apply(events.NodeSeen(build.facts(name, 1, memory_mib=size)), 0)
    made.apply(events.QuotaSeen(a_quota(gpumem=6000)), 0)
    pod = a_pod(amounts=build.gpu(1, percent=50))
    demand = made.demand(pod)
    assert demand is not None
    plan = made.plan(pod, demand, ("a", "b"), 0)
    assert (set(plan.fits), plan.unfit) == ({"b"}, {"a": "1/1 ResourceQuotaNotFit"})


def test_a_pod_past_its_grace_costs_nothing_and_keeps_its_card() -> None:
    """As native quota counts: from the deletion on twice the grace, whoever keeps the pod there."""
    made = cluster("n")
    made.apply(events.QuotaSeen(a_quota(gpumem=9000)), 0)
    quota = made.quotas.of("team")[0]
    pod = a_pod(node="n", grants="GPU-n-0,NVIDIA,8000,10:;")
    made.apply(events.PodSeen(pod), 0)
    card = taken(made)
    assert made.counts(quota).total["nvidia.com/gpumem"] == 8000
    leaving = msgspec.structs.replace(pod, leaving=True, uncounted_after=100.0)
    made.apply(events.PodSeen(leaving), 0)
    assert made.quotas.uncount(made.pods, 100.0) == frozenset()
    assert made.quotas.uncount(made.pods, 100.5) == {"team"}
    assert made.counts(quota).total == Amounts()
    assert taken(made) == card
    for again in (leaving, msgspec.structs.replace(leaving, terminating_scope=True)):
        made.apply(events.PodSeen(again), 101)
        assert made.quotas.uncount(made.pods, 102.0) == frozenset()
        assert made.counts(quota).total == Amounts()
    made.apply(events.PodGone("u"), 103)
    assert (made.counts(quota).total, taken(made)) == (Amounts(), {})


def all_listed() -> Cluster:
    """Without anything in it, as of version 100."""
    made = Cluster(Settings())
    for kind in events.Kind:
        made.apply(events.Listed(kind, frozenset(), 100), 0)
    return made


def test_a_mark_of_a_count_that_is_still_to_come_is_of_a_copy() -> None:
    """From another cluster, or a backup: nobody would ever count that quota."""
    made = all_listed()
    own = msgspec.structs.replace(a_quota("90", gpumem=7), counted=80)
    made.apply(events.QuotaSeen(own), 0)
    assert made.quotas.of("team")[0].counted == 80
    assert made.quotas.copied == {}
    copy = msgspec.structs.replace(own, version="95", counted=5_000_000)
    made.apply(events.QuotaSeen(copy), 0)
    (quota,) = made.quotas.of("team")
    assert quota.counted == 0
    assert made.quotas.may_count(quota)
    assert list(made.quotas.copied.values()) == [copy]
    # The next write takes the mark away; it is told of all the same.
    made.apply(events.QuotaSeen(msgspec.structs.replace(own, version="96")), 0)
    assert list(made.quotas.copied.values()) == [copy]
    made.apply(events.QuotaGone("team", "quota"), 0)
    assert made.quotas.copied == {}


def test_after_a_restore_of_etcd_lists_hold_whatever_was_seen_before() -> None:
    made = all_listed()
    late = msgspec.structs.replace(a_quota("90", gpumem=7), counted=85)
    made.apply(events.QuotaSeen(late), 0)
    early = msgspec.structs.replace(a_quota("40", gpumem=5), counted=30)
    made.apply(events.QuotaSeen(early), 0)
    assert made.quotas.of("team") == [late]
    made.apply(events.QuotasListing(), 0)
    made.apply(events.QuotaSeen(early), 0)
    made.apply(events.Listed(events.Kind.QUOTAS, frozenset({"team/quota"}), 50), 0)
    assert made.quotas.of("team") == [early]
    made.apply(events.QuotaSeen(msgspec.structs.replace(early, version="39")), 0)
    assert made.quotas.of("team") == [early]
    # What was reached before the restore has not happened.
    made.apply(events.Listed(events.Kind.PODS, frozenset(), 20), 0)
    assert not made.quotas.may_count(early)
    made.apply(events.PodsReached(30), 0)
    assert made.quotas.may_count(early)


def test_an_older_reading_of_a_quota_is_passed_over() -> None:
    made = Cluster(Settings())
    made.apply(events.QuotaSeen(a_quota("10", gpumem=7)), 0)
    made.apply(events.QuotaSeen(a_quota("9", gpumem=5)), 0)
    assert made.quotas.of("team")[0].hard == {"nvidia.com/gpumem": 7}
    anew = msgspec.structs.replace(a_quota("2", gpumem=3), uid="other")
    made.apply(events.QuotaSeen(anew), 0)
    assert made.quotas.of("team")[0].hard == {"nvidia.com/gpumem": 3}
    opaque = msgspec.structs.replace(anew, version="x", hard={"nvidia.com/gpumem": 1})
    made.apply(events.QuotaSeen(opaque), 0)
    assert made.quotas.of("team")[0].hard == {"nvidia.com/gpumem": 1}
    made.apply(events.QuotaSeen(msgspec.structs.replace(opaque, hard={"cpu": 1})), 0)
    assert made.quotas.of("team") == []
    made.apply(events.QuotaGone("team", "quota"), 0)


def test_of_a_booked_pod_nothing_is_kept_that_a_user_makes_large() -> None:
    made = cluster("a")
    found = booked(made, a_pod(labels={"x": "x"}, annotations={"y": "y"}), "a")
    assert found is not None
    assert (found.pod.labels, found.pod.annotations) == ({}, {})
