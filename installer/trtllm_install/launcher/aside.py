"""Work beside the service: in a process of its own, behind everybody else for CPU and disk."""

import contextlib
import os
import signal
from collections.abc import Callable

from trtllm_install.launcher import child, tree
from trtllm_install.launcher.station import Station

_BEHIND = 10  # nice(2): a tenth of the CPU of who needs it, and all that nobody does
_FDS = 1024  # the launcher has a dozen open


def run_aside(station: Station, work: Callable[[], object]) -> int:
    """Fork a process that does ``work`` and ends; return its pid.

    It ends with the launcher, and holds none of its locks.
    """
    pid = os.fork()
    if not pid:
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            child.end_with_parent(signal.SIGKILL)
            os.closerange(3, _FDS)
            os.nice(_BEHIND)
            child.read_when_idle()
            with contextlib.suppress(OSError):
                work()
        finally:
            os._exit(0)
    station.helpers.add(pid)
    return pid


def end_aside(station: Station, pid: int) -> None:
    """End such a process; one that is gone is fine."""
    station.helpers.discard(pid)
    process = tree.read_process(pid)
    if process and process.parent == os.getpid():  # the number may be another's by now
        tree.send_signal(pid, signal.SIGKILL)
