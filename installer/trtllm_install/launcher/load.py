"""From spawn to READY: connected, then healthy, then one real token."""

import contextlib
import os
import select
import signal
from collections.abc import Iterable
from time import monotonic, time

from trtllm_install.launcher import admission, caches, child, tree
from trtllm_install.launcher.driver import Question
from trtllm_install.launcher.output import Output
from trtllm_install.launcher.phases import Told
from trtllm_install.launcher.progress import Progress, render_left, render_weights
from trtllm_install.launcher.request import Request
from trtllm_install.launcher.station import Station, Verdict
from trtllm_install.launcher.words import render_seconds
from trtllm_install.model import exits, phases, states
from trtllm_install.model.launchspec import SUPERVISED_MARK

_PROBE_EVERY_S = 0.2
_LOOK_EVERY_S = 2.0  # at the process tree: 300 processes cost 7 ms
_HEALTH_TIMEOUT_S = 5.0
_QUIET_S = 15.0  # without a line or a read, before the driver is asked
_OK = 200
# Variables of the launcher that the child gets too; everything else comes from the spec.
_INHERITED = ("CREDENTIALS_DIRECTORY",)
_NEVER = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_STDOUT = 1
_METRICS = "/metrics"  # and /prometheus/metrics: whoever reads them, that is no work
_HOPELESS = (
    "mpi_err_spawn",
    "mpi.exception: mpi_err_unknown",
    "unable to start a daemon on the local node",
    "all nodes which are allocated for this job are already filled",
)
_WORDS_OF = {
    phases.START: "loading",
    phases.COMPILE: "compiling kernels",
    phases.WARM_UP: "warming up",
    phases.GATE: "warming up",
}


