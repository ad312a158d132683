"""The fixtures of the cluster tests; the control plane is one of this suite's own."""

from __future__ import annotations

from tests.cluster.conftest import (
    api,
    control_plane,
    installed,
    namespace,
    own_network,
    product,
)

__all__ = ["api", "control_plane", "installed", "namespace", "own_network", "product"]
