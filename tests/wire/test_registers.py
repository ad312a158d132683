"""The register annotation, JSON and text (facts 4.4 and 11.3)."""

from __future__ import annotations

import msgspec
import pytest

from hami_admission.model.device import Device, Profile
from hami_admission.wire import registers
from hami_admission.wire.errors import Malformed
from tests import build

A = Device("GPU-a", 0, "NVIDIA A100", 10, 40960, 100)
B = Device("GPU-b", 1, "NVIDIA A100", 10, 40960, 100, numa=1, mode="mig", healthy=False)

JSON_A = (
    '{"id":"GPU-a","count":10,"devmem":40960,"devcore":100,'
    '"type":"NVIDIA A100","mode":"hami-core","health":true}'
)
JSON_B = (
    '{"id":"GPU-b","index":1,"count":10,"devmem":40960,"devcore":100,'
    '"type":"NVIDIA A100","numa":1,"mode":"mig"}'
)


def test_zero_and_false_are_left_out_as_upstream_does() -> None:
    assert registers.encode((A, B)) == f"[{JSON_A},{JSON_B}]"
    assert registers.encode((B, A)) == f"[{JSON_A},{JSON_B}]"
    assert registers.encode(()) == "[]"


READ: dict[str, tuple[str, tuple[Device, ...]]] = {
    "JSON": (f"[{JSON_A},{JSON_B}]", (A, B)),
    "JSON in any order": (f" [{JSON_B},\n{JSON_A}] ", (A, B)),
    "an empty list": ("[]", ()),
    "unknown keys": (JSON_A.join("[]").replace('"id"', '"colour":[{}],"id"'), (A,)),
    "no mode": ('[{"id":"GPU-x","health":true}]', (Device("GPU-x", 0, "", 0, 0, 0),)),
    "nine fields": (
        "GPU-b,10,40960,100,NVIDIA A100,1,false,1,mig:GPU-a,10,40960,100,NVIDIA A100,0,true,0,:",
        (A, B),
    ),
    "seven fields": ("GPU-a,10,40960,100,NVIDIA A100,0,true:", (A,)),
    "blanks": (" GPU-a, 10, 40960 ,100,NVIDIA A100,0, true : ", (A,)),
    "only the word true is healthy": (
        "GPU-a,10,40960,100,NVIDIA A100,0,True:",
        (msgspec.structs.replace(A, healthy=False),),
    ),
    "HAMi 2.7: the maker's name before the model's, several cards": (
        "GPU-a,10,40960,100,NVIDIA-NVIDIA A100,0,true,0,hami-core:"
        "GPU-b,10,40960,100,NVIDIA-NVIDIA A100,1,false,1,mig:",
        (
            msgspec.structs.replace(A, type="NVIDIA-NVIDIA A100"),
            msgspec.structs.replace(B, type="NVIDIA-NVIDIA A100"),
        ),
    ),
    "HAMi 2.10: a card in MIG mode with its profiles": (
        '[{"id":"GPU-b","index":1,"count":10,"devmem":40960,"devcore":100,"type":"NVIDIA A100",'
        '"numa":1,"mode":"mig","migProfiles":[{"name":"1g.5gb","memoryMB":4864,"core":15,'
        '"sliceCount":1,"placements":[{"start":0,"size":1},{"start":6,"size":1}]}]}]',
        (
            msgspec.structs.replace(
                B, units=7, profiles=(Profile("1g.5gb", 4864, 15, 1, ((0, 1), (6, 1))),)
            ),
        ),
    ),
    "HAMi 2.9: MIG profiles without places, and keys of other makers": (
        '[{"id":"GPU-b","index":1,"count":10,"devmem":40960,"devcore":100,"type":"NVIDIA A100",'
        '"numa":1,"mode":"mig","migtemplate":[{"geometry":[]}],"devicevendor":"NVIDIA",'
        '"custominfo":{"a":1,"b":[]},"devicepairscore":{"uuid":"GPU-b"}}]',
        (msgspec.structs.replace(B, facts=(("a", "1"),)),),
    ),
    "no NUMA node": (
        "GPU-a,10,40960,100,NVIDIA A100,-1,true:",
        (msgspec.structs.replace(A, numa=-1),),
    ),
}


@pytest.mark.parametrize("sentence", READ)
def test_read(sentence: str) -> None:
    text, expected = READ[sentence]
    assert registers.decode(text) == expected


DAMAGED = {
    "nothing": ("", r"neither a JSON array"),
    "no colon": ("GPU-a,10,40960,100,A100,0,true", r"neither a JSON array"),
    "JSON cut off": (f"[{JSON_A}", r"truncated"),
    "a wrong type": ('[{"id":"GPU-a","count":"10"}]', r"\$\[0\].count"),
    "an element that is no object": ("[1]", r"Expected `object`"),
    "eight fields": ("GPU-a,10,40960,100,A100,0,true,0:", r"has 8 fields, not 7 or 9"),
    "a memory that is no number": ("GPU-a,10,40Gi,100,A100,0,true:", r"'40Gi'"),
    "no id": ('[{"count":10}]', r"a card without an id"),
    "no id in text": (",10,40960,100,A100,0,true:", r"a card without an id"),
    "a negative memory": ('[{"id":"GPU-a","devmem":-1}]', r"'GPU-a' has a negative number"),
    "a negative index": ("GPU-a,10,1,1,A100,0,true,-1,mig:", r"has a negative number"),
    "an id with separators": ('[{"id":"0000:03:00.0"}]', r"'0000:03:00.0' has one of , : ;"),
    "eleven digits": ('[{"id":"GPU-a","devmem":10000000000}]', r"'GPU-a' has more than 9999999999"),
    "the same id twice": (f"[{JSON_A},{JSON_A}]", r"same card id twice"),
}


@pytest.mark.parametrize("sentence", DAMAGED)
def test_damaged(sentence: str) -> None:
    text, pattern = DAMAGED[sentence]
    with pytest.raises(Malformed, match=rf"^register annotation: .*{pattern}"):
        registers.decode(text)


def test_256_cards_are_read_and_not_one_more() -> None:
    cards = tuple(build.device(index) for index in range(257))
    assert len(registers.decode(registers.encode(cards[:256]))) == 256
    with pytest.raises(Malformed, match=r"257 cards, more than 256"):
        registers.decode(registers.encode(cards))
