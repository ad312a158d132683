"""NVIDIA cards by Volcano's names (facts/devices.md 16): its register, its rules, its text."""

from __future__ import annotations

from typing import Any

import pytest

from hami_admission.admission import admit
from hami_admission.cluster import records
from hami_admission.model.amounts import Amounts
from hami_admission.model.card import Card
from hami_admission.model.grant import Grant, PodGrants
from hami_admission.model.node import Handover
from hami_admission.model.pod import Kind
from hami_admission.model.request import Request
from hami_admission.model.wishes import Wishes
from hami_admission.options import VolcanoOptions
from hami_admission.placement import wishes as wishes_of
from hami_admission.settings import Settings
from hami_admission.vendors import table
from hami_admission.vendors.volcano import volcano
from hami_admission.wire.errors import Malformed
from hami_admission.wire.nodes import NodeFacts
from tests import build
from tests.vendors import family
from tests.vendors.family import Json

VOLCANO = family.of("Volcano")
REGISTER = "volcano.sh/node-vgpu-register"
OFFERED: Json = {f"volcano.sh/{name}": 1 for name in ("vgpu-number", "vgpu-memory", "vgpu-cores")}
SPREAD, GROUP = "volcano.sh/vgpu-podgroup-policy", "scheduling.k8s.io/group-name"


def vgpu(count: object = None, memory: object = None, **more: object) -> Json:
    """Limits by Volcano's names."""
    named = {"number": count, "memory": memory, "memory-percentage": more.get("percent")}
    given = {f"volcano.sh/vgpu-{name}": value for name, value in named.items()}
    given["volcano.sh/vgpu-cores"] = more.get("cores")
    return {name: value for name, value in given.items() if value is not None}


def text(*cards: str, mode: str = "hami-core") -> str:
    """The register of 80 GB cards, which are called so; ``b!`` is sick."""
    return "".join(
        f"{uuid.removesuffix('!')},10,81920,NVIDIA-A100,{str('!' not in uuid).lower()},{mode}:"
        for uuid in cards
    )


def node(register: str, offered: Json | None = OFFERED) -> NodeFacts:
    """A node with that register; ``offered`` is what its kubelet does."""
    return family.node({REGISTER: register}, offered)


def cards(*uuids: str, mode: str = "hami-core") -> tuple[Card, ...]:
    """The cards of a node."""
    return family.cards(VOLCANO, node(text(*uuids, mode=mode)))


