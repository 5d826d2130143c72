"""The end of a tree that does not end: a process in uninterruptible sleep is named, exit 84."""

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from trtllm_install.launcher import stop, tree
from trtllm_install.launcher.station import Verdict
from trtllm_install.launcher.tree import Process
from trtllm_install.model import exits


class FakeStation:
    """A station whose time is the test's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, living: list[Process]) -> None:
        self.now = 100.0
        self.pid = 7
        self.output = None
        self.loop = SimpleNamespace(exits={}, stop_requests=1, reap=lambda: None)
        self.signals: list[tuple[int, int]] = []
        self.living = living
        monkeypatch.setattr(stop, "monotonic", lambda: self.now)
        monkeypatch.setattr(tree, "living_below", lambda _root: list(self.living))
        monkeypatch.setattr(tree, "send_signal", self._signal)

    def _signal(self, pid: int, number: int) -> bool:
        self.signals.append((pid, number))
        return True

    def turn(self, seconds: float) -> None:
        self.now += seconds


def process(pid: int, state: str) -> Process:
    return Process(pid, 1, state, 5, 0.0)


def end(station: Any, grace_s: float = 2.0) -> None:
    stop.end_tree(station, grace_s=grace_s)


def test_what_cannot_be_killed_is_named_with_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    station = FakeStation(monkeypatch, [process(7, "S"), process(8, "D")])
    station.loop.exits[7] = 0
    station.living = [process(8, "D")]
    with pytest.raises(Verdict) as caught:
        end(station)
    verdict = caught.value
    assert verdict.code == exits.REBOOT
    assert verdict.reason == "cannot kill 8 (state D)"
    assert "reboot" in verdict.hint
    assert station.now - 100 >= 10, "it was given time"
    assert (8, signal.SIGKILL) in station.signals


def test_a_process_that_only_needs_a_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    station = FakeStation(monkeypatch, [process(8, "D")])
    station.loop.exits[7] = 0
    turn = station.turn

    def and_then_it_ends(seconds: float) -> None:
        turn(seconds)
        if station.now > 105:
            station.living = []

    monkeypatch.setattr(station, "turn", and_then_it_ends)
    end(station)
    assert station.now < 110


def test_term_comes_first_and_kill_after_the_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    station = FakeStation(monkeypatch, [process(7, "S"), process(8, "S")])

    def die_of(pid: int, number: int) -> bool:
        station.signals.append((pid, number))
        if number == signal.SIGKILL:
            station.living = [p for p in station.living if p.pid != pid]
        return True

    monkeypatch.setattr(tree, "send_signal", die_of)
    end(station, grace_s=3.0)
    assert station.signals[0] == (7, signal.SIGTERM)
    assert set(station.signals[1:]) == {(7, signal.SIGKILL), (8, signal.SIGKILL)}
    assert station.now - 100 >= 3.0
