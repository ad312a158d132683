"""Huawei Ascend (facts/devices.md 8): parts by template, soft parts, networks, pairs of dies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.admission import admit, changes
from hami_admission.model.grant import Grant
from hami_admission.model.pod import Kind
from hami_admission.model.request import Request
from hami_admission.model.verdict import sentence
from hami_admission.model.wishes import Selection, Wishes
from hami_admission.options import ASCEND_CHIPS, AscendOptions
from hami_admission.placement import fit
from hami_admission.quota import charge
from hami_admission.settings import Settings
from hami_admission.vendors import table
from hami_admission.vendors.ascend import ascend
from tests import build
from tests.vendors import family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.vendors.vendor import Vendor
    from hami_admission.wire.nodes import NodeFacts

Json = dict[str, Any]
SOFT = {"huawei.com/vnpu-mode": "hami-core"}
TEMPLATE = {"huawei.com/vnpu-mode": "template"}
WORDS = [chip.common_word for chip in ASCEND_CHIPS]
FACTORED = AscendOptions(
    configs=tuple(msgspec.structs.replace(chip, memory_factor=1024) for chip in ASCEND_CHIPS)
)


def of(word: str, options: AscendOptions | None = None) -> Vendor:
    """One chip."""
    return family.of(f"Ascend{word}", Settings(vnpus=options or AscendOptions()))


def amounts(word: str, count: Any = None, memory: Any = None, core: Any = None) -> Json:
    """Resource amounts by the chip's names."""
    named = {"": count, "-memory": memory, "-core": core}
    return {
        f"huawei.com/Ascend{word}{key}": value for key, value in named.items() if value is not None
    }


def read(word: str, *given: Any, notes: Mapping[str, str] | None = None) -> Any:
    """What a container with these amounts asks: its request, its new limits."""
    found = family.read(of(word), amounts(word, *given), notes=notes)
    return found.request and (found.request, found.limits)


def asked(word: str, count: int, memory: int, cores: int = 0, mode: str = "") -> Request:
    """A request; memory in MiB."""
    return Request(f"Ascend{word}", count, memory, 100, cores, trait=mode)


