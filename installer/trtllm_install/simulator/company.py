"""Processes and noise that a faulty engine has around it: a daemon, zombies, a flood of lines."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from trtllm_install.simulator.faults import Faults

_BLOCK = b"[simulated] the same warning again, and nothing else is said in this line\n" * 800
_MB = 1_000_000


def start_daemon(bound: socket.socket) -> None:
    """Leave a process behind that has a session of its own, ignores SIGTERM and holds the port.

    Its parent ends at once, as that of Open MPI's ``orted`` does (ai-dynamo/dynamo#791).
    """
    middle = os.fork()
    if middle:
        os.waitpid(middle, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_bytes(b"sim-orted")
    bound.getsockname()  # it only has to stay open
    while True:
        signal.pause()


def start_zombies(count: int) -> None:
    """Start children that end at once and are never waited for."""
    for _ in range(count):
        if not os.fork():
            os._exit(0)


class Flood:
    """Writes lines to standard error at a rate, or as fast as they are taken."""

    def __init__(self) -> None:
        self._mb_per_s = 0.0
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None

    def set_rate(self, mb_per_s: float) -> None:
        """Write so many MB/s from now on; 0 ends it."""
        self._mb_per_s = mb_per_s
        self._changed.set()
        if mb_per_s and self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def follow(self, faults: Faults, wanted: Mapping[str, object]) -> None:
        """Show what was switched while the engine serves."""
        if "zombies" in wanted:
            start_zombies(faults.zombies)
        self.set_rate(faults.log_flood)

    def _run(self) -> None:
        while True:
            if not self._mb_per_s:
                self._changed.wait()
            self._changed.clear()
            began = time.monotonic()
            written = 0
            while rate := self._mb_per_s:
                with contextlib.suppress(OSError):
                    written += os.write(2, _BLOCK)
                ahead = written / (rate * _MB) - (time.monotonic() - began)
                if ahead > 0:
                    self._changed.wait(ahead)
