"""Hostile input: every decoder answers with Malformed and a sentence, never with anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hami_admission.wire import (
    extender,
    grants,
    nodes,
    pods,
    quantities,
    quotas,
    registers,
    reviews,
)
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

BODIES: dict[str, Callable[[bytes], object]] = {
    "pods.decode": pods.decode,
    "nodes.decode": nodes.decode,
    "quotas.decode": quotas.decode,
    "reviews.decode": reviews.decode,
    "extender.decode_candidates": extender.decode_candidates,
    "extender.decode_binding": extender.decode_binding,
}

HOSTILE_BODIES = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"1",
    "cut off": b'{"metadata": {"name": "p"',
    "100,000 brackets": b"[" * 100_000,
    "100,000 brackets in a field that nobody reads": b'{"x":' + b"[" * 100_000,
    "100,000 objects in each other": b'{"x":' * 100_000,
    "not UTF-8": b"\xff\xfe",
    "not UTF-8 in a name": b'{"metadata": {"name": "\xff"}, "PodName": "\xff", "kind": "\xff"}',
    "a byte-order mark": b"\xef\xbb\xbf{}",
    "two documents": b'{"metadata": {"name": "p"}} {}',
    "a comment": b"{} // well meant",
}

TEXTS: dict[str, Callable[[str], object]] = {
    "grants.decode": grants.decode,
    "registers.decode": registers.decode,
    "quantities.parse": quantities.parse,
}

HOSTILE_TEXTS = {
    "words": "not what you want",
    "a list that ends early": '[{"id": "GPU-a"',
    "100,000 brackets": "[" * 100_000,
    "a lone surrogate": "[\ud800]",
    "a thousand digits": "GPU-a,NVIDIA," + "9" * 1000 + ",0:;",
}


@pytest.mark.parametrize("decoder", BODIES)
@pytest.mark.parametrize("sentence", HOSTILE_BODIES)
def test_hostile_bodies(decoder: str, sentence: str) -> None:
    with pytest.raises(Malformed) as caught:
        BODIES[decoder](HOSTILE_BODIES[sentence])
    assert 0 < len(str(caught.value)) < 300


@pytest.mark.parametrize("decoder", TEXTS)
@pytest.mark.parametrize("sentence", HOSTILE_TEXTS)
def test_hostile_texts(decoder: str, sentence: str) -> None:
    with pytest.raises(Malformed) as caught:
        TEXTS[decoder](HOSTILE_TEXTS[sentence])
    assert 0 < len(str(caught.value)) < 300
