"""Device and its defaults."""

from __future__ import annotations

import pytest

from hami_admission.model.device import Device

CARD = Device("GPU-a", 0, "NVIDIA A100", 10, 40960, 100)


def test_a_card_is_shared_by_the_library_and_healthy_unless_said_otherwise() -> None:
    assert (CARD.numa, CARD.mode, CARD.healthy) == (0, "hami-core", True)


def test_a_card_is_a_value() -> None:
    assert Device("GPU-a", 0, "NVIDIA A100", 10, 40960, 100) == CARD
    with pytest.raises(AttributeError):
        CARD.cores = 200  # type: ignore[misc]
