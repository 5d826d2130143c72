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


@contextmanager
def ending_as_interrupt() -> Iterator[None]:
    """Let all of ``ENDING`` raise KeyboardInterrupt, so that each is undone like Ctrl-C.

    One that is ignored (nohup) stays ignored. A second signal raises again: what must
    not be cut short is ``shielded``.
    """
    before = {}
    try:
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, _interrupt)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def _drop(number: int, _: FrameType | None) -> None:
    """Do nothing: unlike SIG_IGN, a handler is not handed on to the programs that are run."""
