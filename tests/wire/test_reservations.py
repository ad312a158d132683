"""MIG reservations (facts/devices.md 3.4); what does not agree with the grants is damaged."""

from __future__ import annotations

import pytest

from hami_admission.model.grant import Grant
from hami_admission.model.instance import Instance, Place
from hami_admission.wire import reservations
from hami_admission.wire.errors import Malformed
from hami_admission.wire.reservations import Reserved

PLAIN = ((Grant("GPU-a", "NVIDIA", 4864, 14), Grant("GPU-b", "NVIDIA", 1, 1)),)


def text(container: int = 0, device: int = 0, uuid: str = "GPU-a", place: str = "6") -> str:
    """One reservation, as the node leaves it."""
    return (
        f'[{{"containerIndex":{container},"deviceIndex":{device},"gpuUUID":"{uuid}",'
        f'"profile":"1g.5gb","placement":{{"start":{place},"size":1}},'
        '"migUUID":"MIG-1","gpuInstanceID":0,"computeInstanceID":0}]'
    )


def test_grants_become_instances() -> None:
    ((first, second),) = reservations.decode(text(), PLAIN)
    assert first == Grant("GPU-a", "NVIDIA", 4864, 14, (6,), "1g.5gb")
    assert second is PLAIN[0][1]


def test_grants_without_instances_have_no_reservations() -> None:
    assert reservations.encode(PLAIN, {}) == ""


def test_instances_that_exist_are_named_and_read_again() -> None:
    grants = ((), (Grant("GPU-a", "NVIDIA", 4864, 14, (6,), "1g.5gb"),))
    place = Place("GPU-a", "1g.5gb", 6, 1)
    assert reservations.places(grants) == (place,)
    instance = Instance(place, "MIG-1", 7, 0)
    text = reservations.encode(grants, {place: instance})
    assert '"migUUID":"MIG-1","gpuInstanceID":7,"computeInstanceID":0' in text
    assert reservations.read(text) == (Reserved(1, 0, place, instance),)
    (without,) = reservations.read(reservations.encode(grants, {}))
    assert without.instance is None


DAMAGED = {
    "no JSON": ("[{", "truncated"),
    "a wrong type": (text(place='"6"'), "placement.start"),
    "a slot that is not there": (text(container=1), "does not agree"),
    "a card that is not there": (text(device=2), "does not agree"),
    "a slot before the first": (text(container=-1), "does not agree"),
    "another card": (text(uuid="GPU-b"), "does not agree"),
    "twice the same": (f"{text()[:-1]},{text()[1:]}", "does not agree"),
    "a place before the first": (text(place="-1"), "no such place"),
    "a place beyond the last": (text(place="64"), "no such place"),
}


@pytest.mark.parametrize("sentence", DAMAGED)
def test_damaged(sentence: str) -> None:
    given, pattern = DAMAGED[sentence]
    with pytest.raises(Malformed, match=rf"^MIG annotation: .*{pattern}"):
        reservations.decode(given, PLAIN)
