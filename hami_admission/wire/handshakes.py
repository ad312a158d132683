"""The handshake annotation of a node: a scheduler asks, a plugin answers (facts/scheduling.md 4.3).

Our own agent needs no handshake; values left by others are read so that a node whose plugin is
gone takes no pods.
"""

from __future__ import annotations

import math
from datetime import datetime

PATIENCE_SECONDS = 60
"""How long a plugin has to answer a request."""

_REQUESTING = "Requesting_"


def deadline(text: str) -> float:
    """Until which unix second the node may count as served; infinity unless it was asked.

    ``Requesting_2026-08-21 06:20:39`` runs out a minute later; everything else (``Reported …``,
    ``Deleted_…``, nothing, a damaged time) does not.
    """
    if not text.startswith(_REQUESTING):
        return math.inf
    try:
        stamp = f"{text.removeprefix(_REQUESTING).strip()} +0000"
        asked = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return math.inf
    return asked.timestamp() + PATIENCE_SECONDS