def spawn_child(station: Station, environment: dict[str, str]) -> None:
    """Start the process and enter ``loading``; Verdict when it cannot be executed."""
    spec = station.spec
    passed = {k: v for k, v in environment.items() if k in _INHERITED}
    passed |= {k: v for k, v in spec.environment.items() if k not in _NEVER}
    passed[SUPERVISED_MARK] = admission.mark_of(station)
    # nginx ends its workers on SIGTERM and leaves them behind on SIGKILL; an engine would
    # first wait for its streams, without limit.
    death_signal = signal.SIGTERM if spec.kind == "proxy" else signal.SIGKILL
    if spec.cache_dir:
        with contextlib.suppress(OSError):  # the engine will say what it cannot do without it
            caches.prepare(spec.cache_dir)
    station.oom_kills = count_oom_kills()
    station.spawned_at = monotonic()
    try:
        pid, source = child.spawn(spec.argv, passed, death_signal=death_signal)
    except child.SpawnError as error:
        from trtllm_install.launcher.classify import judge_spawn  # noqa: PLC0415 (rarely needed)

        raise judge_spawn(error, spec.argv[0]) from error
    station.pid = pid
    station.record.child_pid = pid
    probes = tuple(p for p in (spec.health_path, spec.generate_path, _METRICS) if p)
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
        spec = station.spec
        self._told = Told()
        self._progress = Progress(spec.no_progress_s, monotonic(), weights_bytes=spec.weights_bytes)
        self._looked_at = 0.0
        self._trouble = ""  # the last answer that was not the wanted one
        self._question: Question | None = None
        self._asked_at = monotonic()

    def run(self) -> None:
        """Await connection, health and one token, in this order."""
        spec, output = self._station.spec, self._station.output
        if output:
            output.listener = self._told.take
        try:
            self._await_answer(spec.health_path, _HEALTH_TIMEOUT_S)
            if spec.generate_path:
                self._await_answer(spec.generate_path, spec.generate_timeout_s)
        finally:
            if output:
                output.listener = None
            if self._question:
                self._question.cancel()
        self._measure(monotonic())
        if self._progress.is_cold is not None:
            self._station.record.cold = self._progress.is_cold

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
            self._measure(monotonic())  # what it said before it listened
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
        loading = station.record.state == states.LOADING
        news = loading and bool(self._told.changes)
        if news or now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            self._measure(now)
        self._ask_driver(now)
        stalled = self._progress.stalled_s(now)
        if stalled:
            last = f", last line: {station.last_line()}" if station.last_line() else ""
            trouble = f", {self._trouble}" if self._trouble else ""
            reason = f"no progress for {render_seconds(stalled)} while {station.record.state}"
            signature = f"{exits.HANG} no progress while {station.record.state}"
            raise Verdict(exits.HANG, f"{reason}{trouble}{last}", signature=signature)
        station.say(self._words(), at_once=news)

    def _ask_driver(self, now: float) -> None:
        """Where lines and reads stand still, see whether the GPU's memory grows."""
        spec = self._station.spec
        quiet = min(_QUIET_S, spec.no_progress_s / 4)
        if self._question:
            self._question.check_deadline()
            if self._question.done:
                mine = [g for g in self._question.gpus if str(g.index) in spec.gpu_bytes]
                if mine:
                    self._progress.note_gpu_bytes(sum(g.total - g.free for g in mine), now)
                self._question, self._asked_at = None, now
        elif spec.gpu_argv and min(self._progress.quiet_s(now), now - self._asked_at) >= quiet:
            self._question = Question(self._station)

    def _measure(self, now: float) -> None:
        station, progress = self._station, self._progress
        # Below the launcher: daemons that lost their parent read too.
        pids = [process.pid for process in tree.below(os.getpid(), tree.read_processes())]
        progress.note_bytes({pid: tree.read_io(pid) for pid in pids}, now)
        record, gate = station.record, station.record.state == states.WARMING
        changes, self._told.changes = self._told.changes, []
        for told, moment in changes:
            progress.note_phase(told)
            if not gate:
                with contextlib.suppress(OSError):  # a full disk must not end a load
                    record.timeline.enter(told, moment)
        phase = progress.note_phase(phases.GATE if gate else self._told.phase)
        figures = {
            "weights_bytes": progress.weights_bytes,
            "bytes_read": progress.bytes_read,
            "disk_bytes": progress.disk_bytes,
        }
        if station.output and is_hopeless(station.output.tail()):
            progress.frozen = True  # it repeats itself for ever, and that is no progress
        if phase != phases.START and station.preread:
            station.preread.end()
        if progress.is_cold:
            record.cold = True  # the page cache was expected, and is not there
        left = progress.left_s(now - station.spawned_at, record.usual_load_s)
        record.expected_at = None if left is None else time() + left
        record.progress = {
            "phase": phase,
            "weights_done": progress.weights_done,
            "percent": self._told.percent,
            "bytes_per_s": int(progress.rate),
            "gpu_bytes": progress.gpu_bytes,
            "log_lines": station.output.lines if station.output else 0,
            **figures,
        }
        with contextlib.suppress(OSError):
            record.timeline.enter(phase)
            record.timeline.note(**figures)

    def _words(self) -> str:
        station, told = self._station, self._told
        taken, usual = monotonic() - station.spawned_at, station.record.usual_load_s
        left = render_left(self._progress.left_s(taken, usual), taken, usual)
        last = f"; last line: {station.last_line()}" if station.last_line() else ""
        if station.record.state == states.WARMING:
            return f"warming up: {self._trouble or 'answers, no token yet'}, {left}"
        phase = self._progress.phase
        if phase == phases.WEIGHTS:
            parts = render_weights(self._progress, told.percent)
            return ", ".join((*parts, left)) + ("" if len(parts) > 1 else last)
        if phase == phases.WARM_UP and told.graphs_of:
            return f"warming up, CUDA graph {told.graphs} of {told.graphs_of}, {left}"
        return f"{_WORDS_OF[phase]}, {left}{last}"


def is_hopeless(lines: Iterable[str]) -> bool:
    """Tell whether a load has said that it has no worker, which it never gets.

    trtllm-serve goes on then, and so does its log (NVIDIA/TensorRT-LLM#5495).
    """
    return any(words in line.lower() for line in lines for words in _HOPELESS)


def count_oom_kills() -> int:
    """Return how often the kernel's OOM killer has struck since boot (proc_vmstat(5))."""
    for line in tree.read_proc("vmstat").splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill":
            return int(value)
    return 0
