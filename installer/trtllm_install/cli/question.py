"""A question before what cannot be undone, at which Ctrl-C is always heard."""

import os
import select
import signal
import socket
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_MOST = 4096  # bytes of a line, as the terminal driver has it


def is_agreed(question: str) -> bool:
    """Ask on the terminal, and tell whether the answer is a yes.

    Only a whole line that was typed after the question is one: neither what was typed ahead,
    nor a "y" that Ctrl-D ends, nor a terminal that is gone. An interrupt ends the wait at once.
    """
    terminal = sys.stdin.fileno()
    with suppress(termios.error):
        termios.tcflush(terminal, termios.TCIFLUSH)
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    try:
        with _woken() as signals:
            # A read that blocks would miss the signal that comes just before it.
            while terminal not in select.select([terminal, signals], [], [])[0]:
                signals.recv(_MOST)
        answer = os.read(terminal, _MOST)
    except OSError:
        return False
    return answer.endswith(b"\n") and answer.strip().lower() in {b"y", b"yes"}


@contextmanager
def _woken() -> Iterator[socket.socket]:
    """Yield what can be read once a signal has come, so that its handler runs."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(0)
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            yield ours
        finally:
            signal.set_wakeup_fd(before)
