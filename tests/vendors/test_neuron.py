"""AWS Neuron (facts/devices.md 4): devices and cores, runs and groups, AWS's own annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hami_admission.model.card import Card
from hami_admission.model.grant import Grant, SlotGrants
from hami_admission.model.request import Request
from hami_admission.model.verdict import Unfit
from hami_admission.model.wishes import Selection, Wishes
from hami_admission.placement import decision, fit, usage
from hami_admission.placement import pod as pods
from hami_admission.settings import NeuronOptions, Settings
from hami_admission.vendors import holdings, table
from hami_admission.vendors.neuron import MAX_UNITS, neuron
from hami_admission.wire import grants
from hami_admission.wire.errors import Malformed
from hami_admission.wire.nodes import NodeFacts
from tests import build

if TYPE_CHECKING:
    from hami_admission.model.pod import Quantity

VENDORS = table.build(Settings())
NEURON = table.by_word(VENDORS, "AWSNeuron")
DEVICES, CORES = "aws.amazon.com/neuron", "aws.amazon.com/neuroncore"


def facts(kind: str, devices: str, cores: str, **fields: Any) -> NodeFacts:
    """A node as AWS's device plugin leaves it."""
    capacity: dict[str, Quantity] = {DEVICES: devices, CORES: cores}
    labels = {"node.kubernetes.io/instance-type": kind} if kind else {}
    return NodeFacts("n", {}, fields.get("allocatable", capacity), capacity, labels)


INF2 = facts("inf2.24xlarge", "6", "12")
TRN1 = facts("trn1.32xlarge", "16", "32")
TRN2 = facts("trn2.48xlarge", "16", "128")


def cards(given: NodeFacts = INF2, **taken: tuple[int, ...]) -> tuple[Card, ...]:
    """The devices of a node; ``d3=(0, 1)`` says which cores of device 3 are taken."""
    found = [Card(device) for device in NEURON.inventory(given).devices]
    for name, units in taken.items():
        n = int(name[1:])
        grant = Grant(found[n].device.uuid, "AWSNeuron", 0, len(units), units)
        found[n] = usage.with_grant(found[n], grant)
    return tuple(found)


def test_devices_are_made_up_from_the_capacity() -> None:
    found = NEURON.inventory(INF2).devices
    assert len(found) == 6
    assert (found[5].uuid, found[5].index, found[5].type) == (
        "n-AWSNeuron-5", 5, "AWSNeuron-inf2.24xlarge",
    )  # fmt: skip
    assert (found[0].units, found[0].cores, found[0].slots, found[0].memory_mib) == (2, 2, 2, 0)
    assert NEURON.inventory(TRN2).devices[0].units == 8
    assert NEURON.inventory(NodeFacts("n")).devices == ()
    gone = facts("inf2.24xlarge", "6", "12", allocatable={DEVICES: "0"})
    assert NEURON.inventory(gone).devices == ()


@pytest.mark.parametrize("given", [("2", "3"), ("2", "0"), ("65", "130"), ("1", "1k"), ("1", "33")])
def test_a_capacity_that_cannot_be_is_damaged(given: tuple[str, str]) -> None:
    with pytest.raises(Malformed, match=r"^capacity: "):
        NEURON.inventory(facts("inf2", *given))


def read(**amounts: Any) -> Any:
    """What a container with these amounts asks."""
    named = {"neuron": DEVICES, "neuroncore": CORES}
    limits = {named[name]: value for name, value in amounts.items()}
    return NEURON.parse(build.pod(build.container(limits=limits)).containers[0], {})


