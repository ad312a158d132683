"""What a node takes of this machine, and gives back: a lock, a link, cgroups, a mount namespace.

All names are fixed but for the worker of the tests, so a rig that was killed is found and swept
by the next one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.cluster.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CGROUP = f"hami-node-rig-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
FOLDER = Path(tempfile.gettempdir(), CGROUP)
LOCK = FOLDER.with_suffix(".lock")
SOCKET = FOLDER / "containerd.sock"

LINK = "hami-rig"
ADDRESS = "203.0.113.1"
"""Of the range for documentation: nobody's. A kubelet takes no loopback address."""

SUBNET = "203.0.113.0/24"

LOCK_SECONDS = 90.0
SHIM = "containerd-shim-runc-v2"

# Writes below the first three go to layers of the node's own; so do the sysctls that a kubelet
# sets. Shared, for pods whose mounts want propagation.
NAMESPACE = """
set -e
mount --make-rshared /
for each in run var/lib var/log; do
    mkdir -p "$1/layers/$each/upper" "$1/layers/$each/work"
    layers="lowerdir=/$each,upperdir=$1/layers/$each/upper,workdir=$1/layers/$each/work"
    mount -t overlay -o "$layers" overlay "/$each"
done
mkdir -p /var/lib/kubelet "$1/kubelet" "$1/sysctl"
mount --bind "$1/kubelet" /var/lib/kubelet
for each in vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops \
    kernel.keys.root_maxkeys kernel.keys.root_maxbytes; do
    path="/proc/sys/$(echo $each | tr . /)"
    cat "$path" >"$1/sysctl/$each"
    mount --bind "$1/sysctl/$each" "$path"
done
touch "$1/namespace-ready"
exec sleep infinity
"""

# A kubelet and containerd find runc and mount there, whatever the tests' own path is.
ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class Machine:
    """The part of this machine that is the node."""

    def __init__(self) -> None:
        self._namespace = Process(
            "namespace",
            ["unshare", "--mount", "--propagation=private", "sh", "-c", NAMESPACE, "sh", FOLDER],
            FOLDER / "logs" / "namespace.log",
            ready=(FOLDER / "namespace-ready").exists,
        )

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Makes the link, the cgroups and the namespace; takes all away at the end.

        To be called by who has `locked` the machine.
        """
        self._sweep()
        try:
            self._take()
            yield
        finally:
            self._sweep()

    def inside(self, argv: Sequence[str | Path]) -> list[str | Path]:
        """The command line that runs a program with the node's view of the file system."""
        return ["nsenter", f"--target={self._namespace.pid}", "--mount", "--", *argv]

    def _take(self) -> None:
        (FOLDER / "logs").mkdir(parents=True)
        # Without an address of its own a bridge takes those of its pods in turn: others lose it.
        ip("link", "add", LINK, "address", "02:00:00:00:00:01", "type", "bridge")
        ip("address", "add", f"{ADDRESS}/24", "dev", LINK)
        ip("link", "set", LINK, "up")
        for hierarchy in hierarchies():
            (hierarchy / CGROUP).mkdir()
        self._namespace.start()
        self._namespace.await_ready(10)

    def _sweep(self) -> None:
        """Ends what runs on the node, and takes all away; also what an earlier rig left."""
        deadline = time.monotonic() + 10
        while pids := processes():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise RuntimeError(f"processes of the node do not end: {pids}")
            time.sleep(0.02)
        self._namespace.kill()
        for hierarchy in hierarchies():
            for folder, _, _ in os.walk(hierarchy / CGROUP, topdown=False):
                _remove_cgroup(Path(folder))
        if LINK in links():
            ip("link", "delete", LINK)
        shutil.rmtree(FOLDER, ignore_errors=not FOLDER.exists())


def processes() -> set[int]:
    """Containers and their shims, by pid."""
    contained = {
        int(pid)
        for hierarchy in hierarchies()
        for procs in (hierarchy / CGROUP).rglob("cgroup.procs")
        for pid in _lines(procs)
    }
    shims = {int(path.name) for path in Path("/proc").glob("[0-9]*") if _is_shim(path)}
    return contained | shims


def hierarchies() -> list[Path]:
    """Where cgroups are mounted: once in version 2, once per controller in version 1."""
    fields = [line.split() for line in _lines(Path("/proc/self/mountinfo"))]
    return [Path(each[4]) for each in fields if each[each.index("-") + 1].startswith("cgroup")]


def links() -> set[str]:
    """The names of the network links."""
    # Not from /sys: it may be that of another network namespace.
    return {name for _, name in socket.if_nameindex()}


@contextmanager
def locked() -> Iterator[None]:
    """Holds what only one rig of a worker can; waits for the others."""
    deadline = time.monotonic() + LOCK_SECONDS
    with LOCK.open("w") as file:
        while not _try_lock(file):
            if time.monotonic() > deadline:
                raise RuntimeError(f"another node rig holds {LOCK}")
            time.sleep(0.2)
        yield


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_cgroup(path: Path) -> None:
    # The kernel takes a moment to let go of processes that have ended.
    deadline = time.monotonic() + 5
    while True:
        try:
            path.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _is_shim(process: Path) -> bool:
    arguments = "".join(_lines(process / "cmdline")).split("\0")
    return Path(arguments[0]).name == SHIM and str(SOCKET) in arguments


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:  # It ended, or its cgroup went, meanwhile.
        return []


def ip(*arguments: str) -> None:
    """The program, in this network namespace."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True, env={**os.environ, **ENV})
