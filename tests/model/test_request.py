"""Request: memory in MiB or as a share of the card found (facts 23, Percent)."""

from __future__ import annotations

import pytest

from hami_admission.model.request import Request

MEMORY: dict[str, tuple[int | None, int, int, int]] = {
    "half of the card": (None, 50, 40960, 20480),
    "33 % is rounded down": (None, 33, 40960, 13516),
    "the whole card": (None, 100, 81920, 81920),
    "one percent of a small card": (None, 1, 99, 0),
    "MiB win over the percentage": (2000, 50, 40960, 2000),
    "MiB do not depend on the card": (2000, 100, 1000, 2000),
}


@pytest.mark.parametrize("sentence", MEMORY)
def test_memory_on_a_card(sentence: str) -> None:
    memory, percent, card, expected = MEMORY[sentence]
    assert Request("NVIDIA", 1, memory, percent, 0).memory_on(card) == expected
