"""After READY: cheap probes always, a canary when idle, and death only on evidence."""

from trtllm_install.launcher import admission
from trtllm_install.launcher.history import HEALTHY_AGAIN_S
from trtllm_install.launcher.request import Request
from trtllm_install.launcher.station import Station, Verdict
from trtllm_install.launcher.vitals import Vitals
from trtllm_install.launcher.words import render_seconds
from trtllm_install.model import exits, states
from trtllm_install.model.liveness import MISSES

_OK = 200
_RECORD_EVERY_S = 60.0


def serve(station: Station, vitals: Vitals) -> None:
    """Watch a ready service; ends only by StopRequested, ChildDied or Verdict."""
    # Once while it answers, so that nobody waits for counters that were never there.
    vitals.have_counters_moved()
    Care(station, vitals).run()


class Care:
    """Liveness of one ready service; docs/reference/launcher.md has the rules as a table.

    A token is life: an answered canary, bytes that the proxy passes on, counters of the
    engine that move. Lines and CPU time are work: they excuse silence for a long time, and
    not for ever. Only what shows neither is dead after three windows.
    """

    def __init__(self, station: Station, vitals: Vitals) -> None:
        self._station = station
        self._spec = station.spec
        self._limits = station.spec.liveness
        self._vitals = vitals
        self._canary_path = station.spec.generate_path or station.spec.health_path
        self._token_at = self._line_at = self._canary_at = station.now
        self._tokenless_since: float | None = None  # the first canary that nothing answered
        self._refusing_since: float | None = None
        self._lines = vitals.count_lines()
        self._recorded_at = station.now  # READY has just done it

    def run(self) -> None:
        """Probe for ever."""
        while True:
            self.look_once()

    def look_once(self) -> None:
        """One round: rest, ask for health, examine where that is due."""
        self._station.rest(self._choose_pause())
        self._note_lines()
        request = self._station.fetch(self._spec.health_path, timeout=self._limits.health_every_s)
        lost = self._vitals.has_lost_process()
        if lost:
            self._station.log("a process of the service has ended; asking for a token")
        suspicious = self._station.take_suspicion()
        if request.status != _OK or lost or suspicious or self._canary_is_due():
            self._examine(lost=lost)
        self._keep_books()

    def _choose_pause(self) -> float:
        """Return the time to the next look: a canary that is due sooner is not kept waiting."""
        idle, every = self._spec.canary_idle_s, self._limits.health_every_s
        left = idle - (self._station.now - max(self._token_at, self._canary_at))
        return left if idle and 0 < left < every else every

    def _canary_is_due(self) -> bool:
        idle, now = self._spec.canary_idle_s, self._station.now
        if not (self._spec.generate_path and idle):
            return False
        since_token = now - self._token_at
        if min(since_token, now - self._canary_at) < idle:
            return False
        if now - self._line_at < idle and since_token < max(idle, self._limits.lines_vouch_s):
            return False
        flows = self._tokens_flow(since_token)
        if flows and self._station.record.state == states.BUSY:
            self._enter(states.HEALTHY, "healthy: gives tokens")
        return not flows

    def _tokens_flow(self, within_s: float) -> bool:
        """Tell whether others got tokens within the last seconds, by the proxy or the engine."""
        traffic = self._vitals.ask_proxy()
        silent_s = None if traffic is None else traffic.silent_s
        if silent_s is not None and silent_s < within_s:
            self._note_token(self._station.now - silent_s)
            return silent_s < self._spec.canary_idle_s
        if self._vitals.have_counters_moved():
            self._note_token(self._station.now)
            return True
        return False

    def _examine(self, *, lost: bool) -> None:
        """Send canaries until life or work is proved; Verdict 82 when neither is to be found."""
        canary: Request | None = None
        misses = 0
        silent_s = 0.0
        self._canary_at = self._station.now
        try:
            while True:
                window = self._choose_window(canary, lost=lost)
                if canary is None or canary.done:
                    canary = self._station.ask(self._canary_path, timeout=MISSES * window + 1)
                lines, cpu, began = (
                    self._vitals.count_lines(),
                    self._vitals.measure_cpu(),
                    self._station.now,
                )
                self._await_window(canary, window)
                if canary.status == _OK:
                    self._note_token(self._station.now)
                    self._enter(states.HEALTHY, "healthy")
                    return
                if self._tokenless_since is None:
                    self._tokenless_since = began
                lasting = self._station.now - began
                if self._tokens_flow(max(lasting, self._limits.idle_window_s)):
                    self._enter_busy()
                    return
                if canary.done and canary.error != "silent":
                    self._judge_refusal(canary, began)
                    self._station.rest(min(window, self._limits.idle_window_s))
                    continue
                spent = self._vitals.measure_cpu() - cpu
                worked = spent >= self._limits.busy_cpu * lasting
                if worked or self._vitals.count_lines() != lines:
                    self._judge_work()
                    return
                misses += 1
                silent_s += lasting
                self._judge_silence(misses, silent_s, used=window > self._limits.idle_window_s)
        finally:
            if canary:
                canary.cancel()

    def _await_window(self, canary: Request, window: float) -> None:
        until = self._station.now + window
        while not canary.done and (left := until - self._station.now) > 0:
            self._station.turn(left)
            canary.check_deadline()

    def _choose_window(self, canary: Request | None, *, lost: bool) -> float:
        """Return how long silence must last to count, by what is known of the load."""
        traffic = self._vitals.ask_proxy()
        if lost:
            return self._limits.idle_window_s
        if traffic is not None and traffic.in_flight:
            return self._limits.in_flight_window_s
        if traffic is not None or not self._vitals.count_others(canary):
            return self._limits.idle_window_s
        return self._limits.unknown_window_s

    def _judge_silence(self, misses: int, silent_s: float, *, used: bool) -> None:
        """Suspect, then dead; an engine that nobody uses has nothing to iterate over."""
        words = f"no answer to {self._canary_path} and no sign of work"
        self._enter(states.SUSPECT, f"suspect: {words} for {render_seconds(silent_s)}")
        if misses >= MISSES and not (used and self._vitals.has_iterated()):
            self._die(f"hang: {words} for {render_seconds(silent_s)}", "silent")

    def _judge_work(self) -> None:
        """Busy: excused, but not for ever: a thread that spins in a dead engine works too."""
        since = self._station.now if self._tokenless_since is None else self._tokenless_since
        lasting = self._station.now - since
        self._refusing_since = None
        self._enter_busy()
        if lasting >= self._limits.busy_s and not self._vitals.has_iterated():
            words = f"works, and has given nobody a token for {render_seconds(lasting)}"
            self._die(f"hang: {words}", "no token")

    def _judge_refusal(self, canary: Request, began: float) -> None:
        if self._refusing_since is None:
            self._refusing_since = began
        lasting = self._station.now - self._refusing_since
        said = canary.status or canary.error
        words = f"{self._canary_path} answers {said}"
        self._enter(states.SUSPECT, f"suspect: {words}")
        if lasting >= self._limits.refusing_s:
            self._die(f"{words} for {render_seconds(lasting)}", str(said))

    def _die(self, reason: str, kind: str) -> None:
        raise Verdict(exits.HANG, reason, signature=f"{exits.HANG} {kind}")

    def _enter_busy(self) -> None:
        ago = render_seconds(max(0.0, round(self._station.now - self._token_at, 1)))
        self._enter(states.BUSY, f"busy, last token {ago} ago; the canary waits")

    def _note_token(self, at: float) -> None:
        self._token_at = max(self._token_at, at)
        self._tokenless_since = self._refusing_since = None

    def _note_lines(self) -> None:
        lines = self._vitals.count_lines()
        if lines != self._lines:
            self._lines = lines
            self._line_at = self._station.now

    def _enter(self, state: str, words: str) -> None:
        if self._station.record.state == state:
            self._station.say(words)
        else:
            self._station.enter(state, words)

    def _keep_books(self) -> None:
        """Once a minute: the tree for the next launcher, the words, the end of a crash streak."""
        station, now = self._station, self._station.now
        if now - self._recorded_at < _RECORD_EVERY_S:
            return
        self._recorded_at = now
        admission.record_processes(station)
        self._vitals.note_tree()
        if station.record.state == states.HEALTHY:
            station.say(f"healthy for {render_seconds(station.record.served_s or 0)}")
        if station.history.crashes and (station.record.served_s or 0) >= HEALTHY_AGAIN_S:
            station.history.forget_crashes()