REQUESTS: dict[str, tuple[Json, Request | str | None]] = {
    "all of it": (vgpu(2, 3000, cores=30), Request("Volcano", 2, 3000, 100, 30)),
    "memory alone is of one card": (vgpu(memory=3000), Request("Volcano", 1, 3000, 100, 0)),
    "no memory is the card's, and not its cores": (vgpu(1), Request("Volcano", 1, None, 100, 0)),
    "a percentage": (vgpu(1, percent=50), Request("Volcano", 1, None, 50, 0)),
    "a percentage beats an amount": (vgpu(1, 3000, percent=50), Request("Volcano", 1, None, 50, 0)),
    "a percentage of zero is none": (vgpu(1, 3000, percent=0), Request("Volcano", 1, 3000, 100, 0)),
    "nothing": (vgpu(0), None),
    "bytes": (vgpu(1, "8Gi"), "for 8Gi bytes write 8192"),
    "too many cores": (vgpu(1, cores=101), "from 0 to 100 (percent of one card)"),
    "a card of another plugin in one container": (
        {**vgpu(1), "nvidia.com/gpu": 1}, "is given out by another device plugin",
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", REQUESTS)
def test_request(sentence: str) -> None:
    limits, expected = REQUESTS[sentence]
    found = family.read(VOLCANO, limits)
    if isinstance(expected, str):
        assert expected in family.objection(found)
    else:
        assert (found.request, found.objections) == (expected, ())


def test_the_percentage_that_beats_an_amount_is_told() -> None:
    (warning,) = family.read(VOLCANO, vgpu(1, 3000, percent=50)).warnings
    assert "volcano.sh/vgpu-memory-percentage decides" in warning


def test_a_missing_number_is_written_once() -> None:
    assert family.read(VOLCANO, vgpu(memory=3000)).limits == {"volcano.sh/vgpu-number": 1}
    assert family.read(VOLCANO, vgpu(1, 3000)).limits == {}


NOTES: dict[str, tuple[Json, str]] = {
    "no group": ({SPREAD: "spread"}, ""),
    "a group": ({GROUP: "g"}, "beside g"),
    "a group apart": ({GROUP: "g", SPREAD: "spread"}, "apart g"),
    "Volcano's name of it": ({"scheduling.volcano.sh/group-name": "v"}, "beside v"),
    "the first of both": ({"scheduling.volcano.sh/group-name": "v", GROUP: "g"}, "beside g"),
}


@pytest.mark.parametrize("sentence", NOTES)
def test_groups_are_in_the_request(sentence: str) -> None:
    notes, trait = NOTES[sentence]
    request = family.read(VOLCANO, vgpu(1), notes=notes).request
    assert request is not None
    assert request.trait == trait
    assert set(notes) <= set(VOLCANO.reads)


def test_what_never_works_is_refused() -> None:
    found = family.read(VOLCANO, vgpu(1), notes={SPREAD: "binpack"})
    assert "allowed: spread" in family.objection(found)
    init = (build.container("i", vgpu(1)), build.container("s", vgpu(1), sidecar=True))
    pod = build.pod(build.container("c", vgpu(1)), init=init)
    objections = admit.decide(pod, table.build(Settings()), Settings()).objections
    assert [each.field for each in objections] == [
        "spec.initContainers[0].resources", "spec.initContainers[1].resources",
    ]  # fmt: skip


INVENTORIES: dict[str, tuple[NodeFacts, list[tuple[str, int, bool]] | str]] = {
    "two cards": (node(text("a", "b!")), [("a", 0, True), ("b", 1, False)]),
    "cards in their own order": (node(text("b", "a")), [("b", 0, True), ("a", 1, True)]),
    "further fields": (node("a,10,81920,NVIDIA-A100,true,hami-core,x:"), [("a", 0, True)]),
    "amounts that nobody told": (node(text("a"), None), [("a", 0, True)]),
    "no amounts": (node(text("a"), {}), []),
    "no register": (family.node({}, OFFERED), []),
    **{
        f"none of {name}": (node(text("a"), {**OFFERED, name: "0"}), [])
        for name in OFFERED
    },
    "too few fields": (node("a,10,81920,NVIDIA-A100,true:"), "not the 6 fields"),
    "no card": (node(":"), "not the 6 fields"),
    "no number": (node("a,ten,81920,NVIDIA-A100,true,hami-core:"), "invalid literal"),
    "a negative number": (node("a,10,-1,NVIDIA-A100,true,hami-core:"), "negative"),
    "the same card twice": (node(text("a", "a")), "twice"),
}  # fmt: skip


@pytest.mark.parametrize("sentence", INVENTORIES)
def test_inventory(sentence: str) -> None:
    facts, expected = INVENTORIES[sentence]
    if isinstance(expected, str):
        with pytest.raises(Malformed, match=expected):
            VOLCANO.inventory(facts)
    else:
        found = VOLCANO.inventory(facts).devices
        assert [(each.uuid, each.index, each.healthy) for each in found] == expected


def test_a_card_is_as_the_plugin_says_and_has_100_cores() -> None:
    found = VOLCANO.inventory(node(text("a")))
    (device,) = found.devices
    assert (device.type, device.slots, device.memory_mib, device.cores, device.mode) == (
        "NVIDIA-A100", 10, 81920, 100, "hami-core",
    )  # fmt: skip
    assert found.handover == Handover("hamivgpu")


def test_the_last_cards_mode_is_the_nodes() -> None:
    found = VOLCANO.inventory(node(text("a") + text("b", mode="mig"))).devices
    assert [each.mode for each in found] == ["mig", "mig"]


def grant(uuid: str, memory: int = 1000, cores: int = 0, trait: str = "") -> Grant:
    return Grant(uuid, "Volcano", memory, cores, trait=trait)


MANY = tuple(grant("a") for _ in range(10))
APART = {GROUP: "g", SPREAD: "spread"}

Case = tuple[tuple[Card, ...], PodGrants, Json, Json, list[str] | str]
"""The cards, what of them is taken, limits, annotations, and the cards chosen or why none."""

FITS: dict[str, Case] = {
    "a card": (cards("a", "b"), (), vgpu(1), {}, ["a"]),
    "several": (cards("a", "b"), (), vgpu(2, 100), {}, ["a", "b"]),
    "a sick one, which Volcano would take": (
        cards("a!", "b!"), (), vgpu(1), {}, "2/2 CardNotHealth",
    ),
    "these": (cards("a", "b"), (), vgpu(1), {"volcano.sh/vgpu-use-gpuuuid": " b "}, ["b"]),
    "not these": (
        cards("a", "b"), (), vgpu(1), {"volcano.sh/vgpu-nouse-gpuuuid": "a,b"},
        "2/2 CardUuidMismatch",
    ),
    "a type": (
        cards("a"), (), vgpu(1), {"nvidia.com/use-gputype": "a100,h100"}, ["a"],
    ),
    "a type that there is not": (
        cards("a"), (), vgpu(1), {"nvidia.com/use-gputype": "h100"}, "1/1 CardTypeMismatch",
    ),
    "not a type": (
        cards("a"), (), vgpu(1), {"nvidia.com/nouse-gputype": "a100"}, "1/1 CardTypeMismatch",
    ),
    "the mode of the node": (
        cards("a"), (), vgpu(1), {"volcano.sh/vgpu-mode": "hami-core"}, ["a"],
    ),
    "another mode": (
        cards("a"), (), vgpu(1), {"volcano.sh/vgpu-mode": "mig"}, "1/1 CardTypeMismatch",
    ),
    "cards in mode mig are left alone": (cards("a", mode="mig"), (), vgpu(1), {}, "1/1 ModeNotFit"),
    "also where they are wanted": (
        cards("a", mode="mig"), (), vgpu(1), {"volcano.sh/vgpu-mode": "mig"}, "1/1 ModeNotFit",
    ),
    "no place": (cards("a"), (MANY,), vgpu(1, 1), {}, "1/1 CardTimeSlicingExhausted"),
    "no memory": (
        cards("a"), ((grant("a"),),), vgpu(1, 81000), {}, "1/1 CardInsufficientMemory",
    ),
    "no cores": (
        cards("a"), ((grant("a", cores=60),),), vgpu(1, 1, cores=50), {},
        "1/1 CardInsufficientCore",
    ),
    "all cores of a used card": (
        cards("a"), ((grant("a"),),), vgpu(1, 1, cores=100), {},
        "1/1 ExclusiveDeviceAllocateConflict",
    ),
    "no cores of a full card": (
        cards("a"), ((grant("a", cores=100),),), vgpu(1, 1), {}, "1/1 CardComputeUnitsExhausted",
    ),
    "apart from its group": (
        cards("a", "b"), ((grant("a", trait="g"),),), vgpu(1, 1), APART, ["b"],
    ),
    "apart from its group, with other wishes": (
        cards("a", "b"), ((grant("a", trait="g"),),), vgpu(1, 1),
        {**APART, "nvidia.com/use-gputype": "a100"}, ["b"],
    ),
    "apart from its group everywhere": (
        cards("a"), ((grant("a", trait="g"),),), vgpu(1, 1), APART,
        "1/1 CardNotFoundCustomFilterRule",
    ),
    "beside another group": (
        cards("a"), ((grant("a", trait="h"),),), vgpu(1, 1), APART, ["a"],
    ),
    "beside its group where it does not mind": (
        cards("a"), ((grant("a", trait="g"),),), vgpu(1, 1), {GROUP: "g"}, ["a"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", FITS)
def test_fit(sentence: str) -> None:
    given, taken, limits, notes, expected = FITS[sentence]
    reading = family.read(VOLCANO, limits, notes=notes)
    asked = wishes_of.of(notes, ["Volcano"], table.Vendors((VOLCANO,)), Settings())
    wishes = Wishes("binpack", ("binpack",), asked.selections)
    found = family.choose(VOLCANO, family.holding(given, taken), reading, wishes)
    if not isinstance(expected, str):
        found = [each.uuid for each in found]
    assert found == expected


def placed(*containers: Json, notes: Json | None = None) -> tuple[PodGrants, dict[str, str]]:
    """On a node of two cards, ``a`` fuller than ``b``."""
    given = family.holding(cards("a", "b"), ((grant("a"),),))
    found = family.place(VOLCANO, given, *containers, notes=notes)
    assert not isinstance(found, str), found
    return found


def test_annotations() -> None:
    """No slot for a container without cards, no ``;`` at the end, NVIDIA for the type."""
    grants, notes = placed({}, vgpu(1, 500, cores=20), {}, vgpu(2, percent=10))
    expected = "b,NVIDIA,500,20:;a,NVIDIA,8192,0:b,NVIDIA,8192,0:"
    own = {name: value for name, value in notes.items() if name.startswith("volcano.sh/")}
    assert own == {
        "volcano.sh/vgpu-ids-new": expected,
        "volcano.sh/devices-to-allocate": expected,
        "volcano.sh/vgpu-node": "n",
        "volcano.sh/vgpu-time": "1",
        "volcano.sh/bind-time": "1",
        "volcano.sh/bind-phase": "allocating",
    }
    assert not any("Volcano" in name for name in notes)
    assert [len(slot) for slot in grants] == [0, 1, 0, 2]


def test_what_is_written_is_read_again_in_the_containers_that_ask() -> None:
    asked: tuple[Json, ...] = ({}, vgpu(1, 500), {}, vgpu(2, percent=10))
    grants, notes = placed(*asked, notes={GROUP: "g"})
    assert {each.trait for slot in grants for each in slot} == {"g"}
    assert VOLCANO.recall({**notes, GROUP: "g"}) == tuple(filter(None, grants))
    pod = build.pod(
        *(build.container(f"c{n}", limits) for n, limits in enumerate(asked)),
        annotations={**notes, GROUP: "g"}, nodeName="n", uid="u",
    )  # fmt: skip
    assert held(pod) == grants


def held(pod: Any) -> PodGrants:
    """What a bound pod holds, by its slots."""
    found = records.of(pod, table.build(Settings()), None, lambda *_: Amounts())
    assert found is not None
    return found.grants


def test_what_volcano_itself_gave_counts() -> None:
    """It writes nothing for init containers (16.2)."""
    notes = {"volcano.sh/vgpu-ids-new": "a,NVIDIA,500,20:"}
    init = (build.container("i", vgpu(1)),)
    bare, asks = build.container("b"), build.container("c", vgpu(1))
    fields: Json = {"annotations": notes, "nodeName": "n", "schedulerName": "volcano"}
    pod = build.pod(bare, asks, init=init, **fields)
    assert pod.kinds == (Kind.INIT, Kind.APP, Kind.APP)
    assert held(pod) == ((), (), (grant("a", 500, 20),))


@pytest.mark.parametrize("force", [True, False])
def test_pods_of_volcanos_scheduler_are_left_to_it(force: bool) -> None:
    settings = Settings(force_overwrite_default_scheduler=force)
    pod = build.pod(build.container(limits=vgpu(1)), schedulerName="volcano")
    found = admit.decide(pod, table.build(settings), settings)
    assert "spec.schedulerName is volcano" in found.untouched
    ours = build.pod(build.container(limits=vgpu(1)))
    assert not admit.decide(ours, table.build(settings), settings).untouched


def test_a_pod_that_names_cards_by_hand_gets_its_own() -> None:
    env = [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}, {"name": "A", "value": "b"}]
    pod = build.pod(build.container(limits=vgpu(1), env=env))
    decision = admit.decide(pod, table.build(Settings()), Settings())
    assert any("NVIDIA_VISIBLE_DEVICES is set by the scheduler" in each
               for each in decision.warnings)  # fmt: skip


def test_use_by_nvidias_names_is_seen_on_a_card_that_both_register() -> None:
    """A card is one card, by whichever of its names it was given out."""
    vendors = table.build(Settings())
    facts = build.facts("n", 1)
    both = NodeFacts("n", {**facts.annotations, REGISTER: text("GPU-n-0")}, OFFERED)
    devices = table.node(vendors, both).devices
    assert [each.uuid for word in devices for each in devices[word]] == ["GPU-n-0", "GPU-n-0"]
    taken = ((Grant("GPU-n-0", "NVIDIA", 81000, 0),),)
    given = family.holding(tuple(map(Card, devices["Volcano"])), taken)
    assert family.choose(VOLCANO, given, family.read(VOLCANO, vgpu(1, 1000))) == (
        "1/1 CardInsufficientMemory"
    )


def test_units_of_memory() -> None:
    """Register, request and text count in them; a percentage gives whole ones."""
    vendor = volcano(VolcanoOptions(memory_factor=1000))
    given = family.cards(vendor, node("a,10,81,NVIDIA-A100,true,hami-core:"))
    assert given[0].device.memory_mib == 81000
    for limits, mib in ((vgpu(1, 3), 3000), (vgpu(1, percent=50), 40000)):
        found = family.place(vendor, given, limits)
        assert not isinstance(found, str)
        ((taken,),), notes = found
        assert taken.memory_mib == mib
        assert notes["volcano.sh/vgpu-ids-new"] == f"a,NVIDIA,{mib // 1000},0:"
        assert vendor.recall(notes) == ((taken,),)


def test_names_come_from_the_options() -> None:
    vendor = volcano(VolcanoOptions(resource_count_name="x/n", resource_percent_name="x/p"))
    assert vendor.names.all == ("x/n", "volcano.sh/vgpu-memory", "x/p", "volcano.sh/vgpu-cores")
