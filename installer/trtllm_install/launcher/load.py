"""From spawn to READY: connected, then healthy, then one real token."""

import select
import signal
from time import monotonic

from trtllm_install.launcher import admission, child, tree
from trtllm_install.launcher.output import Output
from trtllm_install.launcher.request import Request
from trtllm_install.launcher.station import Station, Verdict
from trtllm_install.launcher.words import render_bytes, render_seconds
from trtllm_install.model import exits, states
from trtllm_install.model.launchspec import SUPERVISED_MARK

_PROBE_EVERY_S = 0.2
_LOOK_EVERY_S = 2.0  # at the process tree: 300 processes cost 7 ms
_HEALTH_TIMEOUT_S = 5.0
_OK = 200
# Less than this is what pollers and timers read; a load reads gigabytes.
_BYTES_THAT_COUNT = 4 * 1024**2
# Variables of the launcher that the child gets too; everything else comes from the spec.
_INHERITED = ("CREDENTIALS_DIRECTORY",)
_NEVER = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_STDOUT = 1


class Progress:
    """The no-progress deadline of a load: it moves while lines are written or bytes are read."""

    def __init__(self, budget_s: float, now: float) -> None:
        self.bytes_read = 0
        self.frozen = False  # only success counts any more
        self._budget_s = budget_s
        self._moved_at = now
        self._signs = 0
        self._counted_bytes = 0
        self._of_pid: dict[int, int] = {}

    def note_signs(self, signs: int, now: float) -> None:
        """Take the number of lines that the process has written so far."""
        if signs != self._signs:
            self._signs = signs
            self._move(now)

    def note_bytes(self, by_pid: dict[int, int], now: float) -> None:
        """Take what each living process has read so far; what ended ones read stays counted."""
        self._of_pid.update(by_pid)
        self.bytes_read = sum(self._of_pid.values())
        if self.bytes_read - self._counted_bytes >= _BYTES_THAT_COUNT:
            self._counted_bytes = self.bytes_read
            self._move(now)

    def stalled_s(self, now: float) -> float:
        """Return how long nothing has moved, 0 while that is within the budget."""
        quiet = now - self._moved_at
        return quiet if quiet > self._budget_s else 0.0

    def _move(self, now: float) -> None:
        if not self.frozen:
            self._moved_at = now


def spawn_child(station: Station, environment: dict[str, str]) -> None:
    """Start the process and enter ``loading``; Verdict when it cannot be executed."""
    spec = station.spec
    passed = {k: v for k, v in environment.items() if k in _INHERITED}
    passed |= {k: v for k, v in spec.environment.items() if k not in _NEVER}
    passed[SUPERVISED_MARK] = admission.mark_of(station)
    # nginx ends its workers on SIGTERM and leaves them behind on SIGKILL; an engine would
    # first wait for its streams, without limit.
    death_signal = signal.SIGTERM if spec.kind == "proxy" else signal.SIGKILL
    station.oom_kills = count_oom_kills()
    station.spawned_at = monotonic()
    try:
        pid, source = child.spawn(spec.argv, passed, death_signal=death_signal)
    except child.SpawnError as error:
        from trtllm_install.launcher.classify import judge_spawn  # noqa: PLC0415 (rarely needed)

        raise judge_spawn(error, spec.argv[0]) from error
    station.pid = pid
    station.record.child_pid = pid
    probes = tuple(p for p in (spec.health_path, spec.generate_path) if p)
    station.output = Output(source, _STDOUT, probe_paths=probes)
    station.loop.watch_exit(pid)
    station.loop.register(source, select.POLLIN, station.pump)
    station.enter(states.LOADING, "loading")
    admission.record_processes(station)


def await_ready(station: Station) -> None:
    """Return once the service has proved itself; Verdict 82 when it makes no progress."""
    Load(station).run()


class Load:
    """One load under way."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._progress = Progress(station.spec.no_progress_s, monotonic())
        self._looked_at = 0.0
        self._trouble = ""  # the last answer that was not the wanted one

    def run(self) -> None:
        """Await connection, health and one token, in this order."""
        spec = self._station.spec
        self._await_answer(spec.health_path, _HEALTH_TIMEOUT_S)
        if spec.generate_path:
            self._await_answer(spec.generate_path, spec.generate_timeout_s)
        self._measure(monotonic())

    def _await_answer(self, path: str, timeout: float) -> None:
        while True:
            request = self._station.ask(path, timeout=timeout)
            try:
                while not request.done:
                    self._station.turn(_PROBE_EVERY_S)
                    request.check_deadline()
                    self._note_connection(request)
                    self._look()
            finally:
                request.cancel()
            if request.status == _OK:
                return
            self._note_failure(path, request)
            self._station.rest(_PROBE_EVERY_S)
            self._look()

    def _note_connection(self, request: Request) -> None:
        if request.connected and self._station.record.state == states.LOADING:
            self._station.enter(states.WARMING, "warming up: accepts connections, no token yet")

    def _note_failure(self, path: str, request: Request) -> None:
        if request.status:
            # It works, and refuses: its error log is no progress, only success is.
            self._progress.frozen = True
            self._trouble = f"{path} answers {request.status}"
        elif request.error != "refused":
            self._trouble = f"{path} is {request.error}"

    def _look(self) -> None:
        """Measure progress, say how far it is, and end a load that stands still."""
        station, now = self._station, monotonic()
        if station.output:
            self._progress.note_signs(station.output.signs, now)
        if now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            self._measure(now)
        stalled = self._progress.stalled_s(now)
        if stalled:
            last = f", last line: {station.last_line()}" if station.last_line() else ""
            trouble = f", {self._trouble}" if self._trouble else ""
            reason = f"no progress for {render_seconds(stalled)} while {station.record.state}"
            signature = f"{exits.HANG} no progress while {station.record.state}"
            raise Verdict(exits.HANG, f"{reason}{trouble}{last}", signature=signature)
        station.say(self._words())

    def _measure(self, now: float) -> None:
        station = self._station
        pid = station.pid or 0
        pids = [pid, *(process.pid for process in tree.below(pid, tree.read_processes()))]
        self._progress.note_bytes({p: tree.read_bytes_read(p) for p in pids}, now)
        lines = station.output.lines if station.output else 0
        station.record.progress = {"bytes_read": self._progress.bytes_read, "log_lines": lines}

    def _words(self) -> str:
        station = self._station
        taken = monotonic() - station.spawned_at
        usual = station.history.load_seconds
        parts = [render_seconds(int(taken))]
        if usual and usual > taken:
            parts[0] += f" of about {render_seconds(int(usual))}"
        if self._progress.bytes_read >= _BYTES_THAT_COUNT:
            parts.append(f"{render_bytes(self._progress.bytes_read)} read")
        if station.record.state == states.WARMING:
            parts.append(self._trouble or "no token yet")
        elif station.last_line():
            parts.append(f"last line: {station.last_line()}")
        head = "warming up" if station.record.state == states.WARMING else "loading"
        return f"{head}, {'; '.join(parts)}"


def count_oom_kills() -> int:
    """Return how often the kernel's OOM killer has struck since boot (proc_vmstat(5))."""
    for line in tree.read_proc("vmstat").splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill":
            return int(value)
    return 0
