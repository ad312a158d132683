"""The pod device string (facts 11.2 and 23, Encode)."""

from __future__ import annotations

import pytest

from hami_admission.model.grant import Grant, PodGrants
from hami_admission.wire import grants
from hami_admission.wire.errors import Malformed

A, B = Grant("GPU-a", "NVIDIA", 3000, 20), Grant("GPU-b", "NVIDIA", 5000, 0)

TEXTS: dict[str, tuple[PodGrants, str]] = {
    "no containers": ((), ""),
    "one container without cards": (((),), ";"),
    "empty slots keep their position": (((), (), (A,)), ";;GPU-a,NVIDIA,3000,20:;"),
    "and after a card": (((A,), ()), "GPU-a,NVIDIA,3000,20:;;"),
    "two containers, one card each": (
        ((A,), (B,)),
        "GPU-a,NVIDIA,3000,20:;GPU-b,NVIDIA,5000,0:;",
    ),
    "one container, two cards": (((A, B),), "GPU-a,NVIDIA,3000,20:GPU-b,NVIDIA,5000,0:;"),
}

READ: dict[str, tuple[str, PodGrants]] = {
    "blanks around": (" GPU-a , NVIDIA , 3000 , 20 : ; ", ((A,),)),
    "no separator at the end": ("GPU-a,NVIDIA,3000,20", ((A,),)),
    "more fields than four": ("GPU-a,NVIDIA,3000,20,more:;", ((A,),)),
}

DAMAGED = {
    "a field is missing": "GPU-a,NVIDIA,3000:;",
    "no uuid": ",NVIDIA,3000,20:;",
    "memory is no number": "GPU-a,NVIDIA,3Gi,20:;",
    "memory is negative": "GPU-a,NVIDIA,-1,20:;",
    "memory is a fraction": "GPU-a,NVIDIA,1.5,20:;",
    "cores are empty": "GPU-a,NVIDIA,3000,:;",
    "digits of another script": "GPU-a,NVIDIA,٣,20:;",
    "more digits than any card has MiB": "GPU-a,NVIDIA,99999999999,20:;",
    "second container damaged": "GPU-a,NVIDIA,3000,20:;GPU-b:;",
    "longer than all annotations together": ";" * (256 * 1024 + 1),
}


@pytest.mark.parametrize("sentence", TEXTS)
def test_both_ways(sentence: str) -> None:
    pod, text = TEXTS[sentence]
    assert grants.encode(pod) == text
    assert grants.decode(text) == pod


@pytest.mark.parametrize("sentence", READ)
def test_read_though_written_otherwise(sentence: str) -> None:
    text, pod = READ[sentence]
    assert grants.decode(text) == pod


@pytest.mark.parametrize("sentence", DAMAGED)
def test_damaged(sentence: str) -> None:
    with pytest.raises(Malformed, match=r"^device annotation: "):
        grants.decode(DAMAGED[sentence])


def test_as_long_as_kubernetes_allows_is_read() -> None:
    assert len(grants.decode(";" * 256 * 1024)) == 256 * 1024


def unread(uuid: str) -> Grant:
    return Grant(uuid, "", 0, 0, unread=True)


SALVAGED: dict[str, tuple[str, PodGrants]] = {
    "sizes that are none": ("GPU-a,NVIDIA,3Gi,20:;", ((unread("GPU-a"),),)),
    "more digits than any card has MiB": ("GPU-a,NVIDIA,99999999999,0:;", ((unread("GPU-a"),),)),
    "beside one that can be read": (
        "GPU-a,NVIDIA,3000,20:;;GPU-b,:;",
        ((A,), (), (unread("GPU-b"),)),
    ),
    "cut within its sizes": ("GPU-a,NVIDIA,3000,2", ((unread("GPU-a"),),)),
    "cut within an id": ("GPU-", ((grants.LOST,),)),
    "an id that may be cut": ("GPU-a:;", ((grants.LOST,),)),
    "no id": (",NVIDIA,3000,20:;", ((grants.LOST,),)),
    "an id of no card": (f"{'x' * 254},:", ((grants.LOST,),)),
    "nothing": ("", ((grants.LOST,),)),
    "separators alone": (" ;:;; ", ((grants.LOST,),)),
    "separators doubled": ("GPU-a,,NVIDIA,3000,20::;;", ((unread("GPU-a"),), ())),
}


@pytest.mark.parametrize("sentence", SALVAGED)
def test_what_can_be_read_of_a_damaged_text(sentence: str) -> None:
    text, pod = SALVAGED[sentence]
    assert grants.salvage(text) == pod


@pytest.mark.parametrize("sentence", TEXTS)
def test_nothing_is_lost_of_a_text_that_is_not_damaged(sentence: str) -> None:
    pod, text = TEXTS[sentence]
    assert grants.salvage(text) == (pod if any(pod) else ((grants.LOST,),))