REQUESTS: dict[str, tuple[dict[str, Any], Request | str | None]] = {
    "devices": ({"neuron": 4}, Request("AWSNeuron", 4, 0, 100, 0)),
    "one core": ({"neuroncore": "1"}, Request("AWSNeuron", 1, 0, 100, 1)),
    "cores": ({"neuroncore": 8}, Request("AWSNeuron", 1, 0, 100, 8)),
    "nothing": ({}, None),
    "zero": ({"neuron": 0}, None),
    "odd cores": ({"neuroncore": 3}, f"limits[{CORES}]: Invalid value: 3: must be 1 or a multiple"),
    "negative": ({"neuron": -1}, f"limits[{DEVICES}]: Invalid value: -1: must be a whole number"),
    "a fraction": ({"neuron": "500m"}, f"limits[{DEVICES}]: Invalid value: 500m: must be a whole"),
    "no number": ({"neuron": "many"}, f"limits[{DEVICES}]: Invalid value: many: 'many' is not a"),
    "too many": ({"neuron": 65}, f"limits[{DEVICES}]: Invalid value: 65: must be a whole number"),
    "both": ({"neuron": 1, "neuroncore": 2}, "resources.limits"),
}


@pytest.mark.parametrize("sentence", REQUESTS)
def test_request(sentence: str) -> None:
    amounts, expected = REQUESTS[sentence]
    found = read(**amounts)
    if isinstance(expected, str):
        assert found.request is None
        assert expected in str(found.objections[0])
    else:
        assert (found.request, found.objections) == (expected, ())


def test_limit_and_request_must_be_the_same() -> None:
    container = build.container(limits={DEVICES: 1}, requests={DEVICES: 2})
    assert NEURON.parse(build.pod(container).containers[0], {}).objections


def choose(given: tuple[Card, ...], selection: Selection | None = None, **amounts: Any) -> Any:
    """The indices and cores that a request gets, or the reasons."""
    request = read(**amounts).request
    selections = () if selection is None else (("AWSNeuron", selection),)
    wishes = Wishes("binpack", ("binpack",), selections)
    found: SlotGrants | Unfit = fit.choose(NEURON, given, request, wishes, None)
    if isinstance(found, Unfit):
        return str(found)
    return [(int(grant.uuid.rpartition("-")[2]), grant.units) for grant in found]


