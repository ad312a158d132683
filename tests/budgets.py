"""How many examples property tests look at: few at each change, many where there is time.

``quick`` is what ``make test`` takes, ``soak`` what ``make soak`` takes; HYPOTHESIS_PROFILE or
``--hypothesis-profile`` names another. A test that wants more or fewer than the others says how
many times the profile's number, so that it grows with the profile.
"""

from __future__ import annotations

import os

from hypothesis import settings

PROFILES = {"quick": 100, "soak": 2000}
"""Examples of a test that says nothing."""

DEADLINE_MS = 2000
"""Of one example, on a machine whose cores others use as well."""


def register() -> None:
    """Makes the profiles known, and loads the one that the environment names."""
    for name, number in PROFILES.items():
        settings.register_profile(name, max_examples=number, deadline=DEADLINE_MS)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def times(factor: float) -> int:
    """So many times the examples of a test that says nothing."""
    return max(1, round(factor * settings().max_examples))
