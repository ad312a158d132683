"""Pods that ask cards of several families: each family gives what it would give to them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hami_admission.cluster import records
from hami_admission.model.verdict import Unfit
from hami_admission.placement import decision, usage
from hami_admission.placement import pod as pods
from hami_admission.vendors import table
from tests import build
from tests.budgets import times
from tests.vendors.samples import SAMPLES, Json, both
from tests.vendors.test_every_family import EMPTY, MOST, POLICIES, VENDORS, admitted, demand_of

if TYPE_CHECKING:
    from hami_admission.model.grant import PodGrants
    from hami_admission.placement.pod import Demand
    from hami_admission.placement.usage import Cards

NODE = both(*(sample.facts("n", MOST) for sample in SAMPLES.values()))
DEVICES = table.node(VENDORS, NODE).devices
CARDS: dict[str, Cards] = usage.empty(DEVICES).cards
"""Nine of each family."""

often = settings(max_examples=times(1), deadline=None, database=None)
Asks = list[tuple[str, dict[str, Json]]]
"""By container: its kind, and its limits by family."""


def test_one_node_can_have_cards_of_all_families() -> None:
    found = table.node(VENDORS, NODE)
    assert found.mistakes == {}
    assert {word: len(cards) for word, cards in found.devices.items()} == dict.fromkeys(
        VENDORS.words, MOST
    )
    uuids = [card.uuid for cards in found.devices.values() for card in cards]
    assert len(set(uuids)) == len(uuids)


@st.composite
def several(draw: st.DrawFn) -> Asks:
    """Containers of one to three families each, as far as these serve them."""
    asks: Asks = []
    used: set[str] = set()
    for kind in draw(st.lists(st.sampled_from(("init", "sidecar", "app")), min_size=1, max_size=3)):
        words = draw(st.lists(st.sampled_from(sorted(SAMPLES)), max_size=3, unique=True))
        if {"NVIDIA", "Volcano"} <= {*words}:  # they are the same cards, of two device plugins
            words.remove("Volcano")
        own = {
            word: dict(draw(st.sampled_from(SAMPLES[word].limits)))
            for word in words
            if (kind == "app" or SAMPLES[word].init) and (SAMPLES[word].several or word not in used)
        }
        used |= own.keys()
        asks.append((kind, own))
    return asks


def pod_of(asks: Asks, notes: dict[str, str], only: str = "", *, turned: bool = False) -> Json:
    """The pod; ``only`` with the limits of one family, ``turned`` with its keys the other way."""
    apps, init = [build.container("idle")], list[Json]()
    for n, (kind, own) in enumerate(asks):
        limits: Json = {"cpu": 1}
        for word, each in own.items():
            if only in {"", word}:
                limits |= each
        if turned:
            limits = dict(reversed(limits.items()))
        made = build.container(f"c{n}", limits, sidecar=kind == "sidecar")
        (apps if kind == "app" else init).append(made)
    if turned:
        notes = dict(reversed(notes.items()))
    return build.pod_json(*apps, init=tuple(init), annotations=dict(notes))


def placed(demand: Demand) -> PodGrants | Unfit:
    return pods.on_node(demand, CARDS, VENDORS, None)


notes_of = st.sampled_from(POLICIES)


@often
@given(several(), notes_of)
def test_each_family_gives_what_it_gives_alone(asks: Asks, notes: dict[str, str]) -> None:
    words = {word for _, own in asks for word in own}
    if not words:
        return
    demand = demand_of(build.noun(admitted(pod_of(asks, notes))))
    assert demand.words == words
    together = placed(demand)
    alone = {
        word: placed(demand_of(build.noun(admitted(pod_of(asks, notes, word))))) for word in words
    }
    assert isinstance(together, Unfit) == any(isinstance(each, Unfit) for each in alone.values())
    if isinstance(together, Unfit):
        return
    for word, each in alone.items():
        assert each == tuple(
            tuple(grant for grant in slot if grant.vendor == word) for slot in together
        )


@often
@given(several(), notes_of)
def test_the_order_of_keys_changes_nothing(asks: Asks, notes: dict[str, str]) -> None:
    words = {word for _, own in asks for word in own}
    if not words:
        return
    one, other = (admitted(pod_of(asks, notes, turned=turned)) for turned in (False, True))
    assert one == other
    assert demand_of(build.noun(one)) == demand_of(build.noun(other))
    again = EMPTY.admit(build.noun(one))
    assert (again.objections, again.changes) == ((), ())


SPEAKING = ("NVIDIA", "BI-V100", "MR-V100", "Ascend910B2", "Ascend310P", "DCU")
"""Families that set variables, or have some that users cannot set; and one without."""
entries = st.sampled_from((
    "HOME", "NVIDIA_VISIBLE_DEVICES", "CUDA_DEVICE_SM_LIMIT", "ASCEND_VISIBLE_DEVICES",
    "NPU_PRIORITY", "SOL_CONTINER_NAME",
)).map(lambda name: {"name": name, "value": "x"})  # fmt: skip


@often
@given(
    st.lists(st.sampled_from(SPEAKING), min_size=1, max_size=4, unique=True),
    st.none() | st.lists(entries, max_size=6),
)
def test_each_family_sets_in_the_environment_what_it_sets_alone(
    words: list[str], env: list[Json] | None
) -> None:
    def made(*own: str) -> list[Json]:
        limits = {key: value for word in own for key, value in SAMPLES[word].limits[0].items()}
        after = admitted(build.pod_json(build.container("main", limits, env=env)))
        assert EMPTY.admit(build.noun(after)).changes == ()
        found: list[Json] = after["spec"]["containers"][0].get("env") or []
        return found

    together = made(*words)
    set_by = {word: [each for each in made(word) if each not in (env or ())] for word in words}
    assert [each for each in together if each["name"] == "HOME"] == [
        each for each in env or () if each["name"] == "HOME"
    ]
    for each in set_by.values():
        assert all(entry in together for entry in each)
    owned = tuple(name for word in words for name in VENDORS.words[word].owned)
    assert {each["name"] for each in together if each["name"].startswith(owned)} <= {
        entry["name"] for each in set_by.values() for entry in each
    }


@often
@given(several(), notes_of)
def test_all_that_a_pod_holds_is_written_on_it(asks: Asks, notes: dict[str, str]) -> None:
    if not any(own for _, own in asks):
        return
    pod = build.noun(admitted(pod_of(asks, notes)))
    demand = demand_of(pod)
    found = placed(demand)
    if isinstance(found, Unfit):
        return
    names = tuple(container.name for container in pod.containers)
    written = decision.notes(
        decision.Site("n", 1.0, CARDS, containers=names), demand, found, VENDORS
    )
    bound = msgspec.structs.replace(pod, annotations={**pod.annotations, **written})
    assert records.granted(bound, VENDORS, table.read(VENDORS, bound)) == (found, ())


def test_two_families_in_one_container_and_others_in_its_init_container() -> None:
    init = {"kunlunxin.com/vxpu": 1, "kunlunxin.com/vxpu-memory": 30000}
    app = {"amd.com/gpu": 1, "amd.com/gpumem": 1000, "huawei.com/Ascend310P": 1}
    asks: Asks = [("init", {"XPU": init}), ("app", {"": app})]
    document = admitted(pod_of(asks, {}))
    spec = document["spec"]
    assert spec["initContainers"][0]["resources"]["limits"] == {
        "cpu": 1, "kunlunxin.com/vxpu": 1, "kunlunxin.com/vxpu-memory": "49152",
    }  # fmt: skip
    assert spec["containers"][1]["resources"]["limits"] == {
        "cpu": 1, **app, "huawei.com/Ascend310P-memory": "21527",
    }  # fmt: skip
    found = placed(demand_of(build.noun(document)))
    assert not isinstance(found, Unfit)
    assert [[(each.vendor, each.memory_mib) for each in slot] for slot in found] == [
        [("XPU", 49152)], [], [("AMD", 1000), ("Ascend310P", 21527)],
    ]  # fmt: skip


def test_one_family_without_room_keeps_the_pod_waiting() -> None:
    limits = {"amd.com/gpu": 1, "birentech.com/gpu": 10}
    demand = demand_of(build.noun(admitted(build.pod_json(build.container(limits=limits)))))
    assert str(placed(demand)) == "9/9 NodeInsufficientDevice"


def test_nvidia_cards_by_two_names_in_one_container_are_refused() -> None:
    limits = {"nvidia.com/gpu": 1, "volcano.sh/vgpu-number": 1}
    found = EMPTY.admit(build.pod(build.container(limits=limits)))
    assert "volcano.sh/vgpu-number" in " ".join(map(str, found.objections))
