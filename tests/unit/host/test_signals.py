"""Moments in which a run must not be ended, and those in which it has already."""

import signal
from collections.abc import Iterator

import pytest

from trtllm_install.cli.main import _interrupt
from trtllm_install.host.local import LocalHost
from trtllm_install.host.signals import ENDING, SETTLED


@pytest.fixture(autouse=True)
def _as_the_program_has_it() -> Iterator[None]:
    before = {number: signal.signal(number, _interrupt) for number in ENDING}
    yield
    SETTLED.clear()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_inside_a_shield_nothing_is_heard_and_behind_it_everything(number: signal.Signals) -> None:
    with LocalHost().shielded():
        signal.raise_signal(number)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


@pytest.mark.parametrize("error", [None, OSError("no")])
def test_what_must_be_heard_is_heard_at_the_end_whatever_that_is(error: OSError | None) -> None:
    """Also where dpkg fails, or the run would go on with the next step."""
    ended = []

    def work() -> None:
        with LocalHost().shielded(heard_after=True):
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
            ended.append(True)
            if error:
                raise error

    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        work()
    assert ended


def test_a_shield_that_no_signal_met_says_nothing() -> None:
    with LocalHost().shielded(heard_after=True):
        pass


@pytest.mark.parametrize("number", ENDING)
def test_once_everything_is_final_no_signal_says_otherwise(number: signal.Signals) -> None:
    LocalHost().settled()
    signal.raise_signal(number)
