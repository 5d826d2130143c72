"""The state file that people and programs read, and the phases of the last start."""

import os
from time import monotonic, time

from trtllm_install.launcher import files
from trtllm_install.launcher.history import History
from trtllm_install.model import states
from trtllm_install.model.launchspec import LaunchSpec


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
        self._phases: list[dict[str, object]] = []
        self.state: str | None = None
        self.status = ""
        self.child_pid: int | None = None
        self.ready_at: float | None = None
        self.ready_clock: float | None = None  # the same moment on the monotonic clock
        self.progress: dict[str, int] | None = None

    @property
    def in_state_s(self) -> float:
        """Seconds since the state was entered."""
        return monotonic() - self._entered

    @property
    def served_s(self) -> float | None:
        """Seconds since READY, None before it."""
        return None if self.ready_clock is None else monotonic() - self.ready_clock

    def enter(self, state: str, status: str) -> None:
        """Enter a state; TransitionError when the table does not allow it."""
        states.check_transition(self.state, state)
        self.state = state
        self._since = time()
        self._entered = monotonic()
        if not self._phases or self._phases[-1]["state"] != states.HEALTHY:
            self._phases.append({"state": state, "at": round(self._since, 3)})
        self.say(status)

    def note_ready(self, load_seconds: float) -> None:
        """Keep when the service became ready and how long its load took (seconds)."""
        self.ready_at = time()
        self.ready_clock = monotonic()
        self._history.load_seconds = round(load_seconds, 3)
        self._history.save()

    def say(self, status: str) -> None:
        """Write the state file with this status."""
        self.status = status
        files.write_json(self._path, self._content())

    def save_timeline(self) -> None:
        """Write the phases of this start to ``<state_dir>/timeline.json``."""
        content = {
            "schema": 1,
            "name": self._spec.name,
            "started_at": round(self._started_at, 3),
            "ready_at": _rounded(self.ready_at),
            "phases": self._phases,
            "progress": self.progress,
        }
        files.write_json(f"{self._spec.state_dir}/timeline.json", content)

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
            "load_seconds": self._history.load_seconds,
            "exit": self._history.last_exit,
            "port": self._spec.port,
            "progress": self.progress,
            "spec": self._spec_hash,
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
