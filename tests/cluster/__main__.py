"""The whole suite on real control planes: ``python -m tests.cluster``.

First the files beside each other, each worker with a control plane in a network of its own, and the
seeds of random use beside those; then what loads the machine itself and measures what comes of it,
one after the other; last what looks back on the audit logs of all. Each part runs whatever became
of those before.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import IO

from tests.cluster import audit, binaries
from tests.packaging import image, tools

WORKERS = os.environ.get("CLUSTER_WORKERS", "3")
"""Most of the time a worker waits: for leases, kubelets, containers, deadlines."""

RIGHTS = "tests/cluster/test_rights.py"
SUITE = ("tests/cluster", f"--ignore={RIGHTS}")
WORKER = ("-n", WORKERS, "--dist=loadfile", "--no-loadscope-reorder")

FAULTS = ("tests/faults",)
FILES = (*WORKER, "-m", "not alone", *SUITE, "tests/upgrade")
AFTER = (("-m", "alone", *SUITE), (RIGHTS,))


def begin(part: tuple[str, ...], logs: str, output: IO[str] | None = None) -> subprocess.Popen[str]:
    """Runs a part; ``logs`` is where its control planes leave their audit logs."""
    environment = {**os.environ, audit.LOGS: logs}
    argv = [sys.executable, "-m", "pytest", *part]
    return subprocess.Popen(argv, env=environment, stdout=output, stderr=output, text=True)


def main() -> int:
    """The first part that failed decides the exit status."""
    made = binaries.main() or image.main()
    if made:
        return made
    for name in ("helm", "kubectl"):
        tools.tool(tools.HELM_4, name)
    with (
        tempfile.TemporaryDirectory(prefix="hami-audit-") as logs,
        tempfile.TemporaryFile("w+") as said,
    ):
        faults = begin(FAULTS, logs, said)
        results = [begin(FILES, logs).wait(), faults.wait()]
        said.seek(0)
        sys.stdout.write(said.read())
        sys.stdout.flush()
        results += [begin(part, logs).wait() for part in AFTER]
    return next((each for each in results if each), 0)


if __name__ == "__main__":
    sys.exit(main())