REQUESTS: dict[str, tuple[Any, Any]] = {
    "910A: up to the size above": (
        read("910A", 1, 2000), (asked("910A", 1, 2184), amounts("910A", None, 2184)),
    ),
    "910A: exactly a size": (read("910A", 1, "4369"), (asked("910A", 1, 4369), {})),
    "910A: between two sizes": (
        read("910A", 1, 4370), (asked("910A", 1, 8738), amounts("910A", None, 8738)),
    ),
    "910A: the largest size": (read("910A", 1, 17476), (asked("910A", 1, 17476), {})),
    "910A: beyond the largest size": (
        read("910A", 1, 17477), (asked("910A", 1, 32768), amounts("910A", None, 32768)),
    ),
    "910B2": (read("910B2", 1, 2000), (asked("910B2", 1, 8192), amounts("910B2", None, 8192))),
    "910B3": (read("910B3", 1, 2000), (asked("910B3", 1, 16384), amounts("910B3", None, 16384))),
    "910B4-1": (
        read("910B4-1", 1, 16385), (asked("910B4-1", 1, 32768), amounts("910B4-1", None, 32768)),
    ),
    "910B4": (read("910B4", 1, 8193), (asked("910B4", 1, 16384), amounts("910B4", None, 16384))),
    "310P": (read("310P", 1, 2000), (asked("310P", 1, 3072), amounts("310P", None, 3072))),
    "310P: a whole chip offers less than it has": (
        read("310P", 1, 24576), (asked("310P", 1, 21527), amounts("310P", None, 21527)),
    ),
    "no memory is the whole chip": (
        read("310P", 2), (asked("310P", 2, 21527), amounts("310P", None, 21527)),
    ),
    "memory 0 is the whole chip": (
        read("910B2", 1, 0), (asked("910B2", 1, 65536), amounts("910B2", None, 65536)),
    ),
    "memory alone is of one": (
        read("910B3", None, 16384), (asked("910B3", 1, 16384), amounts("910B3", 1)),
    ),
    "several are whole": (read("910B3", 4, 65536), (asked("910B3", 4, 65536), {})),
    "cores of zero are no cores": (
        read("910B3", 1, 16384, 0), (asked("910B3", 1, 16384), {}),
    ),
    "soft: as it is asked": (
        read("910B3", 1, 28672, 40, notes=SOFT), (asked("910B3", 1, 28672, 40, "hami-core"), {}),
    ),
    "soft: several in part": (
        read("910B3", 2, 1000, notes=SOFT), (asked("910B3", 2, 1000, 0, "hami-core"), {}),
    ),
    "soft: no memory is the whole chip": (
        read("310P", 1, None, 50, notes=SOFT),
        (asked("310P", 1, 21527, 50, "hami-core"), amounts("310P", None, 21527)),
    ),
    "by template alone": (
        read("910B3", 1, 2000, notes=TEMPLATE),
        (asked("910B3", 1, 16384, 0, "template"), amounts("910B3", None, 16384)),
    ),
    "910C: one is two": (
        read("910C", 1), (asked("910C", 2, 65536), amounts("910C", 2, 65536)),
    ),
    "910C: one in part is two whole ones (hazard A2)": (
        read("910C", 1, 16384), (asked("910C", 2, 65536), amounts("910C", 2, 65536)),
    ),
    "910C: one in part, softly, is two in part": (
        read("910C", 1, 16384, 20, notes=SOFT),
        (asked("910C", 2, 16384, 20, "hami-core"), amounts("910C", 2)),
    ),
    "910C: an even number": (
        read("910C", 4), (asked("910C", 4, 65536), amounts("910C", None, 65536)),
    ),
    "nothing": (read("910C"), None),
    "zero": (read("910C", 0), None),
}  # fmt: skip


@pytest.mark.parametrize("sentence", REQUESTS)
def test_request(sentence: str) -> None:
    found, expected = REQUESTS[sentence]
    assert found == expected


REFUSED: dict[str, tuple[str, tuple[Any, ...], Mapping[str, str], str]] = {
    "more memory than the chip has": (
        "310P", (1, 24577), {}, "limits[huawei.com/Ascend310P-memory]: Invalid value: 24577: more"
        " than an NPU has; write 21527, or leave it out",
    ),
    "more memory than the chip has, softly": (
        "910A", (1, 32769), SOFT, "Invalid value: 32769: more than an NPU has; write 32768",
    ),
    "bytes": ("910A", (1, "16Gi"), {}, "Invalid value: 16Gi: the unit is MiB already"),
    "cores of a part that is cut": (
        "910B3", (1, 16384, 25), {}, "limits[huawei.com/Ascend910B3-core]: Invalid value: 25: parts"
        " that are cut have cores of their own; remove it, or add the annotation"
        " huawei.com/vnpu-mode: hami-core",
    ),
    "more cores than there are": ("910B3", (1, 1000, 101), SOFT, "from 0 to 100"),
    "several parts": (
        "910B3", (2, 16384), {}, "limits[huawei.com/Ascend910B3-memory]: Invalid value: 16384:"
        " several NPUs of a container are given whole; remove it, or write 65536, or add",
    ),
    "910C: two parts": ("910C", (2, 16384), {}, "Invalid value: 16384: several NPUs"),
    "910C: an odd number": (
        "910C", (3,), {}, "limits[huawei.com/Ascend910C]: Invalid value: 3: dies are given out in"
        " pairs: write an even number",
    ),
    "910C: an odd number, softly": ("910C", (3, 1000), SOFT, "Invalid value: 3: dies are given"),
    "a mode that there is not": (
        "910B3", (1,), {"huawei.com/vnpu-mode": "hami"}, "metadata.annotations"
        "[huawei.com/vnpu-mode]: Invalid value: 'hami': must be hami-core or template",
    ),
    "a negative number": ("910B3", (-1,), {}, "Invalid value: -1: must be a whole number"),
    "no number": ("910B3", (1, "all"), {}, "Invalid value: all"),
}  # fmt: skip


