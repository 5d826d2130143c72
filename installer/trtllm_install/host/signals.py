"""Signals that ask a run to end, and the moments in which it must not."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Final

# Ctrl-C, a service manager or `timeout`, and a terminal that was closed.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# All that was asked for is done and final: who is told to end has only the answer to give.
SETTLED: Final = Event()


@contextmanager
def shielded(*, heard_after: bool = False) -> Iterator[None]:
    """Drop every signal of ``ENDING`` inside; outside of the main thread there is none to drop.

    With ``heard_after`` the first of them is delivered at the end, whatever that is.
    """
    heard: list[int] = []

    # Unlike SIG_IGN, a handler is not handed on to the programs that are run.
    def note(number: int, _: FrameType | None) -> None:
        heard.append(number)

    try:
        before = {number: signal.signal(number, note) for number in ENDING}
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if heard_after and heard:
            signal.raise_signal(heard[0])
