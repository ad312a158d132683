"""Handshakes of third-party plugins (facts 4.3)."""

from __future__ import annotations

import math

import pytest

from hami_admission.wire import handshakes

ASKED = 1_787_293_239  # 2026-08-21 06:20:39 UTC

DEADLINES = {
    "asked: a minute from then": ("Requesting_2026-08-21 06:20:39", ASKED + 60),
    "blanks around the time": ("Requesting_ 2026-08-21 06:20:39 ", ASKED + 60),
    "asked long ago": ("Requesting_1970-01-01 00:00:00", 60),
    "answered": ("Reported 2026-08-21 06:20:39.123 +0000 UTC", math.inf),
    "answered, as older plugins write it": ("Reported_2026-08-21 06:20:39", math.inf),
    "deleted by an old scheduler": ("Deleted_2026-08-21 06:20:39", math.inf),
    "nothing": ("", math.inf),
    "asked without a time": ("Requesting_", math.inf),
    "a damaged time": ("Requesting_2026-13-41 06:20:39", math.inf),
    "another form of time": ("Requesting_2026-08-21T06:20:39Z", math.inf),
    "the word elsewhere": ("not Requesting_2026-08-21 06:20:39", math.inf),
}


@pytest.mark.parametrize("sentence", DEADLINES)
def test_deadline(sentence: str) -> None:
    text, expected = DEADLINES[sentence]
    assert handshakes.deadline(text) == expected
