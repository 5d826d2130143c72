"""The one poll loop: signals, the child's output and probes all wake it."""

import os
import select
import signal
from collections.abc import Callable
from math import ceil

_STOPS = (signal.SIGTERM, signal.SIGINT)


class Loop:
    """Turns once per call. Signals are counted here and acted on elsewhere.

    Every ended child is reaped, adopted orphans too; what ``watch_exit`` asked
    for is remembered in ``exits`` (pid → wait status).
    """

    def __init__(self) -> None:
        self.stop_requests = 0
        self.hangups = 0
        self.exits: dict[int, int] = {}
        self._watched: set[int] = set()
        self._poll = select.poll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._wakeup, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for number in (*_STOPS, signal.SIGHUP, signal.SIGCHLD):
            # The wake-up descriptor carries the signal; the handler only replaces the default.
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self.register(self._wakeup, select.POLLIN, self._read_signals)

    def register(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Call ``callback(events)`` when ``fd`` has one; again to change either."""
        self._callbacks[fd] = callback
        self._poll.register(fd, events)

    def unregister(self, fd: int) -> None:
        """Forget ``fd``; unknown is fine."""
        if self._callbacks.pop(fd, None):
            self._poll.unregister(fd)

    def watch_exit(self, pid: int) -> None:
        """Remember how ``pid`` ends; to be called before it can have been reaped."""
        self._watched.add(pid)

    def turn(self, timeout: float) -> None:
        """Wait at most ``timeout`` seconds for something to happen and let it."""
        for fd, events in self._poll.poll(max(0, ceil(timeout * 1000))):
            callback = self._callbacks.get(fd)
            if callback:  # an earlier callback of this turn may have closed it
                callback(events)

    def reap(self) -> None:
        """Collect every child that has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in self._watched:
                self.exits[pid] = status

    def _read_signals(self, _events: int) -> None:
        for number in os.read(self._wakeup, 4096):
            if number in _STOPS:
                self.stop_requests += 1
            elif number == signal.SIGHUP:
                self.hangups += 1
        self.reap()
