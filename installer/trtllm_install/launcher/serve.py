"""After READY: cheap probes always, a canary when idle, and death only on evidence."""

import os
from time import monotonic

from trtllm_install.launcher import admission, drain, files, ports, tree
from trtllm_install.launcher.history import HEALTHY_AGAIN_S
from trtllm_install.launcher.request import Request
from trtllm_install.launcher.station import Station, Verdict
from trtllm_install.launcher.words import render_seconds
from trtllm_install.model import exits, states

_OK = 200
_HEALTH_EVERY_S = 5.0
_RECORD_EVERY_S = 60.0
_MISSES = 3  # windows of silence in a row before a process is dead
_IDLE_WINDOW_S = 8.0  # nobody else is connected: nothing can be ahead of the canary
_WINDOW_S = 30.0  # somebody may be
_REFUSING_S = 60.0  # a process that answers, wrongly, is dead after this
_BUSY_CPU = 0.05  # of one core: an idle server uses less, one that prefills more


def serve(station: Station) -> None:
    """Watch a ready service; ends only by StopRequested, ChildDied or Verdict."""
    Care(station).run()


class Care:
    """Liveness of one ready service.

    A line of its own or an answered canary is life. An idle service gets a
    canary; while that is unanswered, lines and CPU time mean busy, and busy is
    never death. Only silence is: three windows of it in a row.
    """

    def __init__(self, station: Station) -> None:
        self._station = station
        self._spec = station.spec
        self._canary_path = station.spec.generate_path or station.spec.health_path
        # Budgets shrink with the canary's interval, so that a test need not wait for minutes.
        self._health_every_s = min(_HEALTH_EVERY_S, station.spec.canary_idle_s or _HEALTH_EVERY_S)
        self._alive_at = monotonic()
        self._signs = self._count_signs()
        self._recorded_at = 0.0

    def run(self) -> None:
        """Probe for ever."""
        while True:
            self._station.rest(self._health_every_s)
            self._note_lines()
            request = self._station.fetch(self._spec.health_path, timeout=self._health_every_s)
            if request.status != _OK or self._canary_is_due():
                self._examine()
            self._keep_books()

    def _canary_is_due(self) -> bool:
        idle = self._spec.canary_idle_s
        return bool(self._spec.generate_path and idle) and monotonic() - self._alive_at >= idle

    def _examine(self) -> None:
        """Send canaries until life is proved; Verdict 82 when it is not to be found."""
        canary: Request | None = None
        misses = 0
        refusing_since = 0.0
        try:
            while True:
                window = self._choose_window(canary)
                if canary is None or canary.done:
                    canary = self._station.ask(self._canary_path, timeout=_MISSES * window + 1)
                signs, cpu, started = self._count_signs(), self._measure_cpu(), monotonic()
                self._await_window(canary, window)
                if canary.status == _OK:
                    self._enter(states.HEALTHY, "healthy")
                    self._alive_at = monotonic()
                    return
                if canary.done and canary.error != "silent":
                    refusing_since = refusing_since or started
                    self._judge_refusal(canary, monotonic() - refusing_since)
                    self._station.rest(min(window, self._scaled(_IDLE_WINDOW_S)))
                    continue
                spent = self._measure_cpu() - cpu
                if self._count_signs() != signs or spent >= _BUSY_CPU * window:
                    self._enter(states.BUSY, "busy: works, and the canary waits")
                    self._alive_at = monotonic()
                    return
                misses += 1
                self._judge_silence(misses, window)
        finally:
            if canary:
                canary.cancel()

    def _await_window(self, canary: Request, window: float) -> None:
        until = monotonic() + window
        while not canary.done and (left := until - monotonic()) > 0:
            self._station.turn(left)
            canary.check_deadline()

    def _choose_window(self, canary: Request | None) -> float:
        """Return how long silence must last to count, by what is known of the load."""
        in_flight = drain.fetch_in_flight(self._station)
        if in_flight:
            return self._spec.no_progress_s / _MISSES
        ours = 1 if canary and canary.connected and not canary.done else 0
        if in_flight == 0 or ports.count_connected(self._spec.port) <= ours:
            return self._scaled(_IDLE_WINDOW_S)
        return self._scaled(_WINDOW_S)

    def _scaled(self, seconds: float) -> float:
        return min(seconds, self._spec.canary_idle_s or seconds)

    def _judge_silence(self, misses: int, window: float) -> None:
        words = f"no answer to {self._canary_path} and no sign of work"
        self._enter(states.SUSPECT, f"suspect: {words} for {render_seconds(misses * window)}")
        if misses >= _MISSES:
            reason = f"hang: {words} for {render_seconds(misses * window)}"
            raise Verdict(exits.HANG, reason, signature=f"{exits.HANG} silent")

    def _judge_refusal(self, canary: Request, lasting_s: float) -> None:
        said = canary.status or canary.error
        words = f"{self._canary_path} answers {said}"
        self._enter(states.SUSPECT, f"suspect: {words}")
        if lasting_s >= self._scaled(_REFUSING_S):
            reason = f"{words} for {render_seconds(lasting_s)}"
            raise Verdict(exits.HANG, reason, signature=f"{exits.HANG} {said}")

    def _enter(self, state: str, words: str) -> None:
        if self._station.record.state == state:
            self._station.say(words)
        else:
            self._station.enter(state, words)

    def _note_lines(self) -> None:
        signs = self._count_signs()
        if signs != self._signs:
            self._signs = signs
            self._alive_at = monotonic()

    def _count_signs(self) -> int:
        return self._station.output.signs if self._station.output else 0

    def _measure_cpu(self) -> float:
        return sum(process.cpu_s for process in tree.living_below(os.getpid()))

    def _keep_books(self) -> None:
        """Once a minute: the tree for the next launcher, the words, the end of a crash streak."""
        station, now = self._station, monotonic()
        if now - self._recorded_at < _RECORD_EVERY_S:
            return
        self._recorded_at = now
        admission.record_processes(station)
        if station.record.state == states.HEALTHY:
            station.say(f"healthy for {render_seconds(station.record.served_s or 0)}")
        if station.history.crashes and (station.record.served_s or 0) >= HEALTHY_AGAIN_S:
            station.history.forget_crashes()


def save_evidence(station: Station, reason: str) -> None:
    """Write what is known of a process that is about to be killed to ``hang.json``."""
    living = tree.living_below(os.getpid())
    content = {
        "schema": 1,
        "reason": reason,
        "state_s": round(station.record.in_state_s, 1),
        "processes": [
            {
                "pid": p.pid,
                "state": p.state,
                "cpu_s": p.cpu_s,
                "command": tree.read_proc(f"{p.pid}/cmdline").replace("\0", " ").strip()[:500],
                "waits_in": tree.read_proc(f"{p.pid}/wchan"),
            }
            for p in living
        ],
        "lines": station.output.tail() if station.output else [],
    }
    files.write_json(f"{station.spec.state_dir}/hang.json", content)