@pytest.mark.parametrize("sentence", REFUSED)
def test_refused(sentence: str) -> None:
    word, given, notes, expected = REFUSED[sentence]
    found = family.read(of(word), amounts(word, *given), notes=notes)
    assert found.request is None
    assert expected in family.objection(found)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = family.read(of("910C"), amounts("910C", 3, 1000, 20))
    assert len(found.objections) == 3


def test_who_asks_by_requests_alone_is_told_so_there() -> None:
    found = family.read(of("910C"), None, amounts("910C", 3))
    assert "resources.requests[huawei.com/Ascend910C]: Invalid value: 3" in family.objection(found)


def test_requests_stand_for_limits() -> None:
    given = amounts("910B3", 1, 1000, 20)
    assert family.read(of("910B3"), None, given, SOFT).limits == given


def test_a_chip_without_a_word_for_memory_is_given_whole() -> None:
    chip = msgspec.structs.replace(ASCEND_CHIPS[2], resource_memory_name="")
    found = family.read(of("910B3", AscendOptions(configs=(chip,))), amounts("910B3", 1))
    assert (found.request, found.limits) == (asked("910B3", 1, 65536), {})


def test_one_die_of_two_is_explained() -> None:
    """Upstream's example ``job-910C.yaml``: it enters, as there, and is told what it gets."""
    pair, whole = family.read(of("910C"), amounts("910C", 1, 16384)).warnings
    assert pair.endswith("huawei.com/Ascend910C: 1 means 2, the two dies of a module")
    assert "huawei.com/Ascend910C-memory: both dies are given whole, because" in whole
    assert whole.endswith("for parts add the annotation huawei.com/vnpu-mode: hami-core")
    assert len(family.read(of("910C"), amounts("910C", 1, 65536)).warnings) == 1
    assert len(family.read(of("910C"), amounts("910C", 1, 0)).warnings) == 2
    assert len(family.read(of("910C"), amounts("910C", 1, 1000), notes=SOFT).warnings) == 1
    assert family.read(of("910C"), amounts("910C", 2, 65536)).warnings == ()


def test_without_super_pods_single_dies_are_cut() -> None:
    single = msgspec.structs.replace(ASCEND_CHIPS[-1], super_pod=False)
    vendor = of("910C", AscendOptions(configs=(single,)))
    found = family.read(vendor, amounts("910C", 1, 16384))
    assert found.request == asked("910C", 1, 16384)
    three = family.read(vendor, amounts("910C", 3))
    given = family.cards(vendor, node("910C", range(1, 4)))
    assert family.indices(given, family.choose(vendor, given, three)) == [1, 2, 3]


