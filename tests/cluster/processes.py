"""Child processes that are stopped by pid and never outlive the tests."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

# The kernel sends the death signal when the *thread* that started a child ends, so one thread
# that lives as long as the interpreter starts them all.
_STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="child-starter")

# Replaces itself by the wanted program; preexec_fn would fork a process that has threads.
_LAUNCHER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
os.execvp(sys.argv[2], sys.argv[2:])
"""


class StartFailure(Exception):
    """A process did not become ready; the message holds the tail of its log."""


class Process:
    """A child process with its log; signals reach its whole process group."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        ready: Callable[[], bool] | None = None,
        grace: float = 10.0,
    ) -> None:
        """Does not start it; `env` adds to this process's environment."""
        self.name = name
        self.argv = [str(part) for part in argv]
        self.log = log
        self._env = {**os.environ, **(env or {})}
        self._ready = ready
        self._grace = grace
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the last start."""
        if self._popen is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def returncode(self) -> int | None:
        """The exit status: negative for a signal, None while running."""
        return None if self._popen is None else self._popen.poll()

    def start(self) -> None:
        """Starts without waiting."""
        if self.running:
            raise RuntimeError(f"{self.name} is running already")
        self._popen = _STARTER.submit(self._spawn).result()

    def await_ready(self, timeout: float = 60.0) -> None:
        """Waits until the check given at creation passes."""
        deadline = time.monotonic() + timeout
        while self._ready is not None and not self._ready():
            if not self.running:
                raise StartFailure(f"{self.name} ended with {self.returncode}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise StartFailure(f"{self.name} not ready after {timeout} s\n{self.tail()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to what is left of its group after the grace period."""
        if self.running:
            os.killpg(self.pid, signal.SIGCONT)
            os.kill(self.pid, signal.SIGTERM)
            self._await_end()
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the group."""
        # The group is signalled before the leader is reaped: until then its id is not reused.
        if self._popen is not None and self._popen.returncode is None:
            os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()

    def pause(self) -> None:
        """Freezes the group (SIGSTOP)."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Thaws the group (SIGCONT)."""
        os.killpg(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Stops, starts anew with the same arguments and waits until ready."""
        self.stop()
        self.start()
        self.await_ready()

    def tail(self, lines: int = 30) -> str:
        """The end of the log, under a heading."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join((f"--- {self.log.name}", *text.splitlines()[-lines:]))

    def _spawn(self) -> subprocess.Popen[bytes]:
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid())]
        with self.log.open("ab") as log:
            # An own session: Ctrl-C reaches the tests alone, which then stop it in order.
            return subprocess.Popen(
                launcher + self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                start_new_session=True,
            )

    def _await_end(self) -> None:
        # WNOWAIT leaves the leader unreaped, so that kill() may still name its group.
        deadline = time.monotonic() + self._grace
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        # Another thread that asks `running` may reap it first.
        with suppress(ChildProcessError):
            while os.waitid(os.P_PID, self.pid, options) is None and time.monotonic() < deadline:
                time.sleep(0.01)


def free_port(host: str = "127.0.0.1") -> int:
    """A free TCP port below the range that the kernel hands to outgoing connections."""
    for _ in range(1000):
        port = 15000 + secrets.randbelow(15000)
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")
