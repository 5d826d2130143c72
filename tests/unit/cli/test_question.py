"""A question before what cannot be undone: what is a yes, and what is none."""

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from trtllm_install.cli.question import is_agreed


@dataclass
class Terminal:
    """A terminal at which somebody does something as soon as the question is there."""

    keys: int  # where is typed
    screen: int

    def asked(self, monkeypatch: pytest.MonkeyPatch, deed: Callable[[], object]) -> bool:
        class Shown(io.StringIO):
            def flush(self) -> None:
                deed()

        monkeypatch.setattr(sys, "stdin", os.fdopen(os.dup(self.screen)))
        monkeypatch.setattr(sys, "stderr", Shown())
        with sys.stdin:
            return is_agreed("Remove all of this?")


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    keys, screen = os.openpty()
    made = Terminal(keys, screen)
    yield made
    for descriptor in (made.keys, made.screen):
        if descriptor >= 0:
            os.close(descriptor)


@pytest.mark.parametrize(
    ("typed", "agreed"),
    [
        (b"y\n", True),
        (b" Yes \n", True),
        (b"n\n", False),
        (b"\n", False),
        (b"yy\n", False),
        (b"\x04", False),  # Ctrl-D
        (b"y\x04", False),  # no whole line
        (b"y\x15\n", False),  # Ctrl-U takes it back
    ],
)
def test_only_a_whole_yes_is_one(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, typed: bytes, agreed: bool
) -> None:
    assert terminal.asked(monkeypatch, lambda: os.write(terminal.keys, typed)) is agreed


def test_what_was_typed_before_the_question_is_no_answer(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.write(terminal.keys, b"y\n")
    assert not terminal.asked(monkeypatch, lambda: os.write(terminal.keys, b"\n"))


def test_a_terminal_that_is_gone_agrees_to_nothing(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang_up() -> None:
        os.close(terminal.keys)
        terminal.keys = -1

    assert not terminal.asked(monkeypatch, hang_up)


def test_an_interrupt_that_no_read_would_notice_ends_the_wait(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment in which a signal is noted, and the wait begins before its handler runs."""
    from trtllm_install.cli import question  # noqa: PLC0415

    wait, times = question.select.select, []

    def interrupted(readable: list[object], *rest: list[object]) -> object:
        times.append(signal.set_wakeup_fd(-1))
        signal.set_wakeup_fd(times[-1], warn_on_full_buffer=False)
        if len(times) == 1:
            os.write(times[0], b"\2")  # what Python's own half of a handler does
        else:
            raise KeyboardInterrupt  # its other half, once the wait has ended
        return wait(readable, *rest, 20)

    monkeypatch.setattr(question.select, "select", interrupted)
    with pytest.raises(KeyboardInterrupt):
        terminal.asked(monkeypatch, lambda: None)
    assert len(times) == 2
    assert signal.set_wakeup_fd(-1) == -1  # it is given back
