"""Annotations of the decision that somebody has damaged, of every family: never nothing is held.

What can be read is told here by a pattern, apart from the readers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hami_admission.cluster import events, records
from hami_admission.cluster.state import Cluster
from hami_admission.model.verdict import Unfit
from hami_admission.placement import decision
from hami_admission.settings import Settings
from hami_admission.vendors import table
from tests import build
from tests.budgets import times
from tests.vendors.test_every_family import (
    ALL,
    VENDORS,
    admitted,
    cards,
    demand_of,
    documents,
    every,
    placed,
)
from tests.vendors.ways import family

if TYPE_CHECKING:
    from hami_admission.model.pod import Pod

NODE_CARDS = 5
PART = re.compile(r"([^:;]*)([:;]|$)")
WHOLE = re.compile(r"\s*[^,\s][^,]*,[^,]*,\s*[0-9]{1,10}\s*,\s*[0-9]{1,10}\s*(,.*)?", re.DOTALL)
often = settings(
    max_examples=times(0.06),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    database=None,
)
GARBAGE = st.text(max_size=12) | st.sampled_from(("-1", "1.5", "8Gi", "99999999999", "none"))


@st.composite
def bound(draw: st.DrawFn, way: str) -> tuple[Pod, frozenset[str]]:
    """A pod as its Binding leaves it on node ``n``, and the annotations that say its cards."""
    given, word = cards(way, NODE_CARDS), family(way)
    pod = build.noun({**admitted(draw(documents(way)))})
    demand = demand_of(pod)
    found = placed(demand, given)
    assume(not isinstance(found, Unfit))
    assert not isinstance(found, Unfit)
    names = tuple(container.name for container in pod.containers)
    notes = decision.notes(
        decision.Site("n", 1.0, {word: given}, containers=names), demand, found, VENDORS
    )
    recall = VENDORS.words[word].recall
    texts = frozenset(
        name for name, text in notes.items()
        if not any(recall({key: each for key, each in notes.items() if each != text}))
    )  # fmt: skip
    assert texts
    notes = {**pod.annotations, **notes}
    return msgspec.structs.replace(pod, node_name="n", annotations=notes), texts


@st.composite
def damages(draw: st.DrawFn, text: str) -> str:
    """The text, cut anywhere, with a field of garbage, or with separators doubled."""
    at = draw(st.integers(0, len(text)))
    ways = {
        "begin": lambda: text[at:],
        "end": lambda: text[:at],
        "field": lambda: _replaced(draw, text),
        "separators": lambda: _doubled(draw, text),
        "all": lambda: draw(GARBAGE),
    }
    return ways[draw(st.sampled_from(sorted(ways)))]()


def _replaced(draw: st.DrawFn, text: str) -> str:
    fields = [found.span() for found in re.finditer(r"[^,:;]+", text)]
    start, end = draw(st.sampled_from(fields))
    return text[:start] + draw(GARBAGE) + text[end:]


def _doubled(draw: st.DrawFn, text: str) -> str:
    places = [found.start() for found in re.finditer(r"[,:;]", text)]
    which = draw(st.sets(st.sampled_from(places), min_size=1))
    return "".join(each * 2 if n in which else each for n, each in enumerate(text))


def uuid_of(part: str, word: str) -> str:
    """Of a part that has one; HAMi wrote that of NVIDIA's instances as ``UUID[template-slot]``."""
    uuid, comma, _ = part.partition(",")
    if not comma:
        return ""
    return uuid.strip().partition("[")[0] if word == "NVIDIA" else uuid.strip()


def holds(pod: Pod) -> set[str]:
    """The cards that the pod holds all the same."""
    found, unasked = records.granted(pod, VENDORS, table.read(VENDORS, pod))
    assert unasked == ()
    return {grant.uuid for slot in found for grant in slot}


@every
@often
@given(data=st.data())
def test_a_text_that_is_damaged_holds_what_it_names_and_closes_what_it_does_not(
    way: str, data: st.DataObject
) -> None:
    pod, texts = data.draw(bound(way))
    before = {pod.annotations[name] for name in texts}.pop()
    text = data.draw(damages(before), label="damaged")
    notes = {**pod.annotations, **dict.fromkeys(texts, text)}
    pod = msgspec.structs.replace(pod, annotations=notes)
    parts = [(part, end) for part, end in PART.findall(text) if part.strip()]
    named = {uuid for part, _ in parts if (uuid := uuid_of(part, family(way)))}
    assert holds(pod) >= named
    cluster = Cluster(Settings())
    cluster.apply(events.NodeSeen(ALL[way].facts("n", NODE_CARDS)), 0)
    cluster.apply(events.PodSeen(pod), 0)
    there = {card.device.uuid: card for card in cluster.usage()["n"].cards[family(way)]}
    unread = {uuid for uuid, card in there.items() if card.unread}
    bad = {
        uuid_of(part, family(way)) for part, end in parts if end != ":" or not WHOLE.fullmatch(part)
    }
    assert unread >= (bad if bad <= there.keys() and parts else there.keys())
    assert {uuid for uuid, card in there.items() if card.slots or card.unread} >= named & {*there}
    cluster.apply(events.PodGone(pod.uid), 0)
    assert not any(card.slots or card.unread for card in cluster.usage()["n"].cards[family(way)])


@every
@often
@given(data=st.data())
def test_whatever_else_is_damaged_the_cards_stay_held(way: str, data: st.DataObject) -> None:
    pod, texts = data.draw(bound(way))
    name = data.draw(st.sampled_from(sorted(pod.annotations.keys() - texts)))
    text = data.draw(damages(pod.annotations[name] + ","), label="damaged")
    damaged = msgspec.structs.replace(pod, annotations={**pod.annotations, name: text})
    assert holds(damaged) == holds(pod)


MODES: dict[str, tuple[str, dict[str, Any]]] = {
    "details": ("hami.io/card-details.Metax-SGPU", {"metax-tech.com/sgpu": 1}),
    "reservations": ("hami.io/vgpu-mig-allocations", build.gpu(1, memory=1000)),
}


@pytest.mark.parametrize("sort", MODES)
def test_cards_whose_parts_cannot_be_read_are_held_whole(sort: str) -> None:
    key, limits = MODES[sort]
    word = "NVIDIA" if sort == "reservations" else "Metax-SGPU"
    allocated = "hami.io/vgpu-devices-allocated" if word == "NVIDIA" else (
        "hami.io/metax-sgpu-devices-allocated"
    )  # fmt: skip
    pod = build.pod(
        build.container(limits=limits),
        nodeName="n",
        annotations={allocated: f"a,{word},1000,10:;", key: "[{"},
    )
    ((grant,),), _ = records.granted(pod, VENDORS, table.read(VENDORS, pod))
    assert (grant.uuid, grant.vendor, grant.unread) == ("a", word, True)
