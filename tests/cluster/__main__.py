"""The whole suite on real control planes: ``python -m tests.cluster``.

First the files beside each other, each worker with a control plane in a network of its own; then
those that load the machine themselves and measure what comes of it, one after the other; last what
looks back on the audit logs of all. Each part runs whatever became of the one before.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from tests.cluster import audit, binaries
from tests.packaging import image, tools

WORKERS = os.environ.get("CLUSTER_WORKERS", "3")
"""Most of the time a worker waits: for leases, kubelets, containers, deadlines."""

SUITES = ("tests/cluster", "tests/faults")
RIGHTS = "tests/cluster/test_rights.py"
PARTS = (
    ("-n", WORKERS, "--dist=loadfile", "--no-loadscope-reorder", "-m", "not alone", *SUITES),
    ("-m", "alone", *SUITES),
    (RIGHTS,),
)


def main() -> int:
    """The first part that failed decides the exit status."""
    made = binaries.main() or image.main()
    if made:
        return made
    for name in ("helm", "kubectl"):
        tools.tool(tools.HELM_4, name)
    with tempfile.TemporaryDirectory(prefix="hami-audit-") as logs:
        environment = {**os.environ, audit.LOGS: logs}
        results = [
            subprocess.run(
                [sys.executable, "-m", "pytest", *part], env=environment, check=False
            ).returncode
            for part in PARTS
        ]
    return next((each for each in results if each), 0)


if __name__ == "__main__":
    sys.exit(main())
