"""The state file that people and programs read."""

import os
from collections.abc import Sequence  # noqa: TC003 (a type of an attribute)
from time import monotonic, time

from trtllm_install.launcher import files
from trtllm_install.launcher.history import History, LoadTime
from trtllm_install.launcher.timeline import Timeline
from trtllm_install.model import phases, states
from trtllm_install.model.launchspec import LaunchSpec

# The state says the phase, but for a load, whose lines do.
_PHASE_OF = {
    states.BACKOFF: phases.BACKOFF,
    states.WAITING: phases.WAITING,
    states.ADMISSION: phases.ADMISSION,
    states.LOADING: phases.START,
    states.WARMING: phases.GATE,
}


class Record:
    """Writes ``<run_dir>/<name>.json`` (schema in docs/reference/launcher.md) and the timeline."""

    def __init__(self, spec: LaunchSpec, *, spec_hash: str, history: History) -> None:
        self._spec = spec
        self._spec_hash = spec_hash
        self._history = history
        self._path = f"{spec.run_dir}/{spec.name}.json"
        self._started_at = time()
        self._since = self._started_at
        self._entered = monotonic()
        self.timeline = Timeline(
            f"{spec.state_dir}/timeline.json", spec.name, attempt=history.attempt
        )
        self.cold = history.expects_cold(files.boot_id())  # what this load is expected to be
        self.state: str | None = None
        self.status = ""
        self.child_pid: int | None = None
        self.ready_at: float | None = None
        self.ready_clock: float | None = None  # the same moment on the monotonic clock
        self.progress: dict[str, object] | None = None
        self.gpus: Sequence[object] = ()  # memory of each GPU, as the driver says
        self.expected_at: float | None = None  # unix seconds at which READY is to be expected

    @property
    def in_state_s(self) -> float:
        """Seconds since the state was entered."""
        return monotonic() - self._entered

    @property
    def served_s(self) -> float | None:
        """Seconds since READY, None before it."""
        return None if self.ready_clock is None else monotonic() - self.ready_clock

    def enter(self, state: str, status: str) -> None:
        """Enter a state; OSError when that cannot be written, and then it is entered all the same.

        The state file is written first: the successors wait for it.
        """
        self.state = state
        self._since = time()
        self._entered = monotonic()
        try:
            self.say(status)
        finally:
            if state == states.HEALTHY:
                self.timeline.ready()
            elif state in _PHASE_OF:
                self.timeline.enter(_PHASE_OF[state])

    @property
    def usual_load_s(self) -> float | None:
        """How long a load like this one usually takes, None if none is known."""
        return self._history.usual_load(cold=self.cold)

    def note_ready(self, load_seconds: float) -> None:
        """Keep when the service became ready and how long its load took (seconds)."""
        self.ready_at = time()
        self.ready_clock = monotonic()
        self.expected_at = None
        load = LoadTime(seconds=round(load_seconds, 3), cold=self.cold, boot=files.boot_id())
        self._history.record_load(load)

    def say(self, status: str) -> None:
        """Write the state file with this status."""
        self.status = status
        files.write_json(self._path, self._content())

    def _content(self) -> dict[str, object]:
        return {
            "schema": 1,
            "name": self._spec.name,
            "pid": os.getpid(),
            "child_pid": self.child_pid,
            "state": self.state,
            "status": self.status,
            "since": round(self._since, 3),
            "started_at": round(self._started_at, 3),
            "ready_at": _rounded(self.ready_at),
            "attempt": self._history.attempt,
            "load_seconds": self.usual_load_s,
            "expected_at": _rounded(self.expected_at),
            "exit": self._history.last_exit,
            "port": self._spec.port,
            "progress": self.progress,
            "gpus": list(self.gpus),
            "spec": self._spec_hash,
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
