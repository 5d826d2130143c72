"""Messages to the supervisor in sd_notify's protocol: one datagram each, no library."""

import os
import socket
from collections.abc import MutableMapping

# Asked for again and again while the launcher sees progress; the launcher is the judge.
EXTENSION_S = 60
_EXTEND_EVERY_S = 10.0
_PATIENCE_S = 5.0


class Notifier:
    """Speaks to ``NOTIFY_SOCKET``; silent where there is none, and never raises.

    Takes its variables out of the environment it is given, so that no child can
    announce itself ready (protocol: sd_notify(3), sd_watchdog_enabled(3)).
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        path = environment.pop("NOTIFY_SOCKET", "")
        usec = environment.pop("WATCHDOG_USEC", "")
        pid = environment.pop("WATCHDOG_PID", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        ours = not pid or pid == str(os.getpid())
        self._watchdog_every_s = int(usec) / 2e6 if usec.isdigit() and ours else 0.0
        self._watchdog_at = 0.0
        self._extend_at = 0.0
        # True until READY and again while stopping: the phases with a supervisor's time limit.
        self.extending = True

    def send(self, *lines: str, patience_s: float = 0.0) -> None:
        """Send one datagram; a supervisor that does not listen is no reason to fail.

        The kernel queues few datagrams (net.unix.max_dgram_qlen, often 10): what must
        not be lost waits up to ``patience_s`` for room.
        """
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(patience_s)
                sock.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            pass

    def ready(self, words: str) -> None:
        """Announce that clients are served."""
        self.extending = False
        self.send("READY=1", f"STATUS={words}", patience_s=_PATIENCE_S)

    def stopping(self, words: str) -> None:
        """Announce the end, and go on asking for time until it has come."""
        self.extending = True
        self._extend_at = 0.0
        self.send("STOPPING=1", f"STATUS={words}", patience_s=_PATIENCE_S)

    def status(self, words: str) -> None:
        """Say in words what is happening."""
        self.send(f"STATUS={words}")

    def beat(self, now: float) -> float:
        """Send what is due at ``now`` (monotonic s) and return the seconds until more is due.

        WATCHDOG=1 proves that the launcher's own loop turns, and nothing about the child.
        """
        if not self._address:
            return EXTENSION_S
        due = now + EXTENSION_S
        if self._watchdog_every_s:
            if now >= self._watchdog_at:
                self.send("WATCHDOG=1")
                self._watchdog_at = now + self._watchdog_every_s
            due = min(due, self._watchdog_at)
        if self.extending:
            if now >= self._extend_at:
                self.send(f"EXTEND_TIMEOUT_USEC={EXTENSION_S * 1_000_000}")
                self._extend_at = now + _EXTEND_EVERY_S
            due = min(due, self._extend_at)
        return due - now