@pytest.mark.parametrize("word", [word.removeprefix("Ascend") for word in WORDS])
@pytest.mark.parametrize("mode", ["", "hami-core", "template"])
@pytest.mark.parametrize("options", [AscendOptions(), FACTORED], ids=["MiB", "GiB"])
def test_what_was_rewritten_is_not_rewritten_again(
    word: str, mode: str, options: AscendOptions
) -> None:
    vendor, notes = of(word, options), {"huawei.com/vnpu-mode": mode}
    unit = vendor.names.unit_mib
    for memory in (None, *range(0, 32769 // unit, max(1, 1000 // unit))):
        limits = amounts(word, 1, memory)
        first = family.read(vendor, limits, notes=notes)
        again = family.read(vendor, {**limits, **first.limits}, notes=notes)
        assert first.request is not None or memory is not None
        assert (again.request, again.limits, again.objections) == (
            first.request, {}, first.objections,
        )  # fmt: skip


def test_larger_units_round_to_what_is_given() -> None:
    """16 GiB fit a part of 17476 MiB; a quota counts the part, in the same units."""
    vendor = of("910A", FACTORED)
    found = family.read(vendor, amounts("910A", 1, 16))
    assert found.request == asked("910A", 1, 17476)
    assert found.limits == amounts("910A", None, 17)
    whole = family.read(of("310P", FACTORED), amounts("310P", 1))
    assert (whole.request, whole.limits) == (asked("310P", 1, 21527), amounts("310P", None, 21))


@pytest.mark.parametrize(
    ("options", "asks", "counts"), [(AscendOptions(), 2000, 2184), (FACTORED, 2, 3)]
)
def test_a_quota_counts_the_part_and_not_what_was_asked(
    options: AscendOptions, asks: int, counts: int
) -> None:
    vendor = of("910A", options)
    reading = family.read(vendor, amounts("910A", 1, asks))
    assert reading.request is not None
    kinds, names = (Kind.APP,), {vendor.word: vendor.names}
    before = charge.of_requests(kinds, ((reading.request,),), names, lambda _: 0)
    given = family.choose(vendor, family.cards(vendor, node("910A")), reading)
    assert before == charge.of_grants(kinds, (given,), names)
    assert before["huawei.com/Ascend910A-memory"] == counts


def node(word: str, indices: Any = range(8), **annotations: str) -> NodeFacts:
    """A node whose plugin offers these dies of 910B3's size, each with its NetworkID."""
    listed = [
        {
            "id": f"d{index}", "index": index, "count": 4, "devmem": 65536, "devcore": 20,
            "type": f"Ascend{word}", "health": True, "custominfo": {"NetworkID": int(index > 3)},
        }
        for index in indices
    ]  # fmt: skip
    register = msgspec.json.encode(listed).decode()
    given = {name.replace("_", "-"): value for name, value in annotations.items()}
    return family.node({f"hami.io/node-register-Ascend{word}": register, **given})


def plain(given: NodeFacts) -> NodeFacts:
    """The node with a plugin that says nothing of networks."""
    (name, text), *others = given.annotations.items()
    listed = msgspec.json.decode(text)
    bare = [{key: each[key] for key in each if key != "custominfo"} for each in listed]
    return family.node({name: msgspec.json.encode(bare).decode(), **dict(others)})


P310 = (
    '[{"id":"68496E64","count":7,"devmem":21527,"devcore":8,"type":"Ascend310P","health":true},'
    '{"id":"2D7B7E60","index":1,"count":7,"devmem":21527,"devcore":8,"type":"Ascend310P"}]'
)


def test_the_plugin_says_what_there_is() -> None:
    facts = family.node({"hami.io/node-register-Ascend310P": P310})
    found = of("310P").inventory(facts)
    assert found.handover is not None
    assert found.handover.lock == "hami.io/mutex.lock"
    assert [(each.uuid, each.index, each.healthy) for each in found.devices] == [
        ("68496E64", 0, True), ("2D7B7E60", 1, False),
    ]  # fmt: skip
    first = found.devices[0]
    assert (first.memory_mib, first.cores, first.slots) == (21527, 8, 7)
    assert of("310P").inventory(node("910B3")).devices == ()


def test_a_plugin_that_does_not_answer_is_gone() -> None:
    said = {"hami.io/node-register-Ascend310P": P310}
    for text, until in (
        ("Requesting_1970-01-01 00:00:00", 60.0),
        ("Reported_1970.01.01 00:00:00", float("inf")),
    ):
        facts = family.node({**said, "hami.io/node-handshake-Ascend310P": text})
        assert of("310P").inventory(facts).until == until


MODES: dict[str, tuple[bool, dict[str, str], tuple[str, int]]] = {
    "cut": (False, {}, ("template", 20)),
    "soft": (True, {}, ("hami-core", 100)),
    "the node says that it is soft": (False, {"hami_vnpu_core": "true"}, ("hami-core", 100)),
    "the node says that it is not": (True, {"hami_vnpu_core": "false"}, ("template", 20)),
}


@pytest.mark.parametrize("sentence", MODES)
def test_mode_of_a_node(sentence: str) -> None:
    """Softly a card has 100 percent points, whatever cores its plugin counts."""
    soft, annotations, expected = MODES[sentence]
    vendor = of("910B3", AscendOptions(hami_vnpu_core=soft))
    (device, *_) = vendor.inventory(node("910B3", **annotations)).devices
    assert (device.mode, device.cores) == expected


def test_a_soft_plugin_may_offer_more_than_all_cores() -> None:
    text = P310.replace('"devcore":8', '"devcore":150')
    facts = family.node({"hami.io/node-register-Ascend310P": text, "hami-vnpu-core": "true"})
    assert of("310P").inventory(facts).devices[0].cores == 150


CUT_NODE, SOFT_NODE = node("910B3"), node("910B3", hami_vnpu_core="true")


def choose(
    word: str,
    facts: NodeFacts,
    *given: Any,
    notes: Mapping[str, str] | None = None,
    taken: Mapping[int, tuple[int, int]] | None = None,
    wishes: Wishes = family.BINPACK,
) -> Any:
    """The indices that a request gets, or why not; ``taken`` is MiB and cores by index."""
    vendor = of(word)
    cards = family.holding(
        family.cards(vendor, facts),
        *(
            ((Grant(f"d{index}", vendor.word, memory, cores),),)
            for index, (memory, cores) in (taken or {}).items()
        ),
    )
    reading = family.read(vendor, amounts(word, *given), notes=notes)
    found = family.choose(vendor, cards, reading, wishes)
    return found if isinstance(found, str) else family.indices(cards, found)


HALF, ALL = (32768, 0), (65536, 0)
CHOICES: dict[str, tuple[Any, Any]] = {
    "a part": (choose("910B3", CUT_NODE, 1, 16384), [0]),
    "a part of the fullest": (choose("910B3", CUT_NODE, 1, 16384, taken={5: HALF}), [5]),
    "a part of the idlest": (
        choose("910B3", CUT_NODE, 1, 16384, taken={0: HALF}, wishes=family.SPREAD), [1],
    ),
    "no part where none is left": (
        choose("910B3", node("910B3", [0]), 1, 16384, taken={0: ALL}), "1/1 CardInsufficientMemory",
    ),
    "a whole chip is nobody's": (
        choose("910B3", node("910B3", [0, 1]), 1, taken={0: HALF}), [1],
    ),
    "the mode of the node does not matter": (choose("910B3", SOFT_NODE, 1, 16384), [0]),
    "soft on a soft node": (choose("910B3", SOFT_NODE, 1, 1000, 40, notes=SOFT), [0]),
    "soft on a node that cuts": (
        choose("910B3", CUT_NODE, 1, 1000, 40, notes=SOFT), "8/8 ModeNotFit",
    ),
    "cut on a soft node": (choose("910B3", SOFT_NODE, 1, 16384, notes=TEMPLATE), "8/8 ModeNotFit"),
    "cut on a node that cuts": (choose("910B3", CUT_NODE, 1, 16384, notes=TEMPLATE), [0]),
    "soft, as many cores as are left": (
        choose("910B3", SOFT_NODE, 1, 1000, 40, notes=SOFT, taken={0: (1000, 60)}), [0],
    ),
    "soft, more cores than are left": (
        choose("910B3", SOFT_NODE, 1, 1000, 41, notes=SOFT, taken={0: (1000, 60)}), [1],
    ),
    "all cores of a card are the card alone": (
        choose("910B3", node("910B3", [0], hami_vnpu_core="true"), 1, 1000, 100, notes=SOFT,
            taken={0: (1000, 0)}), "1/1 ExclusiveDeviceAllocateConflict",
    ),
    "one is the first by policy, not of the largest network": (
        choose("910B3", node("910B3", [0, 4, 5]), 1, 16384), [0],
    ),
    "several of one network": (choose("910B3", node("910B3", [0, 4, 5]), 2), [4, 5]),
    "the largest network first": (
        choose("910B3", CUT_NODE, 6, taken={0: HALF}), [4, 5, 6, 7, 1, 2],
    ),
    "several where networks are not known": (
        choose("910B3", plain(node("910B3", [0, 4, 5])), 2), [0, 4],
    ),
    "310P has no networks": (choose("310P", node("310P", [0, 4, 5]), 2), [0, 4]),
    "more than there are": (choose("910B3", CUT_NODE, 9), "8/8 NodeInsufficientDevice"),
    "910C: the dies of a module": (choose("910C", node("910C"), 1), [0, 1]),
    "910C: no half of a module": (choose("910C", node("910C", range(1, 5)), 1), [2, 3]),
    "910C: two modules": (choose("910C", node("910C"), 4, taken={1: HALF}), [2, 3, 4, 5]),
    "910C: halves alone": (
        choose("910C", node("910C"), 1, taken=dict.fromkeys((0, 3, 4, 7), ALL)),
        "4/8 AllocatedCardsInsufficientRequest, 4/8 CardInsufficientMemory",
    ),
    "910C: by the number of the die, not by its place in the list (hazard K1)": (
        choose("910C", node("910C", [1, 2, 3, 4]), 2), [2, 3],
    ),
    "910C: modules keep the policy": (
        choose("910C", node("910C", hami_vnpu_core="true"), 1, 1000, notes=SOFT,
            taken={6: (2000, 0), 7: (1000, 0)}), [6, 7],
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CHOICES)
def test_choice(sentence: str) -> None:
    found, expected = CHOICES[sentence]
    assert found == expected


def test_that_there_are_only_halves_is_known_before_a_choice() -> None:
    vendor = of("910C")
    halves = family.cards(vendor, node("910C", [0, 3, 5]))
    found = fit.possible(vendor, halves, asked("910C", 2, 65536), family.BINPACK)
    assert str(found) == "3/3 AllocatedCardsInsufficientRequest"


def test_users_choose_dies_by_uuid() -> None:
    assert of("910B3").keys.all == (
        "hami.io/use-Ascend910B3-uuid",
        "hami.io/no-use-Ascend910B3-uuid",
    )
    only = Wishes("binpack", ("binpack",), (("Ascend910B3", Selection(uuids=frozenset({"d6"}))),))
    assert choose("910B3", CUT_NODE, 1, 16384, wishes=only) == [6]


@pytest.mark.parametrize("word", ["910B4", "910B4-1"])
def test_chips_with_names_alike_stay_apart(word: str) -> None:
    """Upstream takes the one for the other, by a part of the name (hazard T1)."""
    others = {"910B4": "910B4-1", "910B4-1": "910B4"}
    vendors = table.build(Settings())
    found = table.node(vendors, node(others[word])).devices
    assert list(found) == [f"Ascend{others[word]}"]
    pod = build.pod(build.container(limits=amounts(word, 1)))
    assert list(table.read(vendors, pod)) == [f"Ascend{word}"]


SCORES: dict[str, tuple[str, NodeFacts, list[list[int]], float]] = {
    "all in one network": ("910B3", CUT_NODE, [[0, 1, 2]], 1.0),
    "in two networks": ("910B3", CUT_NODE, [[0, 1, 2, 4]], 0.75),
    "on average over containers": ("910B3", CUT_NODE, [[0, 1], [], [3, 4]], 0.75),
    "one alone": ("910B3", CUT_NODE, [[5]], 1.0),
    "one alone that says nothing": ("910B3", plain(CUT_NODE), [[5]], 1.0),
    "several that say nothing": ("910B3", plain(CUT_NODE), [[0, 1]], 0.5),
    "a module": ("910C", node("910C"), [[0, 1]], 1.0),
    "nothing given": ("910B3", CUT_NODE, [[]], 0.0),
}


@pytest.mark.parametrize("sentence", SCORES)
def test_score(sentence: str) -> None:
    word, facts, slots, expected = SCORES[sentence]
    vendor = of(word)
    given = tuple(tuple(Grant(f"d{n}", vendor.word, 1, 0) for n in slot) for slot in slots)
    assert vendor.score is not None
    assert vendor.score(family.cards(vendor, facts), given, family.BINPACK) == expected


def test_310p_has_no_score() -> None:
    assert of("310P").score is None


def place(word: str, facts: NodeFacts, *containers: Json, notes: Any = None) -> dict[str, str]:
    """The annotations of the Binding, which are read again as they were given."""
    vendor = of(word)
    found = family.place(vendor, family.cards(vendor, facts), *containers, notes=notes)
    assert not isinstance(found, str), found
    assert vendor.recall(found[1]) == found[0]
    return found[1]


GIVEN: dict[str, tuple[dict[str, str], str, str]] = {
    "a part": (
        place("910B3", CUT_NODE, amounts("910B3", 1, 2000)),
        '[{"UUID":"d0","temp":"vir05_1c_16g","memory":16384,"core":5}]',
        "d0,Ascend910B3,16384,0:;",
    ),
    "a whole chip": (
        place("910B3", CUT_NODE, amounts("910B3", 1)),
        '[{"UUID":"d0","memory":65536,"core":20}]',
        "d0,Ascend910B3,65536,0:;",
    ),
    "soft": (
        place("910B3", SOFT_NODE, amounts("910B3", 1, 28672, 40), notes=SOFT),
        '[{"UUID":"d0","memory":28672,"core":40}]',
        "d0,Ascend910B3,28672,40:;",
    ),
    "soft without cores": (
        place("910B3", SOFT_NODE, amounts("910B3", 1, 16384), notes=SOFT),
        '[{"UUID":"d0","memory":16384}]',
        "d0,Ascend910B3,16384,0:;",
    ),
    "a part that the node shares softly": (
        place("910B3", SOFT_NODE, amounts("910B3", 1, 2000)),
        '[{"UUID":"d0","memory":16384}]',
        "d0,Ascend910B3,16384,0:;",
    ),
    "containers one after another": (
        place("910C", node("910C"), {}, amounts("910C", 1), amounts("910C", 2)),
        "[" + ",".join(f'{{"UUID":"d{n}","memory":65536,"core":20}}' for n in range(4)) + "]",
        ";d0,Ascend910C,65536,0:d1,Ascend910C,65536,0:;d2,Ascend910C,65536,0:d3,Ascend910C,65536,0:;",
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", GIVEN)
def test_annotations(sentence: str) -> None:
    found, given, pair = GIVEN[sentence]
    word = pair.split(",")[1]
    assert found[f"huawei.com/{word}"] == given
    assert found["predicate-time"] == "1"
    assert found[f"hami.io/{word}-devices-to-allocate"] == pair
    assert found[f"hami.io/{word}-devices-allocated"] == pair
    assert f"hami.io/card-details.{word}" not in found


@pytest.mark.parametrize("chip", ASCEND_CHIPS, ids=WORDS)
def test_every_size_has_its_name(chip: Any) -> None:
    word = chip.common_word.removeprefix("Ascend")
    single = msgspec.structs.replace(chip, super_pod=False)
    vendor = of(word, AscendOptions(configs=(single,)))
    for part in chip.templates:
        cards = family.cards(vendor, node(word))
        found = family.place(vendor, cards, amounts(word, 1, part.memory - 1))
        assert not isinstance(found, str), found
        (told,) = msgspec.json.decode(found[1][f"huawei.com/{chip.common_word}"])
        assert told == {
            "UUID": "d0", "temp": part.name, "memory": part.memory, "core": part.ai_core,
        }  # fmt: skip


def admit_pod(document: Json, options: AscendOptions) -> Json:
    """The pod as it leaves admission, and would leave it if it came again."""
    settings = Settings(vnpus=options)
    vendors = table.build(settings)
    found = admit.decide(build.noun(document), vendors, settings)
    assert not found.objections, sentence(found.objections)
    after = changes.apply(document, changes.operations(found.changes))
    assert admit.decide(build.noun(after), vendors, settings).changes == ()
    return after


def test_memory_is_written_to_limits_and_to_requests() -> None:
    """Wherever the pod names it; Kubernetes wants both to be equal."""
    some, full = amounts("910A", 1, 2000), amounts("910A", "1", "2184")
    for limits, requests in ((some, some), ({}, some), (None, some), (amounts("910A", 1), None)):
        document = build.pod_json(build.container(limits=limits, requests=requests))
        found = admit_pod(document, AscendOptions())["spec"]["containers"][0]["resources"]
        written = {name: str(value) for name, value in found["limits"].items()}
        assert written == (full if requests else amounts("910A", "1", "32768"))
        said = {name: str(value) for name, value in found.get("requests", {}).items()}
        assert said in ({}, written)


def test_one_die_becomes_two_in_requests_too() -> None:
    limits = amounts("910C", 1, 16384)
    document = build.pod_json(build.container(limits=limits, requests=limits))
    found = admit_pod(document, AscendOptions())["spec"]["containers"][0]["resources"]
    assert found["limits"] == found["requests"] == amounts("910C", "2", "65536")


OVERWRITING = AscendOptions(
    configs=tuple(
        msgspec.structs.replace(chip, overwrite_env=True, runtime_class_name="ascend")
        for chip in ASCEND_CHIPS
    )
)


def test_containers_without_npus_see_none_where_the_chip_says_so() -> None:
    document = build.pod_json(
        build.container("a", amounts("910B3", 1, 16384)),
        build.container("b", env=[{"name": "ASCEND_VISIBLE_DEVICES", "value": "0"}]),
        build.container("c", env=[{"name": "MINE", "value": "0"}]),
        build.container("d", amounts("310P", 1)),
    )
    found = admit_pod(document, OVERWRITING)["spec"]["containers"]
    hidden = {"name": "ASCEND_VISIBLE_DEVICES", "value": ""}
    mine = {"name": "MINE", "value": "0"}
    assert [each.get("env") for each in found] == [None, [hidden], [mine, hidden], None]
    found = admit_pod(document, AscendOptions())["spec"]["containers"]
    assert [each.get("env") for each in found][1:] == [[{**hidden, "value": "0"}], [mine], None]


def test_npus_are_not_named_by_hand() -> None:
    """What the pod says would win over what the device plugin says."""
    names = ("ASCEND_VISIBLE_DEVICES", "ASCEND_VNPU_SPECS", "NPU_MEM_QUOTA", "NPU_PRIORITY", "MINE")
    env = [{"name": name, "value": "0,1"} for name in names]
    document = build.pod_json(build.container("a", amounts("910B3", 1), env=env))
    (found,) = admit_pod(document, AscendOptions())["spec"]["containers"]
    assert found["env"] == [{"name": "MINE", "value": "0,1"}]


def test_runtime_class() -> None:
    document = build.pod_json(build.container(limits=amounts("910B3", 1)))
    assert admit_pod(document, OVERWRITING)["spec"]["runtimeClassName"] == "ascend"
    assert "runtimeClassName" not in admit_pod(document, AscendOptions())["spec"]
    document["spec"]["runtimeClassName"] = "own"
    assert admit_pod(document, OVERWRITING)["spec"]["runtimeClassName"] == "own"


def test_names_and_words() -> None:
    vendors = ascend(AscendOptions())
    assert [vendor.word for vendor in vendors] == WORDS
    for vendor in vendors:
        count = f"huawei.com/{vendor.word}"
        assert vendor.names.all == (count, f"{count}-memory", f"{count}-core")
        assert vendor.register == f"hami.io/node-register-{vendor.word}"
        assert vendor.reads == ("huawei.com/vnpu-mode",)


def test_what_hami_wrote_is_read() -> None:
    notes = {"hami.io/Ascend310P-devices-allocated": ";68496E64,Ascend310P,3072,0:;"}
    assert of("310P").recall(notes) == ((), (Grant("68496E64", "Ascend310P", 3072, 0),))
