"""Signals that ask a run to end, and the moments in which it must not."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Ctrl-C, a service manager or `timeout`, and a terminal that was closed.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def shielded() -> Iterator[None]:
    """Drop every signal of ``ENDING`` inside; outside of the main thread there is none to drop."""
    try:
        before = {number: signal.signal(number, _drop) for number in ENDING}
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _drop(number: int, _: FrameType | None) -> None:
    """Do nothing: unlike SIG_IGN, a handler is not handed on to the programs that are run."""
