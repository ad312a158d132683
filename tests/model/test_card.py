"""Card: a device with what is taken of it."""

from __future__ import annotations

import pytest

from hami_admission.model.card import Card
from tests import build


def test_a_card_is_idle_unless_said_otherwise() -> None:
    assert Card(build.device()) == Card(build.device(), slots=0, memory_mib=0, cores=0)


def test_use_is_not_changed_in_place() -> None:
    with pytest.raises(AttributeError):
        Card(build.device()).slots = 1  # type: ignore[misc]