BOTH = (0, 1)
EIGHT = tuple(range(8))
CASES: dict[str, tuple[tuple[Card, ...], dict[str, Any], Any]] = {
    "a device": (cards(), {"neuron": 1}, [(0, BOTH)]),
    "a device that nobody has": (cards(d0=(1,)), {"neuron": 1}, [(1, BOTH)]),
    "neighbours": (cards(d1=BOTH), {"neuron": 3}, [(2, BOTH), (3, BOTH), (4, BOTH)]),
    "the shortest gap": (cards(d2=BOTH), {"neuron": 2}, [(0, BOTH), (1, BOTH)]),
    "no gap is long enough": (cards(d1=BOTH, d4=(0,)), {"neuron": 3},
        "2/6 CardInsufficientCore, 4/6 NumaNotFit"),
    "no run around the end": (
        cards(d1=BOTH, d2=BOTH, d3=BOTH), {"neuron": 3},
        "3/6 CardInsufficientCore, 3/6 NumaNotFit",
    ),
    "more than there are": (cards(), {"neuron": 7}, "6/6 NodeInsufficientDevice"),
    "a core of a used device": (cards(d3=(0,)), {"neuroncore": 1}, [(3, (1,))]),
    "two cores are a device": (cards(d0=(0,)), {"neuroncore": 2}, [(1, BOTH)]),
    "four cores are two devices": (cards(), {"neuroncore": 4}, [(0, BOTH), (1, BOTH)]),
    "four cores of a larger device": (cards(TRN2), {"neuroncore": 4}, [(0, (0, 1, 2, 3))]),
    "the gap among its cores": (
        cards(TRN2, d0=(0, 3, 4, 5, 6)), {"neuroncore": 2}, [(0, (1, 2))],
    ),
    "cores apart where none are together": (
        cards(TRN2, **{f"d{n}": (1, 2, 4, 5, 6, 7) for n in range(16)}), {"neuroncore": 2},
        [(0, (0, 3))],
    ),
    "cores that make no whole device": (
        cards(TRN2), {"neuroncore": 10}, "16/16 CardInsufficientCore",
    ),
    "a group of four": (cards(TRN1, d1=BOTH), {"neuron": 4}, [(n, BOTH) for n in (4, 5, 6, 7)]),
    "a group of sixteen": (cards(TRN2), {"neuron": 16}, [(n, EIGHT) for n in range(16)]),
    "no group of sixteen": (
        cards(TRN2, d9=(0,)), {"neuron": 16},
        "1/16 CardInsufficientCore, 15/16 AllocatedCardsInsufficientRequest",
    ),
    "no such group": (cards(TRN1), {"neuron": 2}, "16/16 NumaNotFit"),
    "groups of an unknown type": (
        cards(facts("", "4", "8")), {"neuron": 4}, [(n, BOTH) for n in range(4)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CASES)
def test_choice(sentence: str) -> None:
    given, amounts, expected = CASES[sentence]
    assert choose(given, **amounts) == expected


def test_lists_of_devices_hold_for_runs_too() -> None:
    """Upstream forgets them for more than one device (facts/devices.md 4)."""
    without = Selection(not_uuids=frozenset({"n-AWSNeuron-1"}))
    assert choose(cards(), without, neuron=2) == [(2, BOTH), (3, BOTH)]


def notes(*limits: build.Json) -> dict[str, str]:
    """The annotations of a pod with a container per limits, on an empty node."""
    pod = build.pod(*(build.container(f"c{n}", each) for n, each in enumerate(limits)))
    requests = table.requests(table.read(VENDORS, pod))
    demand = pods.Demand(pod.kinds, requests, Wishes("binpack", ("binpack",)))
    own = {"AWSNeuron": cards(TRN2)}
    found = pods.on_node(demand, own, VENDORS, None)
    assert not isinstance(found, Unfit)
    return decision.notes(decision.Site("n", 12.5, own), demand, found, VENDORS)


def test_the_annotations_are_those_of_aws() -> None:
    found = notes({DEVICES: 1})
    assert found["hami.io/aws-neuron-devices-allocated"] == "n-AWSNeuron-0,AWSNeuron,0,255:;"
    assert (found["AWS_NEURON_IDS"], found["NEURON_ALLOCATED"]) == ("0", "false")
    assert found["NEURON_ALLOC_TIME"] == "12500000000"
    assert found["aws.amazon.com/predicate-node"] == "n"
    assert "NEURON_RESOURCE_TYPE" not in found
    found = notes({CORES: 2}, {CORES: 4})
    assert found["hami.io/aws-neuron-devices-allocated"] == (
        "n-AWSNeuron-0,AWSNeuron,0,3:;n-AWSNeuron-0,AWSNeuron,0,60:;"
    )
    assert (found["AWS_NEURON_IDS"], found["NEURON_RESOURCE_TYPE"]) == ("0,1,2,3,4,5", CORES)
    assert notes({CORES: 32})["AWS_NEURON_IDS"] == ",".join(map(str, range(32)))


def test_the_masks_are_read_again() -> None:
    whole = (Grant("d", "AWSNeuron", 0, MAX_UNITS, tuple(range(MAX_UNITS))),)
    text = grants.encode(holdings.masked((whole,)))
    assert NEURON.recall({"hami.io/aws-neuron-devices-allocated": text}) == (whole,)
    found = NEURON.recall(notes({CORES: 2}, {CORES: 4}))
    assert [grant.units for slot in found for grant in slot] == [(0, 1), (2, 3, 4, 5)]
    assert [grant.cores for slot in found for grant in slot] == [2, 4]


def test_names_come_from_the_options() -> None:
    made = neuron(NeuronOptions(resource_count_name="x/n", resource_cores_name="x/c"))
    container = build.pod(build.container(limits={"x/c": 2})).containers[0]
    assert made.parse(container, {}).request == Request("AWSNeuron", 1, 0, 100, 2)
    assert made.names.all == ("x/n", "x/c")
