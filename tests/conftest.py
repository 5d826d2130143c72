"""What every test may count on: how property tests search, and what shuffling costs."""

import gc
import os
import signal

import pytest
from hypothesis import settings

# Unit tests together have ten seconds; HYPOTHESIS_PROFILE=thorough is for a search by hand.
# No deadline: on cores that are shared, a time limit per example only finds the neighbours.
settings.register_profile("quick", max_examples=25, deadline=None, database=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_configure(config: pytest.Config) -> None:
    """Keep the shuffled order, without seeding ``random`` anew three times a test.

    No test draws from it unseeded, and on two slow cores it cost a second in all. The
    collector looks less often: a run of a minute has no need of the memory.
    """
    config.option.randomly_reset_seed = False
    gc.set_threshold(100_000, 50, 50)
    # What is ignored here (nohup, a job in the background) every program that a test
    # starts would ignore, and ours are right to.
    for number, heard in (
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGINT, signal.default_int_handler),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, heard)


def pytest_collection_finish() -> None:
    """Spare the collector what lives to the end anyway: every module and every test."""
    gc.freeze()
